using Millrace.Streams.Definition;
using Millrace.Streams.States;

namespace Millrace.Streams.Operators;

/// <summary>What feeds a source's records into its chain, partition by partition.</summary>
internal abstract class SourceOperator
{
    /// <summary>Takes a watermark that was given, not generated.</summary>
    public abstract void Advance(int partition, long watermark);

    public abstract void SetIdle(int partition);

    /// <summary>Processing time has moved: partitions that were silent for too long are idle.</summary>
    public abstract void FindIdle(long now);

    public abstract void Restore(StateScope scope);

    public abstract void Save(StateScope scope);
}

/// <inheritdoc/>
internal sealed class SourceOperator<T> : SourceOperator
{
    private readonly SourceOptions<T> _options;
    private readonly Sink<T> _output;
    private readonly Func<long> _now;
    private readonly Channels<T> _channels;
    private readonly BoundedOutOfOrderness[]? _generators;
    private readonly long[] _heard;
    private readonly long? _idleAfter;

    public SourceOperator(string store, SourceOptions<T> options, TopologyInstance instance, Sink<T> output)
    {
        _options = options;
        _output = output;
        _now = instance.Now;
        _channels = new Channels<T>(store, instance.Partitions, output);
        _heard = new long[instance.Partitions];
        Array.Fill(_heard, _now());
        _idleAfter = options.IdleAfter is { } idleAfter ? EventTime.Milliseconds(idleAfter) : null;
        if (options.OutOfOrderness is not { } bound) return;
        _generators = [.. _heard.Select(_ => new BoundedOutOfOrderness(bound))];
    }

    /// <summary>Takes a record; its partition's watermark moves with <see cref="EndBatch"/>.</summary>
    public void Push(int partition, T value, long timestamp)
    {
        Wake(partition);
        var time = _options.Timestamp is { } assign ? assign(value, timestamp) : timestamp;
        _generators?[partition].Observe(time);
        _output.Push(value, time);
    }

    public void EndBatch(int partition)
    {
        if (_generators is not null) _channels.Advance(partition, _generators[partition].Current);
    }

    public override void Advance(int partition, long watermark)
    {
        Wake(partition);
        _channels.Advance(partition, watermark);
    }

    public override void SetIdle(int partition) => _channels.SetIdle(partition);

    public override void FindIdle(long now)
    {
        for (var partition = 0; partition < _heard.Length; partition++)
        {
            if (_idleAfter is { } idleAfter && now - _heard[partition] >= idleAfter && _channels.Combiner.IsActive(partition))
                SetIdle(partition);
        }
    }

    public override void Save(StateScope scope) => _channels.Save(scope);

    /// <summary>The generators begin anew: what they say is taken only when it is beyond the watermark that is restored.</summary>
    public override void Restore(StateScope scope) => _channels.Restore(scope);

    private void Wake(int partition)
    {
        _heard[partition] = _now();
        _channels.SetActive(partition);
    }
}
