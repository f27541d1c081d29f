using Millrace.Streams.Operators;

namespace Millrace.Streams.Definition;

/// <summary>A stream that several operators feed: a union or a side output. Each instance has one sink for all of its feeds.</summary>
internal class Joint<T>(DataStream<T> stream)
{
    private int _feeds;

    public DataStream<T> Stream { get; } = stream;

    /// <summary>One more that feeds it, as what makes its sink.</summary>
    public Func<TopologyInstance, Sink<T>> Feed()
    {
        var channel = _feeds++;
        return instance => instance.Once(Stream.Node, () => Make(instance)).Input(channel);
    }

    protected virtual Sink<T> Output(TopologyInstance instance) => Stream.Build(instance);

    private JointOperator<T> Make(TopologyInstance instance)
    {
        var joint = new JointOperator<T>($"{Stream.Node.Prefix}-joint", _feeds, Output(instance));
        instance.Add(Stream.Node, joint);
        return joint;
    }
}

/// <summary>A side output, which can be read by its tag besides being a stream.</summary>
internal sealed class SideStream<T>(string tag, DataStream<T> stream) : Joint<T>(stream)
{
    public Func<TopologyInstance, Sink<T>> Feed(TopologyNode from)
    {
        Stream.Node.Inputs.Add(from);
        return Feed();
    }

    protected override Sink<T> Output(TopologyInstance instance)
    {
        var inner = base.Output(instance);
        return instance.Host.TapOf<T>(tag) is { } tap ? new FanOut<T>([tap, inner]) : inner;
    }
}
