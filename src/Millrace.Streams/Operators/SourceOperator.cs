using Millrace.Streams.Definition;
using Millrace.Streams.Running;
using Millrace.Streams.States;

namespace Millrace.Streams.Operators;

/// <summary>What feeds a source's records into its chain.</summary>
internal abstract class SourceOperator : IStatefulOperator, IClockedOperator
{
    public OperatorCounts Counts { get; } = new();

    public int Entries => 0;

    public abstract long Watermark { get; }

    /// <summary>When a partition that stays silent becomes idle; the end of time when none does.</summary>
    public abstract long NextDue { get; }

    /// <summary>Feeds records as they were read; those that cannot be read or worked on go to dead letters.</summary>
    public abstract void Feed(FetchedRecords records, DeadLetterGuard guard);

    /// <summary>Takes a watermark that was given, not generated.</summary>
    public abstract void Advance(int channel, long watermark);

    public abstract void SetIdle(int channel);

    /// <summary>Channels with records that were worked on from one time to another were not silent meanwhile.</summary>
    public virtual void Heard(long begun, long ended)
    {
    }

    /// <summary>Channels that were silent for too long are idle.</summary>
    public abstract void AdvanceClock(long now);

    /// <summary>With whom it stays together; null for nobody.</summary>
    public virtual WatermarkAlignment? Alignment => null;

    /// <summary>Whether its partition is waited for.</summary>
    public virtual bool IsActive => true;

    /// <summary>What its partition waits for before it is read on. While it does it is silent, but not idle.</summary>
    public Task? HeldUntil { get; set; }

    public bool IsHeld => HeldUntil is { IsCompleted: false };

    public abstract ChannelStatus[] ShowChannels();

    public abstract void Restore(StateScope scope);

    public abstract void Save(StateScope scope);
}

/// <summary>A topic of the application: its partitions are channels, each of which has its watermark by the event times of its
/// records.</summary>
internal sealed class SourceOperator<T> : SourceOperator
{
    private readonly SourceOptions<T> _options;
    private readonly Func<T, long, long>? _assign;
    private readonly Sink<T> _output;
    private readonly TopologyInstance _instance;
    private readonly Channels<T> _channels;
    private readonly BoundedOutOfOrderness[]? _generators;
    private readonly long[] _heard;
    private readonly long? _idleAfter;
    private RecordCodec<T>? _codec;

    public SourceOperator(SourceOptions<T> options, SourceDefinition definition, TopologyInstance instance, Sink<T> output)
    {
        _options = options;
        _assign = options.Timestamp;
        _output = output;
        _instance = instance;
        var count = instance.Host.ChannelsOf(definition);
        _channels = new Channels<T>(definition.Store, count, output);
        _heard = new long[count];
        Array.Fill(_heard, instance.Host.Now);
        _idleAfter = options.IdleAfter is { } idleAfter ? EventTime.Milliseconds(idleAfter) : null;
        if (options.OutOfOrderness is not { } bound) return;
        _generators = [.. _heard.Select(_ => new BoundedOutOfOrderness(bound))];
    }

    public override long Watermark => _channels.Combiner.Current;

    public override long NextDue
    {
        get
        {
            if (_idleAfter is not { } idleAfter || !NeedsIdleness) return long.MaxValue;
            var next = long.MaxValue;
            for (var channel = 0; channel < _heard.Length; channel++)
            {
                if (_channels.Combiner.IsActive(channel)) next = Math.Min(next, EventTime.Add(_heard[channel], idleAfter));
            }

            return next;
        }
    }

    public override WatermarkAlignment? Alignment => _options.Alignment;

    public override bool IsActive => !_channels.Combiner.IsIdle;

    private bool NeedsIdleness => _instance.Host.NeedsIdleness || _options.Alignment is not null;

    /// <summary>Hot path: the watermark moves record by record, so that batches make no difference.</summary>
    public override void Feed(FetchedRecords records, DeadLetterGuard guard)
    {
        var codec = _codec ??= _options.Codec ?? RecordCodecs.Default<T>();
        foreach (var record in records)
        {
            if (guard.IsCondemned(record)) continue;
            Counts.In++;
            _instance.HasActed = false;
            _instance.Origin = record.Offset;
            try
            {
                if (!codec.TryRead(record, out var value, out var timestamp, out var reason))
                {
                    guard.Say(record, reason);
                    continue;
                }

                Push(0, value, timestamp);
            }
            catch (Exception failure) when (guard.Takes(failure, record, _instance.HasActed))
            {
                continue;
            }

            _instance.Origin = -1;
            EndBatch(0);
        }
    }

    /// <summary>Takes a record; its channel's watermark moves with <see cref="EndBatch"/>.</summary>
    public void Push(int channel, T value, long timestamp)
    {
        Wake(channel);
        var time = _assign is null ? timestamp : _assign(value, timestamp);
        Counts.Out++;
        _output.Push(value, time);
        _generators?[channel].Observe(time);
    }

    public void EndBatch(int channel)
    {
        if (_generators is not null) _channels.Advance(channel, _generators[channel].Current);
    }

    public override void Advance(int channel, long watermark)
    {
        Wake(channel);
        _channels.Advance(channel, watermark);
    }

    public override void SetIdle(int channel) => _channels.SetIdle(channel);

    public override void Heard(long begun, long ended)
    {
        for (var channel = 0; channel < _heard.Length; channel++)
        {
            if (_heard[channel] == begun) _heard[channel] = ended;
        }
    }

    public override void AdvanceClock(long now)
    {
        if (_idleAfter is not { } idleAfter || !NeedsIdleness) return;
        if (IsHeld) Array.Fill(_heard, now);
        for (var channel = 0; channel < _heard.Length; channel++)
        {
            if (now - _heard[channel] >= idleAfter && _channels.Combiner.IsActive(channel)) SetIdle(channel);
        }
    }

    public override ChannelStatus[] ShowChannels() => _channels.Show("partition");

    public override void Save(StateScope scope) => _channels.Save(scope);

    /// <summary>The generators begin anew: what they say is taken only when it is beyond the watermark that is restored.</summary>
    public override void Restore(StateScope scope) => _channels.Restore(scope);

    private void Wake(int channel)
    {
        _heard[channel] = _instance.Host.Now;
        _channels.SetActive(channel);
    }
}
