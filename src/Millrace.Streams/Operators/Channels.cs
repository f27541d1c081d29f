using System.Buffers;
using Millrace.Streams.Definition;
using Millrace.Streams.States;

namespace Millrace.Streams.Operators;

/// <summary>The watermark of several channels, with its state: an entry per channel.</summary>
internal sealed class Channels(string store, int count)
{
    private const byte Kind = 1;

    private readonly StoreHead _head = new(store, Kind, keyVersion: 1);
    private readonly ArrayBufferWriter<byte> _key = new();
    private readonly ArrayBufferWriter<byte> _value = new();
    private readonly (long Watermark, bool IsActive)?[] _saved = new (long, bool)?[count];

    public WatermarkCombiner Combiner { get; } = new(count);

    public void Save(StateScope scope)
    {
        _head.Save(scope, Combiner.Current);
        for (var channel = 0; channel < count; channel++)
        {
            var now = (Combiner.WatermarkOf(channel), Combiner.IsActive(channel));
            if (_saved[channel] == now) continue;
            _key.ResetWrittenCount();
            _key.WriteInt32(channel);
            _value.ResetWrittenCount();
            _value.WriteOrdered(now.Item1);
            _value.WriteByte(now.Item2 ? (byte)1 : (byte)0);
            scope.Put(store, _key.WrittenSpan, _value.WrittenSpan);
            _saved[channel] = now;
        }
    }

    public void Restore(StateScope scope)
    {
        var current = long.MinValue;
        foreach (var (key, value) in scope.Scan(store))
        {
            if (key.IsEmpty)
            {
                current = _head.Read(value.Span);
                continue;
            }

            var keyBytes = key.Span;
            var bytes = value.Span;
            var channel = StateBytes.ReadInt32(ref keyBytes);
            if (channel >= count)
                throw new MillraceException(FailureCodes.DataMismatch,
                    $"State '{store}' is of channel {channel}, and there are {count} now.");
            var watermark = StateBytes.ReadOrdered(ref bytes);
            var isActive = bytes[0] == 1;
            _saved[channel] = (watermark, isActive);
            Combiner.Restore(channel, watermark, isActive, current);
        }
    }
}

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
    private readonly Channels _channels;
    private readonly BoundedOutOfOrderness[]? _generators;
    private readonly long[] _heard;
    private readonly long? _idleAfter;
    private readonly long _bound;
    private bool _isIdle;

    public SourceOperator(string store, SourceOptions<T> options, TopologyInstance instance, Sink<T> output)
    {
        _options = options;
        _output = output;
        _now = instance.Now;
        _channels = new Channels(store, instance.Partitions);
        _heard = new long[instance.Partitions];
        Array.Fill(_heard, _now());
        _idleAfter = options.IdleAfter is { } idleAfter ? EventTime.Milliseconds(idleAfter) : null;
        if (options.OutOfOrderness is not { } bound) return;
        _bound = EventTime.Milliseconds(bound);
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
        if (_generators is not null) Move(_channels.Combiner.Advance(partition, _generators[partition].Current));
    }

    public override void Advance(int partition, long watermark)
    {
        Wake(partition);
        Move(_channels.Combiner.Advance(partition, watermark));
    }

    public override void SetIdle(int partition)
    {
        Move(_channels.Combiner.SetIdle(partition));
        ShowIdle();
    }

    public override void FindIdle(long now)
    {
        for (var partition = 0; partition < _heard.Length; partition++)
        {
            if (_idleAfter is { } idleAfter && now - _heard[partition] >= idleAfter && _channels.Combiner.IsActive(partition))
                SetIdle(partition);
        }
    }

    public override void Save(StateScope scope) => _channels.Save(scope);

    public override void Restore(StateScope scope)
    {
        _channels.Restore(scope);
        for (var partition = 0; partition < _heard.Length; partition++)
        {
            // The greatest event time follows from the watermark that it gave.
            var watermark = _channels.Combiner.WatermarkOf(partition);
            if (watermark != long.MinValue) _generators?[partition].Observe(EventTime.Add(watermark, EventTime.Add(_bound, 1)));
        }

        ShowIdle();
    }

    private void Wake(int partition)
    {
        _heard[partition] = _now();
        if (_channels.Combiner.IsActive(partition)) return;
        _channels.Combiner.SetActive(partition);
        ShowIdle();
    }

    private void Move(bool hasMoved)
    {
        if (hasMoved) _output.Advance(_channels.Combiner.Current);
    }

    private void ShowIdle()
    {
        if (_isIdle == _channels.Combiner.IsIdle) return;
        _isIdle = _channels.Combiner.IsIdle;
        _output.SetIdle(_isIdle);
    }
}

/// <summary>Several streams that become one: records as they come, the lesser of the watermarks.</summary>
internal sealed class JointOperator<T>(string store, int feeds, Sink<T> output) : IStatefulOperator
{
    private readonly Channels _channels = new(store, feeds);
    private bool _isIdle;

    public OperatorCounts Counts { get; } = new();

    public int Entries => 0;

    public long Watermark => _channels.Combiner.Current;

    public Sink<T> Input(int feed) => new Feed(this, feed);

    public void Save(StateScope scope) => _channels.Save(scope);

    public void Restore(StateScope scope)
    {
        _channels.Restore(scope);
        ShowIdle();
    }

    private void ShowIdle()
    {
        if (_isIdle == _channels.Combiner.IsIdle) return;
        _isIdle = _channels.Combiner.IsIdle;
        output.SetIdle(_isIdle);
    }

    private sealed class Feed(JointOperator<T> joint, int channel) : Sink<T>
    {
        private readonly Sink<T> _output = joint.Output;

        public override void Push(T value, long timestamp)
        {
            joint.Counts.In++;
            _output.Push(value, timestamp);
        }

        public override void Advance(long watermark)
        {
            if (joint._channels.Combiner.Advance(channel, watermark)) _output.Advance(joint.Watermark);
        }

        public override void SetIdle(bool isIdle)
        {
            if (!isIdle) joint._channels.Combiner.SetActive(channel);
            else if (joint._channels.Combiner.SetIdle(channel)) _output.Advance(joint.Watermark);
            joint.ShowIdle();
        }
    }

    private Sink<T> Output => output;
}
