using System.Text;

namespace Millrace;

/// <summary>
/// What a processor sees of the runtime. Hot path: <see cref="To"/> and <see cref="TryGet"/> are called per record. Used by one loop only.
/// </summary>
internal sealed class PartitionScope(
    Processor processor, OwnedPartition owned, RuntimeContext context, StateOverlay state, TimerQueue timers, Intake intake)
    : ProcessorScope
{
    private const int TimerNameBytesMax = byte.MaxValue;
    private const int StackBytesMax = 512;

    private readonly Dictionary<string, Target> _targets = new(StringComparer.Ordinal);
    private Target? _lastTarget;
    private CommitUnit? _unit;

    public override string Processor => processor.Name;

    public override int Partition => owned.Partition;

    public override long Epoch => owned.Epoch;

    public override TimeProvider Time => context.Options.Time;

    /// <summary>The unit that takes what the processor does; none once the run has ended.</summary>
    private CommitUnit Unit => _unit ?? throw new InvalidOperationException(
        $"The scope of '{processor.Name}' on partition {owned.Partition} has ended: its partition moved, restarted or stopped. " +
        "Use a scope within the calls only.");

    /// <summary>Everything from here on goes into this unit; null ends the scope.</summary>
    public void Enter(CommitUnit? unit)
    {
        _unit = unit;
        foreach (var target in _targets.Values) target.Clear();
    }

    public override bool TryGet(string store, ReadOnlySpan<byte> key, out ReadOnlyMemory<byte> value)
    {
        DemandUserStore(store);
        return state.TryGet(store, key, out value);
    }

    public override IReadOnlyList<KeyValuePair<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>> Scan(string store, StateRange range)
    {
        ArgumentNullException.ThrowIfNull(range);
        DemandUserStore(store);
        return state.Scan(store, range);
    }

    public override void Put(string store, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        DemandUserStore(store);
        state.Change(Unit, store, key, value.ToArray());
    }

    public override void Delete(string store, ReadOnlySpan<byte> key)
    {
        DemandUserStore(store);
        state.Change(Unit, store, key, null);
    }

    public override void SetTimer(string name, ReadOnlySpan<byte> key, DateTimeOffset due)
    {
        DemandState();
        var idBytes = IdBytes(name, key);
        var id = idBytes <= StackBytesMax ? stackalloc byte[idBytes] : new byte[idBytes];
        WriteId(id, name, key);
        if (timers.Count >= context.Options.TimersMax && !timers.Contains(id))
        {
            throw new MillraceException(FailureCodes.TooLarge,
                $"Partition {owned.Partition} of '{processor.Name}' has {timers.Count} timers, which is the limit " +
                $"({nameof(ProcessorRuntimeOptions)}.{nameof(ProcessorRuntimeOptions.TimersMax)}).");
        }

        var timer = timers.Set(id, due.UtcTicks);
        state.Change(Unit, TimerQueue.Store, timer.Id, TimerQueue.WriteDue(timer.Due));
    }

    public override void CancelTimer(string name, ReadOnlySpan<byte> key)
    {
        DemandState();
        var idBytes = IdBytes(name, key);
        var id = idBytes <= StackBytesMax ? stackalloc byte[idBytes] : new byte[idBytes];
        WriteId(id, name, key);
        if (timers.Remove(id)) state.Change(Unit, TimerQueue.Store, id, null);
    }

    public override RecordBatchBuilder To(string topic, ReadOnlySpan<byte> key)
    {
        var target = TargetOf(topic);
        var partition = Partitioner.PartitionOf(key, target.Batches.Length);
        return target.Batches[partition] ?? target.Open(Unit.Commit, partition);
    }

    public override RecordBatchBuilder ToPartition(string topic, int partition)
    {
        var target = TargetOf(topic);
        if ((uint)partition >= (uint)target.Batches.Length)
        {
            throw new ArgumentOutOfRangeException(nameof(partition), partition,
                $"Topic '{topic}' has the partitions 0 to {target.Batches.Length - 1}.");
        }

        return target.Batches[partition] ?? target.Open(Unit.Commit, partition);
    }

    public override int PartitionsOf(string topic) => TargetOf(topic).Batches.Length;

    public override void Hold(string topic, Task until)
    {
        ArgumentNullException.ThrowIfNull(until);
        _ = Unit;
        if (!processor.Topics.Contains(topic))
            throw new ArgumentException($"Processor '{processor.Name}' does not read topic '{topic}'.", nameof(topic));
        intake.Hold(topic, until);
    }

    private Target TargetOf(string topic) => _lastTarget is { } last && last.Topic == topic ? last : Find(topic);

    private Target Find(string topic)
    {
        ArgumentException.ThrowIfNullOrEmpty(topic);
        if (_targets.TryGetValue(topic, out var found)) return _lastTarget = found;
        var target = new Target(topic, context.Topics.PartitionsOf(topic));
        _targets.Add(topic, target);
        return _lastTarget = target;
    }

    private void DemandUserStore(string store)
    {
        ArgumentException.ThrowIfNullOrEmpty(store);
        if (store[0] == '$')
            throw new ArgumentException($"Store name '{store}' begins with '$', which is reserved for the runtime.", nameof(store));
        DemandState();
    }

    private void DemandState()
    {
        if (!processor.HasState)
        {
            throw new InvalidOperationException(
                $"Processor '{processor.Name}' has {nameof(Millrace.Processor.HasState)} = false; it cannot keep state or timers.");
        }

        _ = Unit;
    }

    private static int IdBytes(string name, ReadOnlySpan<byte> key)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        var nameBytes = Encoding.UTF8.GetByteCount(name);
        if (nameBytes > TimerNameBytesMax)
            throw new ArgumentException($"A timer's name has {nameBytes} bytes of UTF-8; {TimerNameBytesMax} are possible.", nameof(name));
        return checked(1 + nameBytes + key.Length);
    }

    private static void WriteId(Span<byte> id, string name, ReadOnlySpan<byte> key)
    {
        var nameBytes = Encoding.UTF8.GetBytes(name, id[1..]);
        id[0] = (byte)nameBytes;
        key.CopyTo(id[(1 + nameBytes)..]);
    }

    /// <summary>A topic said to: its batches of the present unit by partition, so that a record finds its batch without a search.</summary>
    private sealed class Target(string topic, int partitions)
    {
        private readonly List<int> _opened = [];

        public string Topic { get; } = topic;

        public RecordBatchBuilder?[] Batches { get; } = new RecordBatchBuilder?[partitions];

        public RecordBatchBuilder Open(Commit commit, int partition)
        {
            _opened.Add(partition);
            return Batches[partition] = commit.To(new TopicPartition(Topic, partition));
        }

        public void Clear()
        {
            foreach (var partition in _opened) Batches[partition] = null;
            _opened.Clear();
        }
    }
}
