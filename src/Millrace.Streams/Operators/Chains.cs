namespace Millrace.Streams.Operators;

/// <summary>An operator of a chain that lets event time pass.</summary>
internal abstract class Operator<TIn, TOut>(Sink<TOut> output) : Sink<TIn>
{
    protected Sink<TOut> Output { get; } = output;

    public override void Advance(long watermark) => Output.Advance(watermark);

    public override void SetIdle(bool isIdle) => Output.SetIdle(isIdle);
}

internal sealed class WhereOperator<T>(Func<T, bool> condition, Sink<T> output) : Operator<T, T>(output)
{
    public override void Push(T value, long timestamp)
    {
        if (condition(value)) Output.Push(value, timestamp);
    }
}

internal sealed class SelectOperator<TIn, TOut>(Func<TIn, TOut> selector, Sink<TOut> output) : Operator<TIn, TOut>(output)
{
    public override void Push(TIn value, long timestamp) => Output.Push(selector(value), timestamp);
}

internal sealed class SelectManyOperator<TIn, TOut> : Operator<TIn, TOut>
{
    private readonly Action<TIn, Action<TOut>> _selector;

    // One delegate for all records: it says with the timestamp of the record in hand.
    private readonly Action<TOut> _say;
    private long _timestamp;

    public SelectManyOperator(Action<TIn, Action<TOut>> selector, Sink<TOut> output)
        : base(output)
    {
        _selector = selector;
        _say = value => Output.Push(value, _timestamp);
    }

    public override void Push(TIn value, long timestamp)
    {
        _timestamp = timestamp;
        _selector(value, _say);
    }
}

internal sealed class SplitOperator<T>(Func<T, bool> condition, Sink<T> aside, Sink<T> output) : Operator<T, T>(output)
{
    public override void Push(T value, long timestamp) => (condition(value) ? aside : Output).Push(value, timestamp);

    public override void Advance(long watermark)
    {
        aside.Advance(watermark);
        Output.Advance(watermark);
    }

    public override void SetIdle(bool isIdle)
    {
        aside.SetIdle(isIdle);
        Output.SetIdle(isIdle);
    }
}

/// <summary>Gives everything to each of several; to none, it drops it.</summary>
internal sealed class FanOut<T>(Sink<T>[] sinks) : Sink<T>
{
    public override void Push(T value, long timestamp)
    {
        foreach (var sink in sinks) sink.Push(value, timestamp);
    }

    public override void Advance(long watermark)
    {
        foreach (var sink in sinks) sink.Advance(watermark);
    }

    public override void SetIdle(bool isIdle)
    {
        foreach (var sink in sinks) sink.SetIdle(isIdle);
    }
}
