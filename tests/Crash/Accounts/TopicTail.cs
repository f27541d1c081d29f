using System.Diagnostics;
using Confluent.Kafka;

namespace Millrace.Crash.Accounts;

/// <summary>A record with a text in it, as a plain client reads it.</summary>
internal readonly record struct TextRecord(int Partition, long Offset, string Key, string Value);

/// <summary>
/// Reads a topic from its beginning with a plain consumer, further and further. It knows nothing of the engine: what it sees is what any
/// other program would.
/// </summary>
internal sealed class TopicTail : IDisposable
{
    private readonly IConsumer<string, string> _consumer;
    private readonly string _topic;
    private readonly bool[] _isAtEnd;

    public TopicTail(string bootstrap, string topic, int partitions, bool isCommittedOnly = true)
    {
        Records = [.. Enumerable.Range(0, partitions).Select(_ => new List<TextRecord>())];
        (_topic, _isAtEnd) = (topic, new bool[partitions]);
        _consumer = new ConsumerBuilder<string, string>(new ConsumerConfig
        {
            BootstrapServers = bootstrap,
            GroupId = "crash-check", // a consumer wants one; nothing is joined and nothing committed
            IsolationLevel = isCommittedOnly ? IsolationLevel.ReadCommitted : IsolationLevel.ReadUncommitted,
            EnableAutoCommit = false,
            EnablePartitionEof = true,
            AutoOffsetReset = AutoOffsetReset.Error,
            ReconnectBackoffMs = 50,
            ReconnectBackoffMaxMs = 500,
        }).SetLogHandler((_, _) => { }).Build();
        _consumer.Assign(Enumerable.Range(0, partitions)
            .Select(partition => new TopicPartitionOffset(topic, partition, new Offset(0))));
    }

    /// <summary>What was read, by partition.</summary>
    public List<TextRecord>[] Records { get; }

    /// <summary>Reads what comes within a time.</summary>
    public void Read(TimeSpan within, CancellationToken cancellation)
    {
        var since = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(since) < within)
        {
            cancellation.ThrowIfCancellationRequested();
            ReadOne();
        }
    }

    /// <summary>Reads until the end of every partition was told. For a tail that was just made.</summary>
    public void ReadToEnd(TimeSpan within, CancellationToken cancellation)
    {
        var since = Stopwatch.GetTimestamp();
        while (!Array.TrueForAll(_isAtEnd, isAtEnd => isAtEnd))
        {
            cancellation.ThrowIfCancellationRequested();
            if (Stopwatch.GetElapsedTime(since) > within)
                throw new InvalidOperationException($"The end of {_topic} is not reached within {within.TotalSeconds} s.");
            ReadOne();
        }
    }

    public void Dispose()
    {
        _consumer.Close();
        _consumer.Dispose();
    }

    private void ReadOne()
    {
        try
        {
            if (_consumer.Consume(TimeSpan.FromMilliseconds(50)) is not { } result) return;
            var partition = result.Partition.Value;
            _isAtEnd[partition] = result.IsPartitionEOF;
            if (!result.IsPartitionEOF)
                Records[partition].Add(new TextRecord(partition, result.Offset.Value, result.Message.Key, result.Message.Value));
        }
        catch (ConsumeException failure) when (!failure.Error.IsFatal)
        {
            // A broker that is away comes back; the time bounds it.
        }
    }
}
