using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

namespace Millrace.Tidy;

/// <summary>Names that say nothing, state that hides, and other habits that the house has given up.</summary>
public sealed partial class NameTests
{
    private static readonly string[] BannedEndings = ["Manager", "Helper", "Helpers", "Util", "Utils", "Base", "Impl", "Info", "Service"];

    private static readonly string[] BannedPlaces =
        ["Common", "Core", "Utils", "Helpers", "Managers", "Services", "Models", "Abstractions", "Internal", "Extensions"];

    [Fact]
    public void No_type_has_a_name_that_says_nothing()
    {
        var wrong = Repository.Assemblies.SelectMany(a => a.GetTypes())
            .Where(t => t.GetCustomAttribute<CompilerGeneratedAttribute>() is null && BannedEndings.Any(e => t.Name.EndsWith(e, StringComparison.Ordinal)))
            .Select(t => t.FullName);

        Assert.Empty(wrong);
    }

    [Fact]
    public void No_folder_or_file_has_a_name_that_says_nothing()
    {
        var wrong = Repository.Sources("src", "systems", "tests", "bench").Select(s => s.Path)
            .Where(path => path.Split('/').Any(part => BannedPlaces.Contains(Path.GetFileNameWithoutExtension(part), StringComparer.Ordinal)));

        Assert.Empty(wrong);
    }

    [Fact]
    public void No_static_field_can_change()
    {
        var wrong = Repository.Assemblies.SelectMany(a => a.GetTypes())
            .Where(t => t.GetCustomAttribute<CompilerGeneratedAttribute>() is null && !t.Name.StartsWith('<'))
            .SelectMany(t => t.GetFields(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly))
            .Where(f => !f.IsInitOnly && !f.IsLiteral && !f.Name.StartsWith('<'))
            .Select(f => $"{f.DeclaringType!.FullName}.{f.Name}");

        Assert.Empty(wrong);
    }

    [Fact]
    public void There_are_no_regions_and_no_partial_types_but_for_source_generators()
    {
        var wrong = new List<string>();
        foreach (var (path, lines) in Repository.Sources("src", "systems"))
        {
            var isGenerated = lines.Any(line => Generators().IsMatch(line));
            wrong.AddRange(lines.Where(line => line.TrimStart().StartsWith("#region", StringComparison.Ordinal)
                || (!isGenerated && PartialType().IsMatch(line))).Select(line => $"{path}: {line.Trim()}"));
        }

        Assert.Empty(wrong);
    }

    [Fact]
    public void Fixed_event_ids_of_log_messages_are_used_once()
    {
        var ids = Repository.Sources("src", "systems").SelectMany(s => s.Lines.SelectMany(line => EventId().Matches(line)).Select(m => (s.Path, Id: m.Groups[1].Value)));
        var twice = ids.GroupBy(i => (i.Path.Split('/')[1], i.Id)).Where(g => g.Count() > 1).Select(g => $"{g.Key}: {string.Join(", ", g.Select(i => i.Path))}");

        Assert.Empty(twice);
    }

    [Fact]
    public void Tests_do_not_sleep()
    {
        var wrong = Repository.Sources("tests").Where(s => !s.Path.StartsWith("tests/Millrace.Tidy/", StringComparison.Ordinal)
                && !s.Path.StartsWith("tests/Crash/", StringComparison.Ordinal))
            .SelectMany(s => s.Lines.Where(line => Sleep().IsMatch(line)).Select(line => $"{s.Path}: {line.Trim()}"));

        Assert.Empty(wrong);
    }

    [GeneratedRegex(@"GeneratedRegex|JsonSerializable|LoggerMessage")]
    private static partial Regex Generators();

    [GeneratedRegex(@"\bpartial (class|struct|record|interface)\b")]
    private static partial Regex PartialType();

    [GeneratedRegex(@"LoggerMessage\((?:EventId\s*=\s*)?(\d+)")]
    private static partial Regex EventId();

    [GeneratedRegex(@"\bThread\.Sleep\(|\bTask\.Delay\((?!.*(Infinite|time|Time))")]
    private static partial Regex Sleep();
}
