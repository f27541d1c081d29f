using System.Globalization;
using System.Text;

namespace Millrace.Streams.Definition;

/// <summary>An operator as it is described. Side outputs learn their inputs while the topology is defined.</summary>
internal sealed record TopologyNode(int Id, string Kind, string Detail, List<TopologyNode> Inputs)
{
    public string Title => Detail.Length == 0 ? Kind : $"{Kind} {Detail}";
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
