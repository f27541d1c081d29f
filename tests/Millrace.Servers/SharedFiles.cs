namespace Millrace.Servers;

/// <summary>
/// What tests and measurements need and the repository does not hold (servers, real data): below the folder that MILLRACE_SHARED names, or
/// else below a folder "shared" above this program.
/// </summary>
public static class SharedFiles
{
    /// <summary>The full path of a file or folder there; null where there is none.</summary>
    /// <param name="path">Its path from that folder on.</param>
    public static string? Find(string path)
    {
        if (Environment.GetEnvironmentVariable("MILLRACE_SHARED") is { Length: > 0 } named) return Existing(named, path);
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (Existing(Path.Combine(folder.FullName, "shared"), path) is { } found) return found;
        }

        return null;
    }

    /// <summary>The folder that holds a file there; null where there is none.</summary>
    /// <param name="path">The file's path from that folder on.</param>
    public static string? FolderOf(string path) => Path.GetDirectoryName(Find(path));

    private static string? Existing(string shared, string path)
    {
        var full = Path.Combine(shared, path);
        return Path.Exists(full) ? full : null;
    }
}
