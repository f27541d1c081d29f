using System.Buffers;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Text;
using Millrace;
using Millrace.Log;
using Millrace.RocksDb;
using Millrace.Streams;

namespace Nexmark;

/// <summary>
/// A query with the durable log in the path: events are records of a topic, a partition per worker, keys go through topics of the topology's
/// own, and what was read and is kept is committed, each commit synced. The topic is filled before, which is not measured. Behind the last
/// event each partition has a mark an hour later, so that windows end.
/// </summary>
internal static class LogRun
{
    private const int FillBatch = 10_000;
    private const long End = 3_600_000;

    private static readonly TimeSpan OutOfOrderness = TimeSpan.FromSeconds(4);

    public static RunResult Of(RunOptions options)
    {
        var folder = Directory.CreateTempSubdirectory("nexmark-log-");
        try
        {
            return OfAsync(options, folder.FullName).GetAwaiter().GetResult();
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static async Task<RunResult> OfAsync(RunOptions options, string folder)
    {
        using var stores = options.StateBytesMax is null ? null : new RocksDbStateStores();
        await using var engine = await LogEngine.OpenAsync(
            folder, new LogOptions { OpenStateStore = stores is null ? null : stores.Open });
        await engine.EnsureTopicAsync(new TopicSpecification { Name = Queries.Source, Partitions = options.Parallelism });
        for (var partition = 0; partition < options.Parallelism; partition++) await FillAsync(engine, options, partition);

        var tally = new Tally();
        var topology = Queries.Build(options.Query, options.Parallelism, tally, new SourceOptions<Event>
        {
            Codec = new EventRecords(), OutOfOrderness = OutOfOrderness, IdleAfter = null,
        });
        topology.StateBytesMax = options.StateBytesMax;
        using var streams = new RunningTopology(topology);
        using var commits = new CommitCount();
        await using var runtime = new ProcessorRuntime(engine, streams.Processors);
        using var process = Process.GetCurrentProcess();
        var (cpu, since) = (process.TotalProcessorTime, Stopwatch.GetTimestamp());
        await runtime.StartAsync();
        var (halfAt, halfCpu) = await WaitForHalfAsync(runtime, streams.Processors[0].Name, options.Events);
        await runtime.WaitUntilIdleAsync();
        var ended = Stopwatch.GetTimestamp();
        process.Refresh();
        return new RunResult(
            Stopwatch.GetElapsedTime(since, ended).TotalSeconds, (process.TotalProcessorTime - cpu).TotalSeconds,
            Stopwatch.GetElapsedTime(halfAt, ended).TotalSeconds, (process.TotalProcessorTime - halfCpu).TotalSeconds,
            tally.Rows, tally.Checksum, commits.Value, process.PeakWorkingSet64);
    }

    private static async Task<(long At, TimeSpan Cpu)> WaitForHalfAsync(ProcessorRuntime runtime, string processor, long events)
    {
        await runtime.WaitUntilAsync(
            statuses => statuses.Any(status => status.Processor == processor && status.Partitions.Count > 0
                && status.Partitions.Sum(partition => partition.Positions.Where(at => at.Topic == Queries.Source).Sum(at => at.NextOffset))
                    >= events / 2),
            CancellationToken.None);
        using var process = Process.GetCurrentProcess();
        return (Stopwatch.GetTimestamp(), process.TotalProcessorTime);
    }

    private static async Task FillAsync(LogEngine engine, RunOptions options, int partition)
    {
        var generator = new Generator(options.Seed, options.Events, partition, options.Parallelism, options.Rate);
        var target = new TopicPartition(Queries.Source, partition);
        var one = new Event();
        var bytes = new ArrayBufferWriter<byte>(512);
        for (long number = 0; number < generator.Size;)
        {
            using var commit = new Commit();
            var batch = commit.To(target);
            for (var i = 0; i < FillBatch && number < generator.Size; i++, number++)
            {
                generator.Fill(one, number);
                Add(batch, one, bytes);
            }

            if (number == generator.Size) Add(batch, new Event { Kind = EventKind.End, Time = one.Time + End }, bytes);
            (await engine.CommitAsync(commit)).RequireCommitted();
        }
    }

    private static void Add(RecordBatchBuilder batch, Event one, ArrayBufferWriter<byte> bytes)
    {
        bytes.ResetWrittenCount();
        EventRecords.Write(one, bytes);
        batch.Add(one.Time, default, bytes.WrittenSpan);
    }

    /// <summary>Commits of all processors, as their counter says.</summary>
    private sealed class CommitCount : IDisposable
    {
        private readonly MeterListener _listener = new();
        private long _value;

        public CommitCount()
        {
            _listener.InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Name == TelemetryNames.Commits) listener.EnableMeasurementEvents(instrument);
            };
            _listener.SetMeasurementEventCallback<long>((_, count, _, _) => Interlocked.Add(ref _value, count));
            _listener.Start();
        }

        public int Value => (int)Interlocked.Read(ref _value);

        public void Dispose() => _listener.Dispose();
    }
}

/// <summary>Events as records: all their fields, numbers of eight bytes, texts behind their length.</summary>
internal sealed class EventRecords : RecordCodec<Event>
{
    public static void Write(Event one, IBufferWriter<byte> output)
    {
        output.Put((long)one.Kind).Put(one.Id).Put(one.Name).Put(one.City).Put(one.State).Put(one.Seller).Put(one.Category)
            .Put(one.InitialBid).Put(one.Reserve).Put(one.Expires).Put(one.Auction).Put(one.Bidder).Put(one.Price).Put(one.Channel)
            .Put(one.ExtraAt).Put(one.ExtraLength);
        foreach (var text in new[] { one.Text1, one.Text2 })
        {
            output.Put(text.Length);
            Encoding.ASCII.GetBytes(text, output);
        }
    }

    public override bool TryRead(in Record record, out Event value, out long timestamp, out string reason)
    {
        var bytes = record.Value.Span;
        (timestamp, reason) = (record.Timestamp, "");
        value = new Event
        {
            Kind = (EventKind)Codecs.Take(ref bytes), Time = record.Timestamp, Id = Codecs.Take(ref bytes), Name = (int)Codecs.Take(ref bytes),
            City = (int)Codecs.Take(ref bytes), State = (int)Codecs.Take(ref bytes), Seller = Codecs.Take(ref bytes),
            Category = Codecs.Take(ref bytes), InitialBid = Codecs.Take(ref bytes), Reserve = Codecs.Take(ref bytes),
            Expires = Codecs.Take(ref bytes), Auction = Codecs.Take(ref bytes), Bidder = Codecs.Take(ref bytes),
            Price = Codecs.Take(ref bytes), Channel = (int)Codecs.Take(ref bytes), ExtraAt = (int)Codecs.Take(ref bytes),
            ExtraLength = (int)Codecs.Take(ref bytes), Text1 = Text(ref bytes), Text2 = Text(ref bytes),
        };
        return true;
    }

    public override void Write(Event value, in OutgoingRecord record, RecordBatchBuilder target) =>
        throw new NotSupportedException("Events are read only.");

    private static string Text(ref ReadOnlySpan<byte> bytes)
    {
        var length = (int)Codecs.Take(ref bytes);
        if (length == 0) return "";
        var text = Encoding.ASCII.GetString(bytes[..length]);
        bytes = bytes[length..];
        return text;
    }
}
