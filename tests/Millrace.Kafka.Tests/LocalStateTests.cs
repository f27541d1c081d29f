using Microsoft.Extensions.Logging.Abstractions;
using Millrace.Kafka.Clients;
using Millrace.Kafka.State;

namespace Millrace.Kafka.Tests;

/// <summary>Copies of state on this machine: what a restart reads, and what a take-over does.</summary>
public sealed class LocalStateTests : EngineRig
{
    private const int RestoredEvent = 609, StandbyEvent = 616;

    [Theory]
    [InlineData(true, 1)]
    [InlineData(false, 41)]
    public async Task A_restart_reads_only_what_its_copy_does_not_have(bool hasDirectory, int changesRead)
    {
        var directory = hasDirectory ? Path.Combine(Folder, "first") : null;
        var first = await OpenAsync(options => options with { StateDirectory = directory });
        var topic = await CreateTopicAsync(first);
        var group = Group(first, topic);
        var owned = await OwnAsync(group);
        for (var number = 0; number < 40; number++) await PutAsync(owned, ($"{number:00}", "1"));
        await group.DisposeAsync();
        await first.DisposeAsync();
        var between = await OpenAsync();
        await using (var other = Group(between, topic)) await PutAsync(await OwnAsync(other), ("41", "2"));

        var again = await OpenAsync(options => options with { StateDirectory = directory });
        await using var groupAgain = Group(again, topic);
        var restored = await OwnAsync(groupAgain);

        Assert.Equal(41, restored.Scan("totals").Count);
        Assert.Equal((long)changesRead, Book.Of(RestoredEvent)[^1]["Records"]);
    }

    [Fact]
    public async Task A_copy_of_a_changelog_that_was_deleted_is_not_used()
    {
        var directory = Path.Combine(Folder, "first");
        var first = await OpenAsync(options => options with { StateDirectory = directory });
        var topic = await CreateTopicAsync(first);
        await using (var group = Group(first, topic)) await PutAsync(await OwnAsync(group), ("old", "1"));
        await first.DeleteTopicAsync($"group-{Unique}-changelog", Cancellation);
        await first.DisposeAsync();

        var again = await OpenAsync(options => options with { StateDirectory = directory });
        await using var groupAgain = Group(again, topic);

        Assert.Equal("", TextsOf(await OwnAsync(groupAgain)));
    }

    [Fact]
    public async Task A_standby_takes_over_without_reading_the_changelog()
    {
        var engine = await OpenAsync();
        var standby = await OpenAsync(options => options with { KeepsStandbyCopies = true });
        var topic = await CreateTopicAsync(engine);
        var (one, other) = (Group(engine, topic), Group(standby, topic));
        await using var end = other;
        var owned = await OwnAsync(one);
        for (var number = 0; number < 40; number++) await PutAsync(owned, ($"{number:00}", "1"));

        var member = await other.JoinAsync();
        await Book.UntilAsync(StandbyEvent, values => values["Offset"] is long and > 40, Cancellation);
        await one.DisposeAsync();
        await other.UntilOwnedAsync(1);

        Assert.Equal(40, member.Owned[0].Scan("totals").Count);
        Assert.Equal(0L, Book.Of(RestoredEvent)[^1]["Records"]);
    }

    [Fact]
    public async Task A_copy_that_could_not_be_read_is_opened_again_by_the_next_restore()
    {
        var faults = new StoreFaults();
        var engine = await OpenAsync(options => options with { OpenStateStore = faults.Open });
        await using var group = Group(engine, await CreateTopicAsync(engine));
        var owned = await OwnAsync(group);
        await PutAsync(owned, ("a", "1"), ("b", "2"));

        faults.FailReads(new MillraceException(FailureCodes.Corrupt, "damage"));
        Assert.Throws<MillraceException>(() => owned.TryGet("totals", Bytes("a"), out _));
        faults.FailReads(null);
        await owned.RestoreAsync(Cancellation);

        Assert.Equal("a=1 b=2", TextsOf(owned));
        Assert.Equal(2, faults.Opened);
    }

    [Fact]
    public async Task A_copy_that_did_not_take_a_commit_has_it_after_the_next_restore_with_all_later_ones()
    {
        var faults = new StoreFaults();
        var engine = await OpenAsync(options => options with { OpenStateStore = faults.Open });
        await using var group = Group(engine, await CreateTopicAsync(engine));
        var owned = await OwnAsync(group);
        await PutAsync(owned, ("00", "0"));

        // Many at once go into few transactions, so that commits which have happened follow the one that the copy does not take.
        faults.FailChange(new MillraceException(FailureCodes.DiskFull, "full"));
        var results = await Task.WhenAll(Enumerable.Range(1, 30).Select(number => TryPutAsync(owned, $"{number:00}")));
        await owned.RestoreAsync(Cancellation);

        Assert.True(results[0]);
        Assert.Equal(string.Join(' ', Enumerable.Range(0, 31).Where(number => number == 0 || results[number - 1]).Select(number => $"{number:00}=0")),
            TextsOf(owned));
        Assert.Equal(2, faults.Opened);
    }

    [Fact]
    public async Task A_directory_is_one_process()
    {
        await OpenAsync(options => options with { StateDirectory = Folder });

        var failure = await Assert.ThrowsAsync<MillraceException>(() => OpenAsync(options => options with { StateDirectory = Folder }));

        Assert.Equal(FailureCodes.DirectoryLocked, failure.Code);
        Assert.Contains(Folder, failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_instance_keeps_its_name_in_its_directory()
    {
        var first = await OpenAsync(options => options with { StateDirectory = Folder });
        await first.DisposeAsync();
        var again = await OpenAsync(options => options with { StateDirectory = Folder });
        var other = await OpenAsync();

        Assert.Equal(first.InstanceId, again.InstanceId);
        Assert.NotEqual(first.InstanceId, other.InstanceId);
    }

    private async Task<bool> TryPutAsync(OwnedPartition owned, string key)
    {
        try
        {
            await PutAsync(owned, (key, "0"));
            return true;
        }
        catch (MillraceException failure) when (failure.Code == FailureCodes.CommitAborted)
        {
            return false;
        }
    }

    private static async Task<OwnedPartition> OwnAsync(Contract.GroupDriver group)
    {
        var member = await group.JoinAsync();
        await group.UntilOwnedAsync(1);
        return member.Owned[0];
    }
}

/// <summary>Opens stores in memory that fail when they are told to.</summary>
internal sealed class StoreFaults
{
    private volatile MillraceException? _read, _change;

    /// <summary>How many stores were opened.</summary>
    public int Opened { get; private set; }

    /// <summary>From now on every read fails so; with null none.</summary>
    public void FailReads(MillraceException? failure) => _read = failure;

    /// <summary>The next change fails so, once.</summary>
    public void FailChange(MillraceException failure) => _change = failure;

    public StateStore Open(StateStoreSource source)
    {
        Opened++;
        return new FaultyStore(this, SnapshotStateStore.Open(source, new ClientLog(NullLogger.Instance)));
    }

    private sealed class FaultyStore(StoreFaults faults, StateStore store) : StateStore
    {
        public override long Position => store.Position;

        public override bool TryGet(string name, ReadOnlySpan<byte> key, out ReadOnlyMemory<byte> value) =>
            faults._read is { } failure ? throw failure : store.TryGet(name, key, out value);

        public override IReadOnlyList<KeyValuePair<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>> Scan(string name, StateRange range) => store.Scan(name, range);

        public override void Apply(IReadOnlyList<StateChange> changes, long position)
        {
            if (Interlocked.Exchange(ref faults._change, null) is { } failure) throw failure;
            store.Apply(changes, position);
        }

        public override void Clear() => store.Clear();

        public override ValueTask SaveAsync(CancellationToken cancellation = default) => store.SaveAsync(cancellation);

        public override void Dispose() => store.Dispose();
    }
}
