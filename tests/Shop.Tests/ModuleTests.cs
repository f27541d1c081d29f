using System.Text.RegularExpressions;

namespace Shop.Tests;

/// <summary>The shop's layout as tests: services know each other only by their contracts, and the program reads as the diagram.</summary>
public sealed partial class ModuleTests
{
    private static readonly string[] Modules = ["Orders", "Payments", "Inventory", "Notifications"];

    [Fact]
    public void Services_see_each_other_only_through_their_contracts()
    {
        var shop = FindShop();

        foreach (var module in Modules)
        {
            var hidden = Directory.GetFiles(Path.Combine(shop, module), "*.cs")
                .Where(file => Path.GetFileName(file) != "Contracts.cs")
                .SelectMany(file => Declaration().Matches(File.ReadAllText(file)))
                .Select(match => match.Groups["name"].Value)
                .ToHashSet(StringComparer.Ordinal);
            var strangers = Modules.Where(other => other != module).SelectMany(
                other => Directory.GetFiles(Path.Combine(shop, other), "*.cs"));

            Assert.NotEmpty(hidden);
            Assert.All(strangers, file => Assert.DoesNotContain(
                Word().Matches(Comment().Replace(File.ReadAllText(file), "")).Select(match => match.Value), hidden.Contains));
        }
    }

    [Fact]
    public void The_program_reads_as_the_diagram_in_at_most_80_lines() =>
        Assert.InRange(File.ReadAllLines(Path.Combine(FindShop(), "Program.cs")).Length, 1, 80);

    private static string FindShop()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Millrace.slnx"))) return Path.Combine(folder.FullName, "systems", "Shop");
        }

        throw new InvalidOperationException($"There is no Millrace.slnx above {AppContext.BaseDirectory}.");
    }

    /// <summary>Types at the top of a file; nested ones are their owner's.</summary>
    [GeneratedRegex(@"^(?:public|internal)\s(?:(?:sealed|static|abstract|partial|readonly)\s)*" +
        @"(?:record struct|record|class|interface|struct|enum|delegate \S+)\s(?<name>\w+)", RegexOptions.Multiline)]
    private static partial Regex Declaration();

    [GeneratedRegex(@"\w+")]
    private static partial Regex Word();

    [GeneratedRegex("//.*")]
    private static partial Regex Comment();
}
