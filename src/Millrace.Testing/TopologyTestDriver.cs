using System.Text.Json;
using Millrace.Streams;
using Millrace.Streams.Definition;
using Millrace.Streams.Operators;
using Millrace.Streams.Running;
using Millrace.Streams.States;
using Millrace.Streams.Tables;

namespace Millrace.Testing;

/// <summary>A record with its event time.</summary>
/// <typeparam name="T">The record's type.</typeparam>
/// <param name="Value">The record.</param>
/// <param name="Timestamp">Milliseconds since 1970-01-01T00:00:00Z.</param>
public readonly record struct Timed<T>(T Value, long Timestamp);

/// <summary>
/// Runs a topology without an engine: each call does its whole work before it returns, and time moves only when it is told to. All
/// partitions of the sources go through one instance of the topology. A <see cref="StreamTopology.StateBytesMax"/> holds after each call.
/// Not thread safe.
/// </summary>
public sealed class TopologyTestDriver
{
    private readonly StreamTopology _topology;
    private readonly MemoryState _state;
    private readonly TopologyInstance _instance;
    private readonly DriverHost _host;
    private Task _pending = Task.CompletedTask;

    /// <summary>Starts a topology.</summary>
    /// <param name="topology">The topology.</param>
    /// <param name="partitions">How many partitions each source has; 1 by default, and at least that.</param>
    /// <param name="snapshot">What <see cref="Snapshot"/> of another driver gave, to go on from there; null to start without state.</param>
    /// <param name="time">What time-outs and pauses of lookups go by; the system's clock when null. Processing time is the driver's
    /// own.</param>
    /// <exception cref="ArgumentOutOfRangeException">There are fewer partitions than 1.</exception>
    /// <exception cref="MillraceException">
    /// The snapshot is of another topology (<see cref="FailureCodes.DataMismatch"/>), or of a version of a type that no upcaster reads
    /// (<see cref="FailureCodes.UnknownVersion"/>).
    /// </exception>
    public TopologyTestDriver(StreamTopology topology, int partitions = 1, byte[]? snapshot = null, TimeProvider? time = null)
        : this(topology, partitions, snapshot, time, 0)
    {
    }

    internal TopologyTestDriver(StreamTopology topology, int partitions, byte[]? snapshot, TimeProvider? time, long now)
    {
        ArgumentNullException.ThrowIfNull(topology);
        ArgumentOutOfRangeException.ThrowIfLessThan(partitions, 1);
        _topology = topology;
        _state = snapshot is null ? new MemoryState() : MemoryState.Read(snapshot, topology.Name);
        _host = new DriverHost(partitions, time ?? TimeProvider.System, topology.StateBytesMax);
        _host.Move(now);
        _instance = new TopologyInstance(topology, _host);
        _instance.Restore(_state);
    }

    /// <summary>The operators that read, keep state or join streams, in the order in which they were defined.</summary>
    public IReadOnlyList<OperatorStatus> Operators => StatusView.Of(_instance);

    /// <summary>Entries of state of all operators now.</summary>
    public int StateEntries => _instance.Operators.Sum(one => one.Operator.Entries);

    /// <summary>Entries that the last snapshot had in all stores, those included that hold watermarks.</summary>
    public int SavedEntries => _state.EntryCount;

    /// <summary>Gives a record to a source; its partition's watermark moves afterwards, if the source makes watermarks.</summary>
    /// <typeparam name="T">The source's type of records.</typeparam>
    /// <param name="source">The source's name.</param>
    /// <param name="value">The record.</param>
    /// <param name="timestamp">The time that it comes with, in milliseconds since 1970-01-01T00:00:00Z.</param>
    /// <param name="partition">The partition; 0 by default.</param>
    /// <exception cref="ArgumentException">There is no such source or partition, or its records are of another type.</exception>
    public void Pipe<T>(string source, T value, long timestamp, int partition = 0)
    {
        var one = Source(source, partition) as SourceOperator<T>
            ?? throw new ArgumentException($"Source '{source}' has records of another type than {typeof(T).Name}.", nameof(source));
        DemandSettled();
        one.Push(partition, value, timestamp);
        one.EndBatch(partition);
        Settle();
    }

    /// <summary>Gives a watermark to a source's partition. One that goes back is ignored.</summary>
    /// <param name="source">The source's name.</param>
    /// <param name="watermark">Milliseconds since 1970-01-01T00:00:00Z; <see cref="long.MaxValue"/> ends the partition.</param>
    /// <param name="partition">The partition; 0 by default.</param>
    /// <exception cref="ArgumentException">There is no such source or partition.</exception>
    public void Watermark(string source, long watermark, int partition = 0)
    {
        DemandSettled();
        Source(source, partition).Advance(partition, watermark);
        Settle();
    }

    /// <summary>A source's partition is idle from now to its next record or watermark.</summary>
    /// <param name="source">The source's name.</param>
    /// <param name="partition">The partition; 0 by default.</param>
    /// <exception cref="ArgumentException">There is no such source or partition.</exception>
    public void SetIdle(string source, int partition = 0)
    {
        DemandSettled();
        Source(source, partition).SetIdle(partition);
        Settle();
    }

    /// <summary>Gives a global table a value for a key. What stands in tables is in no snapshot, as it is in no commit.</summary>
    /// <typeparam name="TKey">The table's keys.</typeparam>
    /// <typeparam name="T">The table's values.</typeparam>
    /// <param name="table">The table's topic.</param>
    /// <param name="key">The key.</param>
    /// <param name="value">The value.</param>
    /// <exception cref="ArgumentException">No operator looks into such a table, or its types are others.</exception>
    /// <exception cref="MillraceException"><see cref="FailureCodes.TooLarge"/>: it has as many entries as it may have.</exception>
    public void SetInTable<TKey, T>(string table, TKey key, T value)
        where TKey : notnull
    {
        var copy = _host.Table(table) as TableCopy<TKey, T> ?? throw new ArgumentException(
            $"Global table '{table}' has other types than {typeof(TKey).Name} and {typeof(T).Name}.", nameof(table));
        copy.Put(key, value);
    }

    /// <summary>Removes a key from a global table.</summary>
    /// <param name="table">The table's topic.</param>
    /// <param name="key">The key.</param>
    /// <exception cref="ArgumentException">No operator looks into such a table, or its keys are of another type.</exception>
    public void RemoveFromTable(string table, object key)
    {
        ArgumentNullException.ThrowIfNull(key);
        _host.Table(table).Remove(key);
    }

    /// <summary>Processing time moves on; partitions that have been silent for long enough become idle.</summary>
    /// <param name="time">By how much; zero or more.</param>
    /// <exception cref="ArgumentOutOfRangeException">It is negative.</exception>
    public void AdvanceProcessingTime(TimeSpan time)
    {
        if (time < TimeSpan.Zero) throw new ArgumentOutOfRangeException(nameof(time), time, "Processing time does not go back.");
        DemandSettled();
        _host.Move(EventTime.Milliseconds(time));
        _instance.AdvanceClock(_host.Now);
        Settle();
    }

    /// <summary>
    /// Awaits lookups whose answers did not come with the calls that asked for them; nothing else may be called meanwhile. A lookup that
    /// failed throws, here or from the call. Time-outs and pauses between attempts go by the time provider that the driver was given.
    /// </summary>
    /// <param name="cancellation">Ends the waiting, not the lookups.</param>
    /// <exception cref="MillraceException"><see cref="FailureCodes.LookupFailed"/>.</exception>
    public Task CompleteAsync(CancellationToken cancellation = default) => _pending.WaitAsync(cancellation);

    /// <summary>Takes what an output has said since the last time.</summary>
    /// <typeparam name="T">The output's type of records.</typeparam>
    /// <param name="output">The output's name.</param>
    /// <exception cref="ArgumentException">There is no such output, or its records are of another type.</exception>
    public IReadOnlyList<Timed<T>> Read<T>(string output) => _host.Take<T>(output, isSide: false);

    /// <summary>Takes what a side output has said since the last time.</summary>
    /// <typeparam name="T">The side output's type of records.</typeparam>
    /// <param name="tag">Its tag.</param>
    /// <exception cref="ArgumentException">No operator writes to it, or its records are of another type.</exception>
    public IReadOnlyList<Timed<T>> Read<T>(OutputTag<T> tag)
    {
        ArgumentNullException.ThrowIfNull(tag);
        return _host.Take<T>(tag.Name, isSide: true);
    }

    /// <summary>
    /// The state as bytes, by the state codecs: another driver of the same topology goes on from it. Only what changed since the last
    /// snapshot is encoded again. What was not read of the outputs is not in it.
    /// </summary>
    public byte[] Snapshot()
    {
        DemandSettled();
        _instance.Save(_state);
        return _state.Write(_topology.Name);
    }

    /// <summary>The processing time in milliseconds.</summary>
    internal long Now => _host.Now;

    /// <summary>Takes what all outputs have said since the last time, as text, behind what they said before.</summary>
    internal void TakeTexts(SortedDictionary<string, List<string>> texts) => _host.TakeTexts(texts);

    /// <summary>The state of the last snapshot as text, with the order of its ordinals instead of themselves.</summary>
    internal IReadOnlyList<string> StateTexts() => _state.Texts();

    /// <summary>With a limit of state a call is a commit, so that what is above the limit leaves memory.</summary>
    private void Settle()
    {
        if (_topology.StateBytesMax is not null && !_instance.HasDeferred) _instance.Save(_state);
        if (!_instance.HasDeferred) return;
        _pending = _instance.CompleteAsync(null, CancellationToken.None).AsTask();
        if (_pending.IsFaulted) _pending.GetAwaiter().GetResult();
    }

    private void DemandSettled()
    {
        if (!_pending.IsCompleted) throw new InvalidOperationException("Lookups are under way: await CompleteAsync first.");
    }

    private SourceOperator Source(string source, int partition)
    {
        if (!_instance.Sources.TryGetValue(source, out var one))
            throw new ArgumentException($"Topology '{_topology.Name}' has no source '{source}'.", nameof(source));
        if (partition < 0 || partition >= _host.Partitions)
            throw new ArgumentException(
                $"Source '{source}' has partitions 0 to {_host.Partitions - 1}, not {partition}.", nameof(partition));
        return one;
    }

    /// <summary>All partitions of each source in one instance; a topic in between is passed straight on.</summary>
    private sealed class DriverHost(int partitions, TimeProvider time, long? stateBytesMax) : InstanceHost
    {
        private readonly Dictionary<(bool IsSide, string Name), object> _collected = [];
        private readonly Dictionary<string, TableCopy> _tables = new(StringComparer.Ordinal);
        private long _now;

        public int Partitions => partitions;

        public override long Now => _now;

        public override TimeProvider Time => time;

        public override Func<long>? StateBytesMax => stateBytesMax is { } max ? () => max : null;

        public void Move(long milliseconds) => _now += milliseconds;

        public override int ChannelsOf(SourceDefinition source) => partitions;

        public override Sink<T> OutputOf<T>(TopologyNode node, string output, OutputWriting<T> writing, TopologyInstance instance) =>
            Add<T>((false, output));

        public override Sink<T> RepartitionOf<T>(Repartition<T> repartition, TopologyInstance instance) =>
            new DirectRepartition<T>(repartition.Source.Name, instance);

        public override TableCopy TableOf(TableDefinition table)
        {
            if (!_tables.TryGetValue(table.Name, out var copy)) _tables.Add(table.Name, copy = table.Open(() => { }));
            return copy;
        }

        public TableCopy Table(string name) => _tables.TryGetValue(name, out var copy)
            ? copy
            : throw new ArgumentException($"The topology looks into no global table '{name}'.", nameof(name));

        public override Sink<T>? TapOf<T>(string tag) => Add<T>((true, tag));

        public Timed<T>[] Take<T>(string name, bool isSide)
        {
            if (!_collected.TryGetValue((isSide, name), out var known))
                throw new ArgumentException($"The topology has no {(isSide ? "side output" : "output")} '{name}'.", nameof(name));
            if (known is not Collected<T> collected)
                throw new ArgumentException($"'{name}' has records of another type than {typeof(T).Name}.", nameof(name));
            Timed<T>[] taken = [.. collected.Records];
            collected.Records.Clear();
            return taken;
        }

        public void TakeTexts(SortedDictionary<string, List<string>> texts)
        {
            foreach (var ((isSide, name), known) in _collected)
            {
                var key = isSide ? $"{name} (side)" : name;
                if (!texts.TryGetValue(key, out var lines)) texts.Add(key, lines = []);
                ((ITexts)known).TakeTo(lines);
            }
        }

        private Collected<T> Add<T>((bool, string) name)
        {
            var collected = new Collected<T>();
            _collected.Add(name, collected);
            return collected;
        }
    }

    private interface ITexts
    {
        void TakeTo(List<string> lines);
    }

    private sealed class Collected<T> : Sink<T>, ITexts
    {
        private static readonly JsonSerializerOptions Options = new() { IncludeFields = true };

        public List<Timed<T>> Records { get; } = [];

        public override void Push(T value, long timestamp) => Records.Add(new Timed<T>(value, timestamp));

        public void TakeTo(List<string> lines)
        {
            lines.AddRange(Records.Select(record => $"{JsonSerializer.Serialize(record.Value, Options)} at {record.Timestamp}"));
            Records.Clear();
        }

        public override void Advance(long watermark)
        {
        }
    }
}
