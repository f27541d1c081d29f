using System.Collections.Concurrent;
using Millrace;
using Millrace.Streams;
using Millrace.Streams.Definition;
using Millrace.Streams.Operators;
using Millrace.Streams.States;
using Millrace.Streams.Tables;

namespace Nexmark;

/// <summary>What goes from one worker to another: records in their order, and how far event time is behind them.</summary>
internal abstract class Parcel
{
    public abstract void Deliver();
}

/// <summary>What workers have on its way to each other.</summary>
internal sealed class Post
{
    private readonly ConcurrentQueue<Parcel>[] _boxes;
    private int _onTheWay;

    public Post(int workers) => _boxes = [.. Enumerable.Range(0, workers).Select(_ => new ConcurrentQueue<Parcel>())];

    /// <summary>How many parcels are sent and not delivered yet.</summary>
    public int OnTheWay => Volatile.Read(ref _onTheWay);

    public int WaitingFor(int worker) => _boxes[worker].Count;

    public void Send(int worker, Parcel parcel)
    {
        Interlocked.Increment(ref _onTheWay);
        _boxes[worker].Enqueue(parcel);
    }

    /// <summary>Delivers what waits for a worker, on its thread; false when there was nothing.</summary>
    public bool Deliver(int worker)
    {
        if (!_boxes[worker].TryDequeue(out var parcel)) return false;
        parcel.Deliver();
        Interlocked.Decrement(ref _onTheWay);
        return true;
    }
}

/// <summary>One worker's way to the partition of a key: its own at once, the others' by post.</summary>
internal sealed class ExchangeOutput<T> : Sink<T>
{
    private const int BatchMax = 1_024;

    private readonly Repartition<T> _repartition;
    private readonly WorkerHost _from;
    private readonly System.Buffers.ArrayBufferWriter<byte> _key = new();
    private readonly (T Value, long Timestamp)[][] _batches;
    private readonly int[] _counts;
    private RepartitionSource<T>?[]? _targets;

    public ExchangeOutput(Repartition<T> repartition, WorkerHost from)
    {
        _repartition = repartition;
        _from = from;
        _batches = [.. Enumerable.Range(0, from.Count).Select(_ => new (T, long)[BatchMax])];
        _counts = new int[from.Count];
        from.Flushes.Add(Flush);
    }

    public override void Push(T value, long timestamp)
    {
        _key.ResetWrittenCount();
        var worker = _repartition.Key(value, _key) ? Millrace.Partitioner.PartitionOf(_key.WrittenSpan, _batches.Length) : _from.Index;
        if (worker == _from.Index)
        {
            Target(worker).Output.Push(value, timestamp);
            return;
        }

        _batches[worker][_counts[worker]++] = (value, timestamp);
        if (_counts[worker] == BatchMax) Send(worker);
    }

    public override void Advance(long watermark)
    {
        for (var worker = 0; worker < _batches.Length; worker++)
        {
            if (worker == _from.Index) continue;
            Send(worker);
            _from.Post.Send(worker, new Time(Target(worker), _from.Index, watermark));
        }

        Target(_from.Index).Advance(_from.Index, watermark);
    }

    private void Flush()
    {
        for (var worker = 0; worker < _batches.Length; worker++) Send(worker);
    }

    private void Send(int worker)
    {
        if (_counts[worker] == 0) return;
        _from.Post.Send(worker, new Batch(Target(worker), _batches[worker], _counts[worker]));
        _batches[worker] = new (T, long)[BatchMax];
        _counts[worker] = 0;
    }

    private RepartitionSource<T> Target(int worker)
    {
        _targets ??= new RepartitionSource<T>[_batches.Length];
        return _targets[worker] ??= (RepartitionSource<T>)_from.Workers[worker].Instance.Sources[_repartition.Source.Name];
    }

    private sealed class Batch(RepartitionSource<T> target, (T Value, long Timestamp)[] records, int count) : Parcel
    {
        public override void Deliver()
        {
            var output = target.Output;
            for (var i = 0; i < count; i++) output.Push(records[i].Value, records[i].Timestamp);
        }
    }

    private sealed class Time(RepartitionSource<T> target, int channel, long watermark) : Parcel
    {
        public override void Deliver() => target.Advance(channel, watermark);
    }
}

/// <summary>One worker's instance of the topology.</summary>
internal sealed class WorkerHost(int index, int count, IReadOnlyList<Worker> workers, Post post) : InstanceHost
{
    public int Index => index;

    public int Count => count;

    public override TableCopy TableOf(TableDefinition table) => throw new NotSupportedException("No query has a global table.");

    public IReadOnlyList<Worker> Workers => workers;

    public Post Post => post;

    /// <summary>Sends what has gathered, whatever its size.</summary>
    public List<Action> Flushes { get; } = [];

    /// <summary>The clock as of the last batch: nothing here waits for it.</summary>
    public override long Now => 0;

    public override int ChannelsOf(SourceDefinition source) => source.From is null ? 1 : count;

    public override Sink<T> OutputOf<T>(TopologyNode node, string output, OutputWriting<T> writing, TopologyInstance instance) =>
        throw new NotSupportedException("The queries end in sinks.");

    public override Sink<T> RepartitionOf<T>(Repartition<T> repartition, TopologyInstance instance) =>
        new ExchangeOutput<T>(repartition, this);
}

/// <summary>What operators keep, appended to a file: what changed since the checkpoint before.</summary>
internal sealed class FileState(string path) : StateScope, IDisposable
{
    private readonly FileStream _file = new(path, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 20);
    private readonly byte[] _head = new byte[12];

    public override void Put(string store, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value) => Write(store, key, value, value.Length);

    public override void Delete(string store, ReadOnlySpan<byte> key) => Write(store, key, [], -1);

    public override bool TryGet(string store, ReadOnlySpan<byte> key, out ReadOnlyMemory<byte> value)
    {
        value = default;
        return false;
    }

    public override IReadOnlyList<KeyValuePair<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>> Scan(string store, StateRange range) => [];

    /// <summary>Returns when all of it is on the disk.</summary>
    public void Sync() => _file.Flush(flushToDisk: true);

    public void Dispose() => _file.Dispose();

    private void Write(string store, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, int length)
    {
        System.Buffers.Binary.BinaryPrimitives.WriteInt32BigEndian(_head, store.Length);
        System.Buffers.Binary.BinaryPrimitives.WriteInt32BigEndian(_head.AsSpan(4), key.Length);
        System.Buffers.Binary.BinaryPrimitives.WriteInt32BigEndian(_head.AsSpan(8), length);
        _file.Write(_head);
        foreach (var character in store) _file.WriteByte((byte)character);
        _file.Write(key);
        _file.Write(value);
    }
}
