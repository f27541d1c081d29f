namespace Millrace.Streams.Definition;

/// <summary>What begins streams: a topic of the application, or one between two stages of the topology.</summary>
/// <param name="Name">The topic's name.</param>
/// <param name="Node">The operator.</param>
/// <param name="From">The operator that writes the topic; null when it is the application's.</param>
/// <param name="Build">Makes the operator in an instance, with everything that it feeds.</param>
internal sealed record SourceDefinition(
    string Name, TopologyNode Node, TopologyNode? From, Action<SourceDefinition, TopologyInstance> Build)
{
    public string Store => $"{Node.Prefix}-source";
}

/// <summary>
/// A part of a topology that runs as one processor: everything that is reached from its sources without passing a topic of the topology's
/// own.
/// </summary>
/// <param name="Name">The processor's name.</param>
/// <param name="Sources">What it reads.</param>
/// <param name="Written">The topics in between that it writes.</param>
/// <param name="Nodes">Its operators.</param>
internal sealed record Stage(
    string Name, IReadOnlyList<SourceDefinition> Sources, IReadOnlyList<SourceDefinition> Written, IReadOnlySet<TopologyNode> Nodes)
{
    /// <summary>
    /// Whether it matters that a partition is idle: with several sources, or where others wait for the watermark of this one.
    /// </summary>
    public bool NeedsIdleness => Sources.Count > 1 || Written.Count > 0;

    /// <summary>A topic whose partition count the stage's own has; one of the application where there is one.</summary>
    public string Model => (Sources.FirstOrDefault(source => source.From is null) ?? Sources[0]).Name;

    /// <summary>A topology's stages, those that write a topic before those that read it.</summary>
    public static IReadOnlyList<Stage> Of(StreamTopology topology)
    {
        var part = topology.Nodes.ToDictionary(node => node, node => node.Id);
        foreach (var node in topology.Nodes.Where(node => node.Role != NodeRole.Source))
        {
            foreach (var input in node.Inputs) Join(part, part[node], part[input]);
        }

        List<Stage> found =
        [
            .. topology.Sources.GroupBy(source => part[source.Node]).Select(group => new Stage(
                NameOf(topology, group.Key, group),
                [.. group],
                [.. topology.Sources.Where(source => source.From is { } from && part[from] == group.Key)],
                topology.Nodes.Where(node => part[node] == group.Key).ToHashSet())),
        ];
        return Sorted(found);
    }

    /// <summary>That of the topology for the stage of its first operator; else by a source's name, or by the first operator's
    /// number.</summary>
    private static string NameOf(StreamTopology topology, int first, IEnumerable<SourceDefinition> sources) => first == 0
        ? topology.Name
        : $"{topology.Name}-{sources.FirstOrDefault(source => source.Node.Name is not null)?.Node.Name ?? $"{first}"}";

    /// <summary>Two parts become the one with the lower number.</summary>
    private static void Join(Dictionary<TopologyNode, int> part, int one, int other)
    {
        if (one == other) return;
        var (kept, gone) = (Math.Min(one, other), Math.Max(one, other));
        foreach (var node in part.Where(pair => pair.Value == gone).Select(pair => pair.Key).ToList()) part[node] = kept;
    }

    private static List<Stage> Sorted(List<Stage> stages)
    {
        var sorted = new List<Stage>();
        while (sorted.Count < stages.Count)
        {
            sorted.Add(stages.First(stage => !sorted.Contains(stage) && stage.Sources.All(source =>
                source.From is null || stage.Written.Contains(source) || sorted.Exists(done => done.Written.Contains(source)))));
        }

        return sorted;
    }
}
