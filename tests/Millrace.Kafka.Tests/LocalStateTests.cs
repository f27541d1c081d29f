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

    private static async Task<OwnedPartition> OwnAsync(Contract.GroupDriver group)
    {
        var member = await group.JoinAsync();
        await group.UntilOwnedAsync(1);
        return member.Owned[0];
    }
}
