using System.Text;
using Microsoft.Extensions.Time.Testing;

namespace Millrace.Relational.Contract;

/// <summary>
/// One owner of a partition, as the runtime would call it. What it says is kept here and is in no log: to drop an instance is the crash
/// between the database's commit and the engine's.
/// </summary>
public sealed class SinkInstance : ProcessorScope, IDisposable
{
    private readonly Dictionary<string, RecordBatchBuilder> _said = [];
    private readonly Dictionary<string, byte[]> _state;
    private readonly IPartitionProcessor _processor;

    /// <param name="database">The database.</param>
    /// <param name="sink">The sink.</param>
    /// <param name="epoch">The owner's epoch.</param>
    /// <param name="partition">The partition's number.</param>
    /// <param name="state">The engine's keyed state, when it outlives the instance.</param>
    public SinkInstance(SinkDatabase database, Sink sink, long epoch = 1, int partition = 0, Dictionary<string, byte[]>? state = null)
    {
        (Epoch, Partition, _state) = (epoch, partition, state ?? []);
        var processor = database.CreateProcessor(sink);
        Processor = processor.Name;
        _processor = processor.Create(this);
    }

    public override string Processor { get; }

    public override int Partition { get; }

    public override long Epoch { get; }

    public override TimeProvider Time => Clock;

    public FakeTimeProvider Clock { get; } = new(Readings.Begin);

    /// <summary>The dead letters so far: the record's text and its headers.</summary>
    public List<string> DeadLetters => [.. Said().Select(letter => letter.Text)];

    public List<Dictionary<string, string>> DeadLetterHeaders => [.. Said().Select(letter => letter.Headers)];

    public async Task ProcessAsync(long offset, params string[] texts)
    {
        using var fetched = Readings.Fetched(Partition, offset, texts);
        await _processor.ProcessAsync(fetched, TestContext.Current.CancellationToken);
    }

    public override RecordBatchBuilder ToPartition(string topic, int partition) => To(topic, []);

    public override int PartitionsOf(string topic) => 1;

    public override void Hold(string topic, Task until) => throw new NotSupportedException();

    public override RecordBatchBuilder To(string topic, ReadOnlySpan<byte> key)
    {
        if (!_said.TryGetValue(topic, out var batch)) _said.Add(topic, batch = new RecordBatchBuilder());
        return batch;
    }

    public override bool TryGet(string store, ReadOnlySpan<byte> key, out ReadOnlyMemory<byte> value)
    {
        var isThere = _state.TryGetValue(Encoding.UTF8.GetString(key), out var found);
        value = found;
        return isThere;
    }

    public override IReadOnlyList<KeyValuePair<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>> Scan(string store, StateRange range) =>
        throw new NotSupportedException();

    public override void Put(string store, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value) =>
        _state[Encoding.UTF8.GetString(key)] = value.ToArray();

    public override void Delete(string store, ReadOnlySpan<byte> key) => throw new NotSupportedException();

    public override void SetTimer(string name, ReadOnlySpan<byte> key, DateTimeOffset due) => throw new NotSupportedException();

    public override void CancelTimer(string name, ReadOnlySpan<byte> key) => throw new NotSupportedException();

    public void Dispose()
    {
        foreach (var batch in _said.Values) batch.Dispose();
    }

    private List<(string Text, Dictionary<string, string> Headers)> Said()
    {
        var letters = new List<(string, Dictionary<string, string>)>();
        foreach (var (topic, batch) in _said)
        {
            Assert.Equal(Readings.Topic + ".dlq", topic);
            var records = new RecordEnumerator(batch.Complete(), 0);
            while (records.MoveNext())
            {
                var headers = new Dictionary<string, string>();
                foreach (var header in records.Current.Headers)
                    headers.Add(Encoding.UTF8.GetString(header.Name.Span), Encoding.UTF8.GetString(header.Value.Span));
                letters.Add((Encoding.UTF8.GetString(records.Current.Value.Span), headers));
            }
        }

        return letters;
    }
}
