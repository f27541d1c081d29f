namespace Millrace.Streams.Definition;

/// <summary>The side outputs of an operator that has several, of whatever types.</summary>
internal sealed class SideOutlets(StreamTopology topology, TopologyNode from)
{
    private readonly HashSet<string> _names = new(StringComparer.Ordinal);
    private readonly List<Func<TopologyInstance, Outlet>> _outlets = [];

    public void Add<T>(OutputTag<T> tag)
    {
        if (!_names.Add(tag.Name)) return;
        var feed = topology.Side(tag).Feed(from);
        _outlets.Add(instance => new Outlet<T>(tag.Name, feed(instance)));
    }

    /// <summary>The outlets in an instance.</summary>
    public Outlet[] Open(TopologyInstance instance) => [.. _outlets.Select(open => open(instance))];
}

internal abstract class Outlet(string name)
{
    public string Name => name;

    public abstract void Advance(long watermark);

    public abstract void SetIdle(bool isIdle);

    public static Sink<T> Find<T>(Outlet[] outlets, OutputTag<T> tag)
    {
        foreach (var outlet in outlets)
        {
            if (outlet.Name != tag.Name) continue;
            return (outlet as Outlet<T>)?.Sink
                ?? throw new ArgumentException($"Side output '{tag.Name}' has records of another type than {typeof(T).Name}.", nameof(tag));
        }

        throw new ArgumentException($"Side output '{tag.Name}' was not named with the function.", nameof(tag));
    }
}

internal sealed class Outlet<T>(string name, Sink<T> sink) : Outlet(name)
{
    public Sink<T> Sink => sink;

    public override void Advance(long watermark) => sink.Advance(watermark);

    public override void SetIdle(bool isIdle) => sink.SetIdle(isIdle);
}
