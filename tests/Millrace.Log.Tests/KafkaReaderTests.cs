using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;
using Millrace.Servers;

namespace Millrace.Log.Tests;

/// <summary>Kafka's own tool reads our segments: the format is Kafka's, not one that looks like it.</summary>
public sealed partial class KafkaReaderTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("millrace-").FullName;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task DumpLogSegments_reads_what_the_engine_reads()
    {
        Assert.SkipWhen(KafkaTool.Path is null, KafkaTool.WhyAbsent);
        var target = new TopicPartition("orders.created", 0);
        await using (var engine = await LogEngine.OpenAsync(_directory, new LogOptions { SegmentBytesMax = 20_000 }, Cancellation))
        {
            await engine.CreateTopicAsync(new TopicSpecification { Name = target.Topic, Partitions = 1 }, Cancellation);
            var producer = await engine.OpenProducerAsync("producer", Cancellation);
            for (var i = 0; i < 60; i++) await engine.AppendAsync(target, batch => Fill(batch, i), i % 2 == 0 ? producer : null, Cancellation);
        }

        var expected = new List<string>();
        await using (var engine = await LogEngine.OpenAsync(_directory, null, Cancellation))
        {
            using var reader = engine.OpenReader(target, 0);
            while (reader.TryRead(1 << 20) is { } records)
            {
                using (records)
                {
                    foreach (var record in records) expected.Add(Describe(record));
                }
            }
        }

        var segments = Directory.GetFiles(Path.Combine(_directory, "logs", "orders.created-0"), "*.log").Order(StringComparer.Ordinal).ToList();
        var dumped = new List<string>();
        var checks = 0;
        foreach (var line in await KafkaTool.DumpAsync(segments, Cancellation))
        {
            if (line.StartsWith("baseOffset:", StringComparison.Ordinal))
            {
                checks++;
                Assert.Contains("isvalid: true", line, StringComparison.Ordinal);
            }

            if (line.StartsWith("| offset:", StringComparison.Ordinal)) dumped.Add(FromDump(line));
        }

        Assert.True(segments.Count > 1);
        Assert.Equal(60, checks);
        Assert.Equal(expected, dumped);
    }

    private static void Fill(RecordBatchBuilder batch, int i)
    {
        for (var j = 0; j < 3; j++)
        {
            var key = Encoding.UTF8.GetBytes($"key-{i}-{j}");
            batch.Add(1_700_000_000_000 + i, true, key, true, Encoding.UTF8.GetBytes($"value-{i}-{new string('x', i * 5)}"),
                new RecordHeader("content-type", "application/json"), new RecordHeader("n", $"{j}"));
        }
    }

    private static string Describe(in Record record)
    {
        var headers = new List<string>();
        foreach (var header in record.Headers) headers.Add(Text(header.Name));
        return $"{record.Offset} {record.Timestamp} [{string.Join(",", headers)}] {Text(record.Key)} {Text(record.Value)}";
    }

    private static string Text(ReadOnlyMemory<byte> bytes) => Encoding.UTF8.GetString(bytes.Span);

    /// <summary>The tool shows the names of headers, not their values.</summary>
    private static string FromDump(string line)
    {
        var parts = DumpedRecord().Match(line);
        Assert.True(parts.Success, line);
        return $"{parts.Groups[1].Value} {parts.Groups[2].Value} {parts.Groups[3].Value} {parts.Groups[4].Value} {parts.Groups[5].Value}";
    }

    [GeneratedRegex(@"^\| offset: (\d+) CreateTime: (\d+) keySize: \d+ valueSize: \d+ sequence: -?\d+ headerKeys: (\[.*?\]) key: (.*?) payload: (.*)$")]
    private static partial Regex DumpedRecord();
}

/// <summary>Kafka's DumpLogSegments, where Kafka and a Java runtime are.</summary>
internal static class KafkaTool
{
    /// <summary>The tool's path; null when there is none.</summary>
    public static string? Path { get; } = SharedFiles.Find("kafka/tool");

    public static string WhyAbsent => "Kafka's tools are not here: set MILLRACE_SHARED to the folder that holds kafka/tool.";

    public static async Task<IReadOnlyList<string>> DumpAsync(IReadOnlyList<string> segments, CancellationToken cancellation)
    {
        using var process = Process.Start(new ProcessStartInfo(Path!)
        {
            ArgumentList = { "org.apache.kafka.tools.DumpLogSegments", "--print-data-log", "--files", string.Join(',', segments) },
            RedirectStandardOutput = true,
        })!;
        var output = await process.StandardOutput.ReadToEndAsync(cancellation);
        await process.WaitForExitAsync(cancellation);
        Assert.Equal(0, process.ExitCode);
        return output.Split('\n');
    }
}
