using System.Text;

namespace Millrace.Relational;

/// <summary>Names of tables and columns, as text of SQL.</summary>
internal static class Names
{
    /// <summary>The name between quotation marks, its own doubled: so no name can become anything but a name.</summary>
    public static string Quote(string name) => "\"" + name.Replace("\"", "\"\"", StringComparison.Ordinal) + "\"";

    public static string List(IEnumerable<string> names) => string.Join(", ", names.Select(Quote));

    public static void Demand(string? name, int bytesMax)
    {
        if (string.IsNullOrEmpty(name) || name.Contains('\0', StringComparison.Ordinal) || Encoding.UTF8.GetByteCount(name) > bytesMax)
            throw new ArgumentException($"Name '{name}' is not 1 to {bytesMax} bytes of UTF-8 without U+0000.", nameof(name));
    }
}
