using System.Text;

namespace Millrace.Relational.Contract;

/// <summary>What every database does about tables, types, retention and series.</summary>
public abstract class TableContract : IAsyncLifetime
{
    private SinkHost _host = null!;
    private SinkDatabase _database = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>A database that nobody else uses.</summary>
    protected abstract ValueTask<SinkHost> StartAsync(CancellationToken cancellation);

    /// <inheritdoc/>
    public async ValueTask InitializeAsync()
    {
        _host = await StartAsync(Cancellation);
        _database = _host.Open();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        if (_database is not null) await _database.DisposeAsync();
        if (_host is not null) await _host.DisposeAsync();
    }

    [Fact]
    public async Task Every_type_is_kept_as_it_was_given()
    {
        var bytes = Encoding.UTF8.GetBytes("é\0");
        var time = new DateTimeOffset(2026, 1, 25, 12, 0, 0, TimeSpan.FromHours(2)).AddTicks(1234567);
        var table = Every("every");
        using var instance = new SinkInstance(_database, Into(table, (_, in _, rows) =>
        {
            rows.Add("full 'text' \u20AC", long.MinValue, -1.5e300, true, time, bytes);
            rows.Add("empty", null, null, null, null, null);
        }));

        await instance.ProcessAsync(0, "any");

        var rows = await _host.QueryAsync(
            $"SELECT t, w, r, CAST(b AS integer), {_host.TimeText("i")}, length(y) FROM every ORDER BY t", Cancellation);
        Assert.Equal(["empty|||||", "full 'text' \u20AC|-9223372036854775808|-1.5E+300|1|2026-01-25 10:00:00.123456|3"], rows);
    }

    [Fact]
    public async Task Names_are_names_whatever_they_hold()
    {
        const string name = "odd \"name\"; DROP TABLE x; --";
        var table = new Table
        {
            Name = name,
            Columns = [new Column("select \"", ColumnType.Text), new Column("É', now", ColumnType.Time), new Column("@v0", ColumnType.Whole)],
            Key = ["select \"", "É', now"],
            TimeColumn = "É', now",
            Retention = TimeSpan.FromDays(30),
        };
        using var instance = new SinkInstance(_database, Into(table, (_, in _, rows) => rows.Add("k", Readings.Begin, 5)));

        await instance.ProcessAsync(0, "any");
        var buckets = await _database.CreateSeriesReader(table).ReadAsync(
            new SeriesQuery
            {
                Value = "@v0", Key = ["k"], From = Readings.Begin, To = Readings.Begin.AddHours(1), Step = TimeSpan.FromHours(1),
            }, Cancellation);

        Assert.Equal(["k|5"], await _host.QueryAsync($"SELECT \"select \"\"\", \"@v0\" FROM {Names.Quote(name)}", Cancellation));
        Assert.Equal(5, Assert.Single(buckets).Last);
    }

    [Fact]
    public async Task A_series_is_read_by_key_and_time_in_steps()
    {
        using var instance = new SinkInstance(_database, Readings.Sink);
        await instance.ProcessAsync(0, "a 0 4", "a 30 1", "a 59 2", "b 30 100", "a 60 -", "a 130 7", "a 180 9");
        var reader = _database.CreateSeriesReader(Readings.Table);

        var buckets = await reader.ReadAsync(
            new SeriesQuery
            {
                Value = "value", Key = ["a"], From = Readings.Begin, To = Readings.Begin.AddSeconds(180), Step = TimeSpan.FromMinutes(1),
            }, Cancellation);

        Assert.Equal([
            new SeriesBucket(Readings.Begin, 1, 4, 7 / 3.0, 2, 3),
            new SeriesBucket(Readings.Begin.AddMinutes(2), 7, 7, 7, 7, 1),
        ], buckets);
    }

    [Fact]
    public async Task A_series_has_steps_before_1970_and_through_a_query_that_begins_within_one()
    {
        var sink = Into(Readings.Table, (_, in _, rows) =>
        {
            rows.Add("a", DateTimeOffset.UnixEpoch.AddSeconds(-90), 1);
            rows.Add("a", DateTimeOffset.UnixEpoch.AddSeconds(-30), 2);
            rows.Add("a", DateTimeOffset.UnixEpoch.AddSeconds(10), 3);
        });
        using var instance = new SinkInstance(_database, sink);
        await instance.ProcessAsync(0, "any");

        var buckets = await _database.CreateSeriesReader(Readings.Table).ReadAsync(
            new SeriesQuery
            {
                Value = "value", Key = ["a"], From = DateTimeOffset.UnixEpoch.AddSeconds(-100), To = DateTimeOffset.UnixEpoch.AddSeconds(60),
                Step = TimeSpan.FromMinutes(1),
            }, Cancellation);

        Assert.Equal([-120.0, -60, 0], buckets.Select(b => (b.Start - DateTimeOffset.UnixEpoch).TotalSeconds));
    }

    [Fact]
    public async Task A_query_that_fits_no_series_is_refused()
    {
        var reader = _database.CreateSeriesReader(Readings.Table);
        var query = new SeriesQuery
        {
            Value = "value", Key = ["a"], From = Readings.Begin, To = Readings.Begin.AddHours(1), Step = TimeSpan.FromMinutes(1),
        };

        await RefusedAsync(query with { Value = "nothing" });
        await RefusedAsync(query with { Value = "device" });
        await RefusedAsync(query with { Key = [] });
        await RefusedAsync(query with { To = query.From });
        await RefusedAsync(query with { Step = TimeSpan.FromTicks(1) });
        await RefusedAsync(query with { BucketsMax = 10 });

        async Task RefusedAsync(SeriesQuery wrong) =>
            await Assert.ThrowsAsync<ArgumentException>(async () => await reader.ReadAsync(wrong, Cancellation));
    }

    [Fact]
    public async Task Rows_past_the_retention_are_dropped()
    {
        var table = Readings.Table with { Retention = TimeSpan.FromDays(10), PartitionSpan = TimeSpan.FromDays(1) };
        using var instance = new SinkInstance(_database, Readings.Sink with { Table = table });
        await instance.ProcessAsync(0, "a 0 1", "b 86400 2");
        instance.Clock.Advance(TimeSpan.FromDays(10.8));

        await instance.ProcessAsync(2, "c 1000000 3");

        Assert.Equal(["b|2", "c|3"], await _host.QueryAsync("SELECT device, value FROM readings ORDER BY device", Cancellation));
    }

    [Fact]
    public void A_table_that_breaks_a_rule_is_refused()
    {
        Refused(Readings.Table with { Name = "" });
        Refused(Readings.Table with { Name = new string('n', 48) });
        Refused(Readings.Table with { Name = "millrace_positions" });
        Refused(Readings.Table with { Columns = [] });
        Refused(Readings.Table with { Key = [] });
        Refused(Readings.Table with { Key = ["time", "device"] });
        Refused(Readings.Table with { Key = ["value", "time"] });
        Refused(Readings.Table with { TimeColumn = "device" });
        Refused(Readings.Table with { TimeColumn = null, Retention = TimeSpan.FromDays(1) });
        Refused(Readings.Table with { PartitionSpan = TimeSpan.FromHours(1) });

        void Refused(Table table) => Assert.Throws<ArgumentException>(() => _database.CreateProcessor(Readings.Sink with { Table = table }));
    }

    private static Sink Into(Table table, RowMap map) => Readings.Sink with { Table = table, Map = map };

    private static Table Every(string name) => new()
    {
        Name = name,
        Columns =
        [
            new Column("t", ColumnType.Text), new Column("w", ColumnType.Whole, true), new Column("r", ColumnType.Real, true),
            new Column("b", ColumnType.Boolean, true), new Column("i", ColumnType.Time, true), new Column("y", ColumnType.Bytes, true),
        ],
        Key = ["t"],
    };
}
