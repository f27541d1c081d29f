namespace Millrace.Tests.Events;

/// <summary>A scope that only says: what a processor would commit, kept in memory, with one partition per topic.</summary>
internal sealed class CollectingScope : ProcessorScope, IDisposable
{
    private readonly Dictionary<string, RecordBatchBuilder> _said = [];

    public override string Processor => "tests";

    public override int Partition => 0;

    public override long Epoch => 1;

    public override TimeProvider Time => TimeProvider.System;

    public override RecordBatchBuilder To(string topic, ReadOnlySpan<byte> key)
    {
        if (!_said.TryGetValue(topic, out var batch)) _said.Add(topic, batch = new RecordBatchBuilder());
        return batch;
    }

    public override RecordBatchBuilder ToPartition(string topic, int partition) => To(topic, []);

    public override int PartitionsOf(string topic) => 1;

    public override void Hold(string topic, Task until) => throw new NotSupportedException();

    public List<Record> Said(string topic) => _said.TryGetValue(topic, out var batch) ? Records.Of(batch) : [];

    public void Clear()
    {
        foreach (var batch in _said.Values) batch.Clear();
    }

    public void Dispose()
    {
        foreach (var batch in _said.Values) batch.Dispose();
    }

    public override bool TryGet(string store, ReadOnlySpan<byte> key, out ReadOnlyMemory<byte> value) => throw new NotSupportedException();

    public override IReadOnlyList<KeyValuePair<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>> Scan(string store, StateRange range) =>
        throw new NotSupportedException();

    public override void Put(string store, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value) => throw new NotSupportedException();

    public override void Delete(string store, ReadOnlySpan<byte> key) => throw new NotSupportedException();

    public override void SetTimer(string name, ReadOnlySpan<byte> key, DateTimeOffset due) => throw new NotSupportedException();

    public override void CancelTimer(string name, ReadOnlySpan<byte> key) => throw new NotSupportedException();
}
