using System.Globalization;
using System.Text;

namespace Millrace.Streams.Definition;

/// <summary>What an operator does to the keys of what it is given.</summary>
internal enum NodeRole
{
    /// <summary>It leaves the key.</summary>
    Keeping = 0,

    /// <summary>It begins streams: what is read from a topic, by the topic's key.</summary>
    Source = 1,

    /// <summary>It works per key: what comes out may be anything.</summary>
    Keyed = 2,
}

/// <summary>An operator as it is described. Side outputs learn their inputs while the topology is defined.</summary>
internal sealed record TopologyNode(int Id, string Kind, string Detail, NodeRole Role, List<TopologyNode> Inputs)
{
    /// <summary>What its state outlives changes of the topology by; null for its number.</summary>
    public string? Name { get; set; }

    /// <summary>Whether it is a part of the operator behind it, with which it is named.</summary>
    public bool IsPart { get; set; }

    /// <summary>What the names of its stores begin with.</summary>
    public string Prefix => Name ?? Id.ToString(CultureInfo.InvariantCulture);

    public string Title => (Detail.Length == 0 ? Kind : $"{Kind} {Detail}") + (Name is null ? "" : $" '{Name}'");

    /// <summary>Whether records may lie in another partition than that of their source's key.</summary>
    public bool IsKeyed => Role == NodeRole.Keyed || Role == NodeRole.Keeping && Inputs.Exists(input => input.IsKeyed);
}

internal static class TopologyText
{
    public static string Lines(StreamTopology topology)
    {
        var text = new StringBuilder($"topology {topology.Name}\n");
        foreach (var node in topology.Nodes)
        {
            text.Append(CultureInfo.InvariantCulture, $"  {node.Id}: {node.Title}");
            if (node.Inputs.Count > 0) text.Append(" <- ").AppendJoin(", ", node.Inputs.Select(input => input.Id));
            text.Append('\n');
        }

        return text.ToString();
    }

    public static string Mermaid(StreamTopology topology)
    {
        var text = new StringBuilder("flowchart LR\n");
        foreach (var node in topology.Nodes)
            text.Append(CultureInfo.InvariantCulture,
                $"  n{node.Id}[\"{node.Title.Replace("\"", "#quot;", StringComparison.Ordinal)}\"]\n");
        foreach (var node in topology.Nodes)
        {
            foreach (var input in node.Inputs)
                text.Append(CultureInfo.InvariantCulture, $"  n{input.Id} --> n{node.Id}\n");
        }

        return text.ToString();
    }
}
