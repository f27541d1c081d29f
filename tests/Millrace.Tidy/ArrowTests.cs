using System.Xml.Linq;

namespace Millrace.Tidy;

/// <summary>Which assembly may use which, and where public types stand.</summary>
public sealed class ArrowTests
{
    private static readonly Dictionary<string, string[]> Allowed = new(StringComparer.Ordinal)
    {
        ["Millrace"] = [],
        ["Millrace.Cli"] = [],
        ["Millrace.Log"] = ["Millrace"],
        ["Millrace.Messaging"] = ["Millrace"],
        ["Millrace.Kafka"] = ["Millrace"],
        ["Millrace.Mqtt"] = ["Millrace"],
        ["Millrace.Postgres"] = ["Millrace.Relational"],
        ["Millrace.Relational"] = ["Millrace"],
        ["Millrace.RocksDb"] = ["Millrace"],
        ["Millrace.Sqlite"] = ["Millrace.Relational"],
        ["Millrace.Streams"] = ["Millrace"],
        ["Millrace.Testing"] = ["Millrace", "Millrace.Messaging", "Millrace.Streams"],
    };

    [Fact]
    public void Each_assembly_uses_only_what_its_place_allows()
    {
        var wrong = new List<string>();
        foreach (var project in Repository.Projects("src"))
        {
            var name = Path.GetFileNameWithoutExtension(project);
            if (!Allowed.TryGetValue(name, out var allowed)) wrong.Add($"{name} has no place in the table of arrows");
            else wrong.AddRange(References(project).Except(allowed).Select(used => $"{name} uses {used}"));
        }

        Assert.Empty(wrong);
    }

    [Fact]
    public void Only_composition_roots_choose_an_engine()
    {
        var wrong = Repository.Projects("src")
            .Where(project => References(project).Any(used => used is "Millrace.Log" or "Millrace.Kafka"))
            .Select(Path.GetFileNameWithoutExtension);

        Assert.Empty(wrong);
    }

    [Fact]
    public void The_root_folder_of_an_assembly_is_public_and_its_subfolders_are_internal()
    {
        var wrong = new List<string>();
        foreach (var (path, lines) in Repository.Sources("src"))
        {
            var isRoot = path.Split('/').Length == 3;
            foreach (var line in lines.Where(IsTypeDeclaration))
            {
                var isPublic = line.StartsWith("public ", StringComparison.Ordinal);
                if (isRoot != isPublic) wrong.Add($"{path}: {line.Trim()}");
            }
        }

        Assert.Empty(wrong);
    }

    private static bool IsTypeDeclaration(string line) =>
        (line.StartsWith("public ", StringComparison.Ordinal) || line.StartsWith("internal ", StringComparison.Ordinal))
        && !line.Contains(" delegate ", StringComparison.Ordinal);

    private static IEnumerable<string> References(string project) =>
        XDocument.Load(project).Descendants("ProjectReference").Select(r => Path.GetFileNameWithoutExtension(r.Attribute("Include")!.Value.Replace('\\', '/')));
}
