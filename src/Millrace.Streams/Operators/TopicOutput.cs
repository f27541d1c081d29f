using System.Buffers;
using System.Globalization;
using System.Text;
using Millrace.Streams.Definition;
using Millrace.Streams.States;

namespace Millrace.Streams.Operators;

/// <summary>An output that is a topic. Its records are numbered; the number is in the commit of the records.</summary>
internal sealed class TopicOutput<T>(
    TopologyNode node, string topic, OutputWriting<T> writing, ProcessorScope scope, TopologyInstance instance) : Sink<T>, IStatefulOperator
{
    private const byte StoreKind = 4;

    private readonly string _store = $"{node.Prefix}-output";
    private readonly StoreHead _head = new($"{node.Prefix}-output", StoreKind, keyVersion: 1);
    private readonly string _name = string.Create(CultureInfo.InvariantCulture, $"{scope.Processor}-{node.Prefix}-{scope.Partition}");
    private readonly RecordCodec<T> _codec = writing.Options.Codec ?? RecordCodecs.Default<T>();
    private readonly KeyWriter<T>? _writeKey = KeyOf(writing);
    private readonly ArrayBufferWriter<byte> _key = new();
    private long _number;

    public OperatorCounts Counts { get; } = new();

    public int Entries => 0;

    public long Written => _number;

    public long Watermark { get; private set; } = long.MinValue;

    public override void Push(T value, long timestamp)
    {
        Counts.In++;
        instance.HasActed = true;
        _key.ResetWrittenCount();
        var hasKey = _writeKey is not null && _writeKey(value, _key);
        var batch = hasKey ? scope.To(topic, _key.WrittenSpan) : scope.ToPartition(topic, scope.Partition % scope.PartitionsOf(topic));
        _codec.Write(value, new OutgoingRecord(timestamp, hasKey, _key.WrittenSpan, _name, _number), batch);
        _number++;
        Counts.Out++;
    }

    public override void Advance(long watermark) => Watermark = watermark;

    /// <summary>The number stands in the place of a watermark.</summary>
    public void Save(StateScope state) => _head.Save(state, _number);

    public void Restore(StateScope state)
    {
        foreach (var (key, value) in state.Scan(_store))
        {
            if (key.IsEmpty) _number = _head.Read(value.Span);
        }
    }

    private static KeyWriter<T>? KeyOf(OutputWriting<T> writing)
    {
        if (writing.Options.Key is not { } select) return writing.Key;
        return (value, output) =>
        {
            if (select(value) is not { } key) return false;
            Encoding.UTF8.GetBytes(key, output);
            return true;
        };
    }
}
