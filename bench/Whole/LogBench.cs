using System.Diagnostics;
using Millrace.Figures;
using Millrace.Log;

namespace Millrace.Whole;

/// <summary>
/// Durable appends of 200-byte records in batches of 1,000 against a raw sequential write and fdatasync of the same bytes, and reading
/// them back decoded. The raw side is measured on a growing file and on one that was laid out before; the faster of the two is what the
/// log is held against.
/// </summary>
internal sealed class LogBench(BenchOptions options, Report report)
{
    private const int RecordBytes = 200, RecordsPerBatch = 1_000, Batches = 150, UnderWay = 8;

    private readonly byte[] _value = new byte[RecordBytes];
    private readonly List<double> _raw = [], _one = [], _many = [], _oneRatio = [], _manyRatio = [], _read = [], _readRatio = [], _readRatioMany = [];

    public async Task RunAsync()
    {
        new Random(1).NextBytes(_value);
        using var batch = new RecordBatchBuilder();
        Fill(batch);
        var bytes = batch.Complete().ToArray();
        for (var round = -1; round < options.Rounds; round++)
        {
            var growing = WriteRaw(bytes, isLaidOut: false);
            var laidOut = WriteRaw(bytes, isLaidOut: true);
            var (one, _) = await AppendAsync(underWay: 1);
            var (many, read) = await AppendAsync(UnderWay);
            // The first round only warms up: the compiler, the page cache, the disk's own.
            if (round >= 0) Note(Math.Max(growing, laidOut), one, many, read);
        }

        if (options.Runs("append"))
        {
            report.Add("raw write + fdatasync, a batch at a time", _raw, "records/s");
            report.Add("durable append, a batch at a time", _one, "records/s");
            report.Add($"durable append, {UnderWay} batches under way", _many, "records/s");
            report.Add("durable append / raw, a batch at a time", _oneRatio, "of raw", "0.5 or more");
            report.Add($"durable append with {UnderWay} under way / raw", _manyRatio, "of raw");
        }

        if (!options.Runs("read")) return;
        report.Add("read back decoded", _read, "records/s");
        report.Add("read back decoded / durable append, a batch at a time", _readRatio, "times", "10 or more");
        report.Add($"read back decoded / durable append, {UnderWay} under way", _readRatioMany, "times");
    }

    private void Note(double raw, double one, double many, double read)
    {
        _raw.Add(raw);
        _one.Add(one);
        _many.Add(many);
        _oneRatio.Add(one / raw);
        _manyRatio.Add(many / raw);
        _read.Add(read);
        _readRatio.Add(read / one);
        _readRatioMany.Add(read / many);
    }

    private void Fill(RecordBatchBuilder batch)
    {
        Span<byte> key = stackalloc byte[8];
        for (var number = 0; number < RecordsPerBatch; number++)
        {
            BitConverter.TryWriteBytes(key, number);
            batch.Add(1_700_000_000_000 + number, key, _value);
        }
    }

    private double WriteRaw(byte[] bytes, bool isLaidOut)
    {
        using var file = new RawFile(Path.Combine(options.Data, "raw"));
        if (isLaidOut) file.LayOut((long)bytes.Length * Batches);
        var since = Stopwatch.GetTimestamp();
        for (var number = 0; number < Batches; number++)
        {
            file.Write(bytes, (long)number * bytes.Length);
            file.Sync();
        }

        return RecordsPerBatch * (double)Batches / Stopwatch.GetElapsedTime(since).TotalSeconds;
    }

    private async Task<(double Append, double Read)> AppendAsync(int underWay)
    {
        var folder = Path.Combine(options.Data, "log");
        await using (var engine = await LogEngine.OpenAsync(folder))
        {
            var partition = new TopicPartition("bench", 0);
            await engine.CreateTopicAsync(new TopicSpecification { Name = partition.Topic, Partitions = 1 });
            await engine.AppendAsync(partition, Fill);
            var since = Stopwatch.GetTimestamp();
            var waiting = new Queue<Task<long>>();
            for (var number = 0; number < Batches; number++)
            {
                waiting.Enqueue(engine.AppendAsync(partition, Fill).AsTask());
                if (waiting.Count == underWay) await waiting.Dequeue();
            }

            while (waiting.Count > 0) await waiting.Dequeue();
            var append = RecordsPerBatch * (double)Batches / Stopwatch.GetElapsedTime(since).TotalSeconds;
            var read = await ReadAsync(engine, partition);
            await engine.DisposeAsync();
            Directory.Delete(folder, recursive: true);
            return (append, read);
        }
    }

    private static async Task<double> ReadAsync(LogEngine engine, TopicPartition partition)
    {
        var end = (await engine.FindTopicAsync(partition.Topic))!.Partitions[0].EndOffset;
        var since = Stopwatch.GetTimestamp();
        var (count, touched) = (0L, 0L);
        const int passes = 5;
        for (var pass = 0; pass < passes; pass++)
        {
            using var reader = engine.OpenReader(partition, 0);
            while (reader.Offset < end)
            {
                using var fetched = await reader.ReadAsync(1 << 20);
                foreach (var record in fetched)
                {
                    var value = record.Value.Span;
                    touched += record.Key.Span[0] + value[0] + value[^1] + record.Timestamp;
                    count++;
                }
            }
        }

        if (count != end * passes || touched == 0) throw new InvalidOperationException($"{count} records were read of {end * passes}.");
        return count / Stopwatch.GetElapsedTime(since).TotalSeconds;
    }
}
