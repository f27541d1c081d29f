namespace Millrace.Tidy;

/// <summary>How large things may be. An exception has a reason, and the lists only shrink.</summary>
public sealed class BudgetTests
{
    private const int FileLinesMax = 500;
    private const int MethodLinesMax = 70;
    private const int LineWidthMax = 140;
    private const int FolderFilesMax = 16;
    private const int ParametersMax = 6;

    /// <summary>Folders with more files than the budget, and why.</summary>
    private static readonly Dictionary<string, int> FolderExceptions = new(StringComparer.Ordinal)
    {
        // The public face of the event, the contract and the runtime: the root folder is public, so it cannot be divided.
        ["src/Millrace"] = 24,
    };

    private static readonly string[] Code = ["src", "systems", "tests", "bench"];

    [Fact]
    public void No_file_is_longer_than_its_budget() =>
        Assert.Empty(Repository.Sources(Code).Where(s => s.Lines.Length > FileLinesMax).Select(s => $"{s.Path}: {s.Lines.Length} lines"));

    [Fact]
    public void No_line_is_wider_than_its_budget() =>
        Assert.Empty(Repository.Sources("src", "systems").SelectMany(s => s.Lines.Select((line, i) => (s.Path, Number: i + 1, line.Length)))
            .Where(l => l.Length > LineWidthMax).Select(l => $"{l.Path}:{l.Number}: {l.Length} characters"));

    [Fact]
    public void No_method_is_longer_than_its_budget() =>
        Assert.Empty(Repository.Sources("src", "systems").SelectMany(s => LongBlocks(s.Path, s.Lines)));

    [Fact]
    public void No_folder_holds_more_files_than_its_budget()
    {
        var wrong = Repository.Sources("src", "systems").GroupBy(s => Path.GetDirectoryName(s.Path)!.Replace('\\', '/'))
            .Where(folder => folder.Count() > FolderExceptions.GetValueOrDefault(folder.Key, FolderFilesMax))
            .Select(folder => $"{folder.Key}: {folder.Count()} files");

        Assert.Empty(wrong);
    }

    [Fact]
    public void No_public_method_takes_more_parameters_than_its_budget()
    {
        var wrong = Repository.Assemblies.SelectMany(a => a.GetExportedTypes())
            .SelectMany(t => t.GetMethods().Where(m => m.DeclaringType == t))
            .Where(m => m.GetParameters().Length > ParametersMax)
            .Select(m => $"{m.DeclaringType!.Name}.{m.Name}: {m.GetParameters().Length} parameters");

        Assert.Empty(wrong);
    }

    /// <summary>Blocks that begin with a lone brace under a signature and end with the brace of the same depth.</summary>
    private static IEnumerable<string> LongBlocks(string path, string[] lines)
    {
        for (var i = 1; i < lines.Length; i++)
        {
            // A brace in the first column opens a type.
            if (lines[i].Trim() != "{" || lines[i][0] == '{' || !IsSignatureEnd(lines[i - 1])) continue;
            var close = lines[i].Replace('{', '}');
            var end = Array.FindIndex(lines, i, line => line == close);
            if (end - i - 1 > MethodLinesMax) yield return $"{path}:{i}: {end - i - 1} lines";
        }
    }

    private static bool IsSignatureEnd(string line) =>
        line.TrimEnd().EndsWith(')') && !line.TrimStart().StartsWith("internal sealed class", StringComparison.Ordinal)
        && !line.Contains(" class ", StringComparison.Ordinal) && !line.Contains(" struct ", StringComparison.Ordinal);
}
