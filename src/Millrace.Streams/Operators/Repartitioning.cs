using System.Buffers;
using Millrace.Streams.Definition;
using Millrace.Streams.Running;
using Millrace.Streams.States;

namespace Millrace.Streams.Operators;

/// <summary>How a topic between two stages is written and read.</summary>
/// <param name="Source">The topic.</param>
/// <param name="Key">Writes a record's key, which places it; false when it has none.</param>
/// <param name="Codec">How records travel.</param>
internal sealed record Repartition<T>(SourceDefinition Source, KeyWriter<T> Key, StateCodec<T> Codec);

/// <summary>
/// What lies in a topic between two stages. A record's value begins with a byte that says what it is: 0, the event time, the codec's
/// version and its bytes; or 1, the number of the partition that the writer works on, its watermark, and whether it is idle: what the
/// reader's event time is made of. The records' own time is that of their writing: brokers remove records by it, and event time may be long
/// ago.
/// </summary>
internal static class RepartitionFormat
{
    public const byte Value = 0, Time = 1;

    public const int TimeBytes = 14, HeadBytes = 13;

    public static void WriteTime(ArrayBufferWriter<byte> output, int partition, long watermark, bool isIdle)
    {
        output.ResetWrittenCount();
        output.WriteByte(Time);
        output.WriteInt32(partition);
        output.WriteOrdered(watermark);
        output.WriteByte(isIdle ? (byte)1 : (byte)0);
    }

    public static bool TryReadTime(ReadOnlySpan<byte> bytes, out int partition, out long watermark, out bool isIdle)
    {
        (partition, watermark, isIdle) = (0, 0, false);
        if (bytes.Length != TimeBytes || bytes[0] != Time) return false;
        bytes = bytes[1..];
        partition = StateBytes.ReadInt32(ref bytes);
        watermark = StateBytes.ReadOrdered(ref bytes);
        isIdle = bytes[0] == 1;
        return true;
    }
}

/// <summary>
/// Writes records to the partitions of their keys, and how far event time is to each partition: before a commit if it moved, and at once
/// when the stream becomes active again.
/// </summary>
internal sealed class RepartitionOutput<T>(
    string store, Repartition<T> repartition, ProcessorScope scope, TopologyInstance instance) : Sink<T>, IStatefulOperator
{
    private const byte StoreKind = 5;

    private readonly string _topic = repartition.Source.Name;
    private readonly StoreHead _head = new(store, StoreKind, keyVersion: 1);
    private readonly ArrayBufferWriter<byte> _key = new();
    private readonly ArrayBufferWriter<byte> _value = new();
    private bool _isIdle;
    private (long Watermark, bool IsIdle) _told = (long.MinValue, false);

    public OperatorCounts Counts { get; } = new();

    public int Entries => 0;

    public long Watermark { get; private set; } = long.MinValue;

    public override void Push(T value, long timestamp)
    {
        Counts.In++;
        Counts.Out++;
        instance.HasActed = true;
        _key.ResetWrittenCount();
        var hasKey = repartition.Key(value, _key);
        _value.ResetWrittenCount();
        _value.WriteByte(RepartitionFormat.Value);
        _value.WriteOrdered(timestamp);
        _value.WriteInt32(repartition.Codec.Version);
        repartition.Codec.Write(value, _value);
        var batch = hasKey
            ? scope.To(_topic, _key.WrittenSpan)
            : scope.ToPartition(_topic, scope.Partition % scope.PartitionsOf(_topic));
        batch.Add(instance.Host.Now, hasKey, _key.WrittenSpan, true, _value.WrittenSpan, []);
    }

    public override void Advance(long watermark) => Watermark = Math.Max(Watermark, watermark);

    public override void SetIdle(bool isIdle)
    {
        _isIdle = isIdle;
        if (!isIdle) Tell();
    }

    public void Save(StateScope state)
    {
        Tell();
        _head.Save(state, Watermark);
    }

    public void Restore(StateScope state)
    {
        foreach (var (key, value) in state.Scan(store))
        {
            if (key.IsEmpty) Watermark = _head.Read(value.Span);
        }
    }

    private void Tell()
    {
        if (_told == (Watermark, _isIdle)) return;
        _told = (Watermark, _isIdle);
        RepartitionFormat.WriteTime(_value, scope.Partition, Watermark, _isIdle);
        var now = instance.Host.Now;
        for (var partition = scope.PartitionsOf(_topic) - 1; partition >= 0; partition--)
            scope.ToPartition(_topic, partition).Add(now, false, [], true, _value.WrittenSpan, []);
    }
}

/// <summary>No topic in between: the next stage is in the same instance, and gets what comes at once.</summary>
internal sealed class DirectRepartition<T>(string topic, TopologyInstance instance) : Sink<T>
{
    private Sink<T>? _target;

    // Not there yet while the instance is made.
    private Sink<T> Target => _target ??= ((RepartitionSource<T>)instance.Sources[topic]).Output;

    public override void Push(T value, long timestamp) => Target.Push(value, timestamp);

    public override void Advance(long watermark) => Target.Advance(watermark);

    public override void SetIdle(bool isIdle) => Target.SetIdle(isIdle);
}

/// <summary>A topic between two stages: each partition of the stage before is a channel, which tells its watermark.</summary>
internal sealed class RepartitionSource<T>(Repartition<T> repartition, TopologyInstance instance, Sink<T> output) : SourceOperator
{
    private readonly Channels<T> _channels = new(repartition.Source.Store, instance.Host.ChannelsOf(repartition.Source), output);

    public Sink<T> Output => output;

    public override long Watermark => _channels.Combiner.Current;

    public override long NextDue => long.MaxValue;

    public override void Feed(FetchedRecords records, DeadLetterGuard guard)
    {
        foreach (var record in records)
        {
            if (guard.IsCondemned(record)) continue;
            var bytes = record.Value.Span;
            if (RepartitionFormat.TryReadTime(bytes, out var channel, out var watermark, out var isIdle))
            {
                instance.Origin = -1;
                TakeTime(channel, watermark, isIdle);
                continue;
            }

            Counts.In++;
            instance.HasActed = false;
            instance.Origin = record.Offset;
            try
            {
                Take(bytes);
            }
            catch (Exception failure) when (guard.Takes(failure, record, instance.HasActed))
            {
            }
        }
    }

    public override void Advance(int channel, long watermark) => _channels.Advance(channel, watermark);

    public override void SetIdle(int channel) => _channels.SetIdle(channel);

    public override void AdvanceClock(long now)
    {
    }

    public override ChannelStatus[] ShowChannels() => _channels.Show("partition before");

    public override void Save(StateScope scope) => _channels.Save(scope);

    public override void Restore(StateScope scope) => _channels.Restore(scope);

    private void Take(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < RepartitionFormat.HeadBytes || bytes[0] != RepartitionFormat.Value)
        {
            throw new MillraceException(
                FailureCodes.DataMismatch, $"A record of '{repartition.Source.Name}' is none that this topology writes.");
        }

        bytes = bytes[1..];
        var timestamp = StateBytes.ReadOrdered(ref bytes);
        var version = StateBytes.ReadInt32(ref bytes);
        Counts.Out++;
        output.Push(repartition.Codec.Read(version, bytes, repartition.Source.Name), timestamp);
    }

    private void TakeTime(int channel, long watermark, bool isIdle)
    {
        if (isIdle)
        {
            _channels.Advance(channel, watermark);
            _channels.SetIdle(channel);
            return;
        }

        _channels.SetActive(channel);
        _channels.Advance(channel, watermark);
    }
}
