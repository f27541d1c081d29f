using System.Buffers;
using Millrace.Streams.States;

namespace Millrace.Streams.Operators;

/// <summary>
/// Several channels into one stream: the combined watermark and idleness go to the output when they change. Its state is an entry per
/// channel.
/// </summary>
internal sealed class Channels<T>(string store, int count, Sink<T> output)
{
    private const byte Kind = 1;

    private readonly StoreHead _head = new(store, Kind, keyVersion: 1);
    private readonly ArrayBufferWriter<byte> _key = new();
    private readonly ArrayBufferWriter<byte> _value = new();
    private readonly (long Watermark, bool IsActive)?[] _saved = new (long, bool)?[count];
    private bool _isIdle;

    public WatermarkCombiner Combiner { get; } = new(count);

    public void Advance(int channel, long watermark) => Move(Combiner.Advance(channel, watermark));

    public void SetIdle(int channel)
    {
        Move(Combiner.SetIdle(channel));
        ShowIdle();
    }

    public void SetActive(int channel)
    {
        if (Combiner.IsActive(channel)) return;
        Combiner.SetActive(channel);
        ShowIdle();
    }

    public ChannelStatus[] Show(string what)
    {
        var shown = new ChannelStatus[count];
        for (var channel = 0; channel < count; channel++)
            shown[channel] = new ChannelStatus($"{what} {channel}", Combiner.WatermarkOf(channel), !Combiner.IsActive(channel));
        return shown;
    }

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

        ShowIdle();
    }

    private void Move(bool hasMoved)
    {
        if (hasMoved) output.Advance(Combiner.Current);
    }

    private void ShowIdle()
    {
        if (_isIdle == Combiner.IsIdle) return;
        _isIdle = Combiner.IsIdle;
        output.SetIdle(_isIdle);
    }
}

/// <summary>Several streams that become one: records as they come, the lesser of the watermarks.</summary>
internal sealed class JointOperator<T>(string store, int feeds, Sink<T> output) : IStatefulOperator
{
    private readonly Channels<T> _channels = new(store, feeds, output);

    public OperatorCounts Counts { get; } = new();

    public int Entries => 0;

    public long Watermark => _channels.Combiner.Current;

    private Sink<T> Output => output;

    public ChannelStatus[] ShowChannels() => _channels.Show("input");

    public Sink<T> Input(int feed) => new Feed(this, feed);

    public void Save(StateScope scope) => _channels.Save(scope);

    public void Restore(StateScope scope) => _channels.Restore(scope);

    private sealed class Feed(JointOperator<T> joint, int channel) : Sink<T>
    {
        private readonly Sink<T> _output = joint.Output;

        public override void Push(T value, long timestamp)
        {
            joint.Counts.In++;
            joint.Counts.Out++;
            _output.Push(value, timestamp);
        }

        public override void Advance(long watermark) => joint._channels.Advance(channel, watermark);

        public override void SetIdle(bool isIdle)
        {
            if (isIdle) joint._channels.SetIdle(channel);
            else joint._channels.SetActive(channel);
        }
    }
}
