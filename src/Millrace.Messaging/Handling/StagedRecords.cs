namespace Millrace.Messaging;

/// <summary>
/// Takes records in place of a partition's scope, to be copied there later or not at all: the events of a call that others are ahead of,
/// and of one that says several, of which the last may fail to be written.
/// </summary>
internal sealed class StagedRecords(ProcessorScope scope) : ProcessorScope, IDisposable
{
    private readonly RecordBatchBuilder _records = new(256);
    private readonly List<(string Topic, int? Partition)> _targets = [];

    public override string Processor => scope.Processor;

    public override int Partition => scope.Partition;

    public override long Epoch => scope.Epoch;

    public override TimeProvider Time => scope.Time;

    public override RecordBatchBuilder To(string topic, ReadOnlySpan<byte> key)
    {
        _targets.Add((topic, null));
        return _records;
    }

    public override RecordBatchBuilder ToPartition(string topic, int partition)
    {
        _targets.Add((topic, partition));
        return _records;
    }

    public override int PartitionsOf(string topic) => scope.PartitionsOf(topic);

    public override void Hold(string topic, Task until) => scope.Hold(topic, until);

    /// <summary>Hands the records over, in their order.</summary>
    public void MoveToScope()
    {
        if (_records.Count != _targets.Count)
            throw new InvalidOperationException($"{_targets.Count} records were announced and {_records.Count} added.");
        if (_records.Count == 0) return;
        var records = new RecordEnumerator(_records.Complete(), 0);
        for (var i = 0; records.MoveNext(); i++)
        {
            var record = records.Current;
            var (topic, partition) = _targets[i];
            var batch = partition is { } given ? scope.ToPartition(topic, given) : scope.To(topic, record.Key.Span);
            batch.Add(record.Timestamp, record.HasKey, record.Key.Span, record.HasValue, record.Value.Span, record.Headers);
        }

        Clear();
    }

    public void Clear()
    {
        _records.Clear();
        _targets.Clear();
    }

    public void Dispose() => _records.Dispose();

    public override bool TryGet(string store, ReadOnlySpan<byte> key, out ReadOnlyMemory<byte> value) => throw OnlyRecords();

    public override IReadOnlyList<KeyValuePair<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>> Scan(string store, StateRange range) =>
        throw OnlyRecords();

    public override void Put(string store, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value) => throw OnlyRecords();

    public override void Delete(string store, ReadOnlySpan<byte> key) => throw OnlyRecords();

    public override void SetTimer(string name, ReadOnlySpan<byte> key, DateTimeOffset due) => throw OnlyRecords();

    public override void CancelTimer(string name, ReadOnlySpan<byte> key) => throw OnlyRecords();

    private static InvalidOperationException OnlyRecords() => new("Only records are staged.");
}
