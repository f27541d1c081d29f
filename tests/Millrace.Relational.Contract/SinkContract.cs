namespace Millrace.Relational.Contract;

/// <summary>What every database does for sinks: rows and positions, owners, refusals. A derived class says how it is opened.</summary>
public abstract class SinkContract : IAsyncLifetime
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
    public async Task Records_become_rows_with_their_position()
    {
        using var instance = Open();

        await instance.ProcessAsync(7, "a 0 1", "a 1 2.5;b 1 3", "");

        Assert.Equal(["a|1", "a|2.5", "b|3"], await ReadingsAsync());
        Assert.Equal(["sink|readings|0|10|1"], await PositionsAsync());
    }

    [Fact]
    public async Task A_later_record_wins_within_a_batch_and_over_batches()
    {
        using var instance = Open();

        await instance.ProcessAsync(0, "a 0 1", "b 0 1", "a 0 2", "a 0 3;a 0 4");
        var first = await ReadingsAsync();
        await instance.ProcessAsync(4, "b 0 9", "b 0 -");

        Assert.Equal(["a|4", "b|1"], first);
        Assert.Equal(["a|4", "b|"], await ReadingsAsync());
    }

    [Fact]
    public async Task A_crash_between_the_databases_commit_and_the_engines_doubles_nothing()
    {
        var calls = 0L;
        var sink = Readings.Traces("sink", Readings.Topic, () => ++calls);
        using (var first = new SinkInstance(_database, sink)) await first.ProcessAsync(0, "a", "b", "c");
        await ReopenAsync();
        using var second = new SinkInstance(_database, sink, epoch: 2);

        await second.ProcessAsync(0, "a");
        await second.ProcessAsync(1, "b", "c", "d");

        Assert.Equal(["0|0|1", "0|1|2", "0|2|3", "0|3|4"], await _host.QueryAsync("SELECT * FROM traces ORDER BY position, call", Cancellation));
    }

    [Fact]
    public async Task Records_below_the_databases_position_do_not_set_rows_back()
    {
        using (var first = Open()) await first.ProcessAsync(0, "a 0 1", "a 0 2");
        using var second = Open(epoch: 2);

        await second.ProcessAsync(0, "a 0 1");

        Assert.Equal(["a|2"], await ReadingsAsync());
        Assert.Equal(["sink|readings|0|2|2"], await PositionsAsync());
    }

    [Fact]
    public async Task A_replaced_owner_writes_nothing()
    {
        using var old = Open(epoch: 1);
        await old.ProcessAsync(0, "a 0 1");
        using var later = Open(epoch: 2);
        await later.ProcessAsync(0, "a 0 1");

        var failure = await Assert.ThrowsAsync<MillraceException>(() => old.ProcessAsync(1, "a 0 100"));

        Assert.Equal(FailureCodes.Fenced, failure.Code);
        Assert.Equal(["a|1"], await ReadingsAsync());
        Assert.Equal(["sink|readings|0|1|2"], await PositionsAsync());
        await later.ProcessAsync(1, "a 0 2");
        Assert.Equal(["a|2"], await ReadingsAsync());
    }

    [Fact]
    public async Task An_owner_that_begins_after_a_later_one_is_refused()
    {
        using (var later = Open(epoch: 2)) await later.ProcessAsync(0, "a 0 2");
        using var old = Open(epoch: 1);

        var failure = await Assert.ThrowsAsync<MillraceException>(() => old.ProcessAsync(1, "a 0 1"));

        Assert.Equal(FailureCodes.Fenced, failure.Code);
        Assert.Equal(["a|2"], await ReadingsAsync());
        Assert.Equal(["sink|readings|0|1|2"], await PositionsAsync());
    }

    [Fact]
    public async Task An_owner_whose_position_another_moved_writes_nothing()
    {
        using var first = Open();
        await first.ProcessAsync(0, "a 0 1");
        using (var second = Open()) await second.ProcessAsync(1, "a 0 2");

        var failure = await Assert.ThrowsAsync<MillraceException>(() => first.ProcessAsync(1, "a 0 3"));

        Assert.Equal(FailureCodes.CommitAborted, failure.Code);
        Assert.Equal(["a|2"], await ReadingsAsync());
        Assert.Equal(["sink|readings|0|2|1"], await PositionsAsync());
    }

    [Fact]
    public async Task Refused_rows_become_dead_letters_and_their_neighbours_go_in()
    {
        await _host.ExecuteAsync(_host.CreateTableWithRule, Cancellation);
        using var instance = Open(sink: Readings.Sink with { Table = Readings.Table with { CreatesIfMissing = false } });

        await instance.ProcessAsync(10, "a 0 1", "a 1 2000", "a 2 3;b 2 3000", "a 3 4", "a 0 5", "c 0 -", "c 1 7");

        Assert.Equal(["a|5", "a|4", "c|7"], await ReadingsAsync());
        Assert.Equal(["a 1 2000", "a 2 3;b 2 3000", "c 0 -"], instance.DeadLetters);
        Assert.Equal(["sink|readings|0|17|1"], await PositionsAsync());
        var headers = instance.DeadLetterHeaders[0];
        Assert.Equal(["from", "millrace-dlq-reason", "millrace-dlq-topic", "millrace-dlq-partition", "millrace-dlq-offset", "millrace-dlq-group",
            "millrace-dlq-attempts", "millrace-dlq-time"], headers.Keys);
        Assert.Contains("limit", headers[DeadLetters.Reason], StringComparison.Ordinal);
        Assert.Equal(("readings", "0", "11", "sink"), (headers[DeadLetters.Topic], headers[DeadLetters.Partition],
            headers[DeadLetters.Offset], headers[DeadLetters.Group]));
    }

    [Fact]
    public async Task Records_that_cannot_be_mapped_become_dead_letters()
    {
        using var instance = Open();

        await instance.ProcessAsync(0, "a 0 1", "nonsense", "a\0b 1 1", "a 2 NaN", "a never 1", "\uFFFD 3 4");

        Assert.Equal(["a|1", "\uFFFD|4"], await ReadingsAsync());
        Assert.Equal(["nonsense", "a\0b 1 1", "a 2 NaN", "a never 1"], instance.DeadLetters);
        Assert.Contains("'nonsense' is no reading", instance.DeadLetterHeaders[0][DeadLetters.Reason], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Dead_letters_that_the_engine_lost_are_said_again_and_those_that_it_has_are_not()
    {
        using (var first = Open()) await first.ProcessAsync(0, "bad", "a 0 1", "worse", "a 1 2");
        using (var lost = Open(epoch: 2))
        {
            await lost.ProcessAsync(1, "a 0 1", "worse");
            Assert.Equal(["worse"], lost.DeadLetters);
        }

        using var third = Open(epoch: 3);
        await third.ProcessAsync(3, "a 1 2", "a 2 3");

        Assert.Empty(third.DeadLetters);
        Assert.Equal(["a|1", "a|2", "a|3"], await ReadingsAsync());
        Assert.Empty(await _host.QueryAsync("SELECT record_offset FROM millrace_refused", Cancellation));
    }

    [Fact]
    public async Task A_failure_of_the_whole_database_is_no_dead_letter_and_moves_no_position()
    {
        using var instance = Open();
        await instance.ProcessAsync(0, "a 0 1");
        await _host.ExecuteAsync("ALTER TABLE readings RENAME TO elsewhere", Cancellation);

        var failure = await Assert.ThrowsAsync<MillraceException>(() => instance.ProcessAsync(1, "a 1 2", "bad"));

        Assert.Equal(FailureCodes.Unreachable, failure.Code);
        Assert.Empty(instance.DeadLetters);
        Assert.Equal(["sink|readings|0|1|1"], await PositionsAsync());
        await _host.ExecuteAsync("ALTER TABLE elsewhere RENAME TO readings", Cancellation);
        using var next = Open();
        await next.ProcessAsync(1, "a 1 2", "bad");
        Assert.Equal(["a|1", "a|2"], await ReadingsAsync());
        Assert.Equal(["bad"], next.DeadLetters);
    }

    [Fact]
    public async Task A_batch_is_bounded_and_each_one_has_its_position()
    {
        var sink = Readings.Sink with
        {
            BatchRowsMax = 2,
            Map = (source, in record, rows) =>
            {
                if (record.Offset == 5) throw new InvalidOperationException("The sixth record.");
                Readings.Map(source, record, rows);
            },
        };
        using var instance = Open(sink: sink);

        await Assert.ThrowsAsync<InvalidOperationException>(
            () => instance.ProcessAsync(0, "a 0 0", "a 1 1", "a 2 2", "a 3 3", "a 4 4", "a 5 5"));

        Assert.Equal(["a|0", "a|1", "a|2", "a|3"], await ReadingsAsync());
        Assert.Equal(["sink|readings|0|4|1"], await PositionsAsync());
    }

    [Fact]
    public async Task Partitions_write_beside_each_other()
    {
        var instances = Enumerable.Range(0, 6).Select(p => new SinkInstance(_database, Readings.Sink, 1, p)).ToList();

        for (var round = 0; round < 5; round++)
        {
            var offset = round;
            await Task.WhenAll(instances.Select(i => i.ProcessAsync(offset, $"device{i.Partition} {offset} {offset}")));
        }

        Assert.Equal(30, (await ReadingsAsync()).Count);
        Assert.Equal(Enumerable.Range(0, 6).Select(p => $"sink|readings|{p}|5|1"), await PositionsAsync());
        instances.ForEach(instance => instance.Dispose());
    }

    [Fact]
    public async Task A_database_of_a_newer_version_is_refused()
    {
        using (var first = Open()) await first.ProcessAsync(0, "a 0 1");
        await _host.ExecuteAsync("UPDATE millrace_format SET version = 2", Cancellation);
        using var second = Open();

        var failure = await Assert.ThrowsAsync<MillraceException>(() => second.ProcessAsync(1, "a 0 2"));

        Assert.Equal(FailureCodes.UnknownVersion, failure.Code);
        Assert.Equal(["a|1"], await ReadingsAsync());
    }

    private SinkInstance Open(long epoch = 1, Sink? sink = null) => new(_database, sink ?? Readings.Sink, epoch);

    private async Task ReopenAsync()
    {
        await _database.DisposeAsync();
        _database = _host.Open();
    }

    private ValueTask<List<string>> ReadingsAsync() => _host.QueryAsync("SELECT device, value FROM readings ORDER BY device, time", Cancellation);

    private ValueTask<List<string>> PositionsAsync() => _host.QueryAsync(
        "SELECT sink, topic, partition, next_offset, epoch FROM millrace_positions ORDER BY partition", Cancellation);
}
