using System.Globalization;
using System.Text;

namespace Millrace.Relational.Contract;

/// <summary>The suite's example: what devices measured. A record's text is "device second value"; one record may hold several, by ';'.</summary>
public static class Readings
{
    public const string Topic = "readings";

    public static readonly DateTimeOffset Begin = new(2026, 1, 25, 10, 30, 0, TimeSpan.Zero);

    public static Table Table { get; } = new()
    {
        Name = "readings",
        Columns = [new Column("device", ColumnType.Text), new Column("time", ColumnType.Time), new Column("value", ColumnType.Real, true)],
        Key = ["device", "time"],
        TimeColumn = "time",
    };

    public static Sink Sink { get; } = new() { Name = "sink", Topics = [Topic], Table = Table, Map = Map };

    /// <summary>Every record as a row, under its offset and a number that grows with each call: a record that is mapped twice has two rows.</summary>
    public static Sink Traces(string name, string topic, Func<long> next) => new()
    {
        Name = name,
        Topics = [topic],
        Table = new Table
        {
            Name = "traces",
            Columns = [new Column("partition", ColumnType.Whole), new Column("position", ColumnType.Whole), new Column("call", ColumnType.Whole)],
            Key = ["partition", "position", "call"],
        },
        Map = (source, in record, rows) => rows.Add((long)source.Partition, record.Offset, next()),
    };

    public static void Map(TopicPartition source, in Record record, Rows rows)
    {
        foreach (var reading in Encoding.UTF8.GetString(record.Value.Span).Split(';', StringSplitOptions.RemoveEmptyEntries))
        {
            var parts = reading.Split(' ');
            if (parts.Length != 3) throw new MillraceException(FailureCodes.DataMismatch, $"'{reading}' is no reading.");
            object? value = parts[2] == "-" ? null : double.Parse(parts[2], CultureInfo.InvariantCulture);
            var time = parts[1] == "never" ? DateTimeOffset.MinValue : Begin.AddSeconds(int.Parse(parts[1], CultureInfo.InvariantCulture));
            rows.Add(parts[0], time, value);
        }
    }

    public static FetchedRecords Fetched(long offset, params string[] texts) => Fetched(0, offset, texts);

    public static FetchedRecords Fetched(int partition, long offset, params string[] texts)
    {
        var builder = new RecordBatchBuilder();
        foreach (var text in texts)
            builder.Add(0, true, Encoding.UTF8.GetBytes(text.Split(' ')[0]), true, Encoding.UTF8.GetBytes(text), new RecordHeader("from", "a test"));
        return builder.ToFetched(new TopicPartition(Topic, partition), offset, offset + texts.Length);
    }
}
