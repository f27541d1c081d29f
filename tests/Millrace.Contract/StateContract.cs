using System.Text;

namespace Millrace.Contract;

/// <summary>Keyed state of an owned partition: what is kept, removed and scanned, who sees it, and that it survives.</summary>
public abstract class StateContract : EngineContract
{
    [Fact]
    public async Task A_key_that_was_never_put_is_not_there()
    {
        await using var group = await GroupAsync();
        var owned = await OwnAsync(group);

        Assert.False(owned.TryGet("totals", Bytes("key"), out _));
        Assert.Empty(owned.Scan("totals"));
    }

    [Fact]
    public async Task A_value_is_put_replaced_and_deleted()
    {
        await using var group = await GroupAsync();
        var owned = await OwnAsync(group);

        await ChangeAsync(owned, commit => commit.Put("totals", Bytes("key"), Bytes("1")));
        var first = TextOf(owned, "totals", "key");
        await ChangeAsync(owned, commit => commit.Put("totals", Bytes("key"), Bytes("2")));
        var second = TextOf(owned, "totals", "key");
        await ChangeAsync(owned, commit => commit.Delete("totals", Bytes("key")));

        Assert.Equal(("1", "2"), (first, second));
        Assert.Null(TextOf(owned, "totals", "key"));
        Assert.Empty(owned.Scan("totals"));
    }

    [Fact]
    public async Task A_scan_of_a_range_gives_its_entries_in_order_and_no_more_than_it_wants()
    {
        await using var group = await GroupAsync();
        var owned = await OwnAsync(group);

        await ChangeAsync(owned, commit =>
        {
            foreach (var key in (string[])["c", "a", "ba", "d", "b"]) commit.Put("totals", Bytes(key), Bytes(key));
        });

        Assert.Equal(["b=b", "ba=ba", "c=c"], Scan(new StateRange { From = Bytes("b"), To = Bytes("d") }));
        Assert.Equal(["b=b", "ba=ba"], Scan(new StateRange { From = Bytes("b"), EntriesMax = 2 }));
        Assert.Equal(["ba=ba", "c=c"], Scan(new StateRange { EntriesMax = 2 }.After(Bytes("b"))));
        Assert.Equal(["b=b", "ba=ba"], Scan(StateRange.Prefix(Bytes("b"))));

        IEnumerable<string> Scan(StateRange range) => owned.Scan("totals", range)
            .Select(entry => $"{Encoding.UTF8.GetString(entry.Key.Span)}={Encoding.UTF8.GetString(entry.Value.Span)}");
    }

    [Fact]
    public async Task Deleting_what_is_not_there_is_no_failure()
    {
        await using var group = await GroupAsync();
        var owned = await OwnAsync(group);

        await ChangeAsync(owned, commit => commit.Delete("totals", Bytes("key")));

        Assert.Empty(owned.Scan("totals"));
    }

    [Fact]
    public async Task The_last_change_of_a_key_in_a_commit_wins()
    {
        await using var group = await GroupAsync();
        var owned = await OwnAsync(group);
        await ChangeAsync(owned, commit => commit.Put("totals", Bytes("back"), Bytes("old")));

        await ChangeAsync(owned, commit =>
        {
            commit.Put("totals", Bytes("twice"), Bytes("1"));
            commit.Put("totals", Bytes("twice"), Bytes("2"));
            commit.Put("totals", Bytes("gone"), Bytes("1"));
            commit.Delete("totals", Bytes("gone"));
            commit.Delete("totals", Bytes("back"));
            commit.Put("totals", Bytes("back"), Bytes("new"));
        });

        Assert.Equal(["back=new", "twice=2"], TextsOf(owned, "totals"));
        Assert.Equal("2", TextOf(owned, "totals", "twice"));
        Assert.Null(TextOf(owned, "totals", "gone"));
        Assert.Equal("new", TextOf(owned, "totals", "back"));
    }

    [Fact]
    public async Task An_empty_value_is_a_value_and_an_empty_key_a_key()
    {
        await using var group = await GroupAsync();
        var owned = await OwnAsync(group);

        await ChangeAsync(owned, commit => commit.Put("totals", [], []));

        Assert.True(owned.TryGet("totals", [], out var value));
        Assert.Equal(0, value.Length);
        Assert.Single(owned.Scan("totals"));
    }

    [Fact]
    public async Task A_scan_is_ordered_by_key_bytes_as_unsigned_numbers()
    {
        await using var group = await GroupAsync();
        var owned = await OwnAsync(group);
        byte[][] keys = [[0x80], [0x7f], [], [0xff, 0x00], [0xff], [0x00], [0x7f, 0x01], [0x00, 0x00]];

        await ChangeAsync(owned, commit =>
        {
            foreach (var key in keys) commit.Put("totals", key, key);
        });
        var scanned = owned.Scan("totals");

        byte[][] expected = [[], [0x00], [0x00, 0x00], [0x7f], [0x7f, 0x01], [0x80], [0xff], [0xff, 0x00]];
        Assert.Equal(expected, scanned.Select(entry => entry.Key.ToArray()));
        Assert.Equal(expected, scanned.Select(entry => entry.Value.ToArray()));
    }

    [Fact]
    public async Task A_scan_and_a_value_stay_as_they_were_while_commits_go_on()
    {
        await using var group = await GroupAsync();
        var owned = await OwnAsync(group);
        await ChangeAsync(owned, commit => commit.Put("totals", Bytes("key"), Bytes("1")));
        var scanned = owned.Scan("totals");
        Assert.True(owned.TryGet("totals", Bytes("key"), out var value));

        await ChangeAsync(owned, commit =>
        {
            commit.Put("totals", Bytes("key"), Bytes("2"));
            commit.Put("totals", Bytes("other"), Bytes("3"));
        });

        Assert.Equal("1", Encoding.UTF8.GetString(value.Span));
        Assert.Equal("1", Encoding.UTF8.GetString(Assert.Single(scanned).Value.Span));
        Assert.Equal(["key=2", "other=3"], TextsOf(owned, "totals"));
    }

    [Fact]
    public async Task Stores_partitions_and_groups_have_state_of_their_own()
    {
        var topic = await CreateTopicAsync(partitions: 2);
        await using var payments = new GroupDriver(Engine, Subscription(topic, "payments"), Cancellation);
        await using var inventory = new GroupDriver(Engine, Subscription(topic, "inventory"), Cancellation);
        var one = await payments.JoinAsync();
        var other = await inventory.JoinAsync();
        await payments.UntilOwnedAsync(2);
        await inventory.UntilOwnedAsync(2);

        await ChangeAsync(one.Owned[0], commit => commit.Put("totals", Bytes("key"), Bytes("payments 0")));
        await ChangeAsync(one.Owned[1], commit => commit.Put("totals", Bytes("key"), Bytes("payments 1")));
        await ChangeAsync(one.Owned[0], commit => commit.Put("counts", Bytes("key"), Bytes("counted")));
        await ChangeAsync(other.Owned[1], commit => commit.Put("totals", Bytes("key"), Bytes("inventory 1")));

        Assert.Equal(["key=payments 0"], TextsOf(one.Owned[0], "totals"));
        Assert.Equal(["key=counted"], TextsOf(one.Owned[0], "counts"));
        Assert.Equal(["key=payments 1"], TextsOf(one.Owned[1], "totals"));
        Assert.Empty(one.Owned[1].Scan("counts"));
        Assert.Empty(other.Owned[0].Scan("totals"));
        Assert.Equal(["key=inventory 1"], TextsOf(other.Owned[1], "totals"));
    }

    [Fact]
    public async Task State_goes_with_its_partition_to_the_next_owner()
    {
        await using var group = await GroupAsync();
        var owned = await OwnAsync(group);
        await ChangeAsync(owned, commit => commit.Put("totals", Bytes("kept"), Bytes("1")));
        await ChangeAsync(owned, commit => commit.Put("totals", Bytes("gone"), Bytes("1")));
        await ChangeAsync(owned, commit => commit.Delete("totals", Bytes("gone")));
        var first = group.Members[0];

        await group.JoinAsync();
        await group.LeaveAsync(first);
        await group.UntilOwnedAsync(1);

        Assert.Equal(["kept=1"], TextsOf(group.Members[0].Owned[0], "totals"));
    }

    [Theory]
    [InlineData(Ending.Graceful)]
    [InlineData(Ending.Crash)]
    public async Task State_after_many_random_changes_and_restarts_is_as_a_dictionary_says(Ending ending)
    {
        var random = Seeded();
        var topic = await CreateTopicAsync();
        var expected = new SortedDictionary<string, string>(StringComparer.Ordinal);

        for (var start = 0; start < 3; start++)
        {
            var group = new GroupDriver(Engine, Subscription(topic, "payments"), Cancellation);
            var owned = await OwnAsync(group);
            Assert.Equal(expected.Select(entry => $"{entry.Key}={entry.Value}"), TextsOf(owned, "totals"));
            for (var number = 0; number < 40; number++) await ChangeAsync(owned, commit => ChangeRandomly(commit, expected, random));
            Assert.Equal(expected.Select(entry => $"{entry.Key}={entry.Value}"), TextsOf(owned, "totals"));
            if (ending == Ending.Graceful) await group.DisposeAsync();
            await ReopenAsync(ending);
        }

        await using var last = new GroupDriver(Engine, Subscription(topic, "payments"), Cancellation);
        Assert.Equal(expected.Select(entry => $"{entry.Key}={entry.Value}"), TextsOf(await OwnAsync(last), "totals"));
    }

    [Fact]
    public async Task State_may_be_read_while_commits_change_it()
    {
        await using var group = await GroupAsync();
        var owned = await OwnAsync(group);
        await ChangeAsync(owned, commit => commit.Put("totals", Bytes("key"), Bytes("0")));
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);

        var reading = Task.Run(() =>
        {
            var last = 0;
            while (!stop.IsCancellationRequested)
            {
                var now = int.Parse(TextOf(owned, "totals", "key")!, System.Globalization.CultureInfo.InvariantCulture);
                Assert.True(now >= last, $"{now} came after {last}.");
                last = now;
            }
        }, Cancellation);
        for (var number = 1; number <= 200; number++)
            await ChangeAsync(owned, commit => commit.Put("totals", Bytes("key"), Bytes($"{number}")));
        await stop.CancelAsync();
        await reading;

        Assert.Equal("200", TextOf(owned, "totals", "key"));
    }

    private static void ChangeRandomly(Commit commit, SortedDictionary<string, string> expected, Random random)
    {
        for (var change = random.Next(1, 6); change > 0; change--)
        {
            var key = $"key-{random.Next(30):00}";
            if (random.Next(3) == 0)
            {
                commit.Delete("totals", Bytes(key));
                expected.Remove(key);
                continue;
            }

            var value = new string((char)('a' + random.Next(26)), random.Next(200));
            commit.Put("totals", Bytes(key), Bytes(value));
            expected[key] = value;
        }
    }

    private GroupSubscription Subscription(string topic, string name) => new() { Group = Named(name), Topics = [topic] };

    private async ValueTask<GroupDriver> GroupAsync() => new(Engine, Subscription(await CreateTopicAsync(), "payments"), Cancellation);

    private static async ValueTask<OwnedPartition> OwnAsync(GroupDriver group)
    {
        var member = await group.JoinAsync();
        await group.UntilOwnedAsync(1);
        return member.Owned[0];
    }

    private async ValueTask ChangeAsync(OwnedPartition owned, Action<Commit> change)
    {
        using var commit = new Commit();
        change(commit);
        (await owned.CommitAsync(commit, Cancellation)).RequireCommitted();
    }

    private static string? TextOf(OwnedPartition owned, string store, string key) =>
        owned.TryGet(store, Bytes(key), out var value) ? Encoding.UTF8.GetString(value.Span) : null;

    private static IEnumerable<string> TextsOf(OwnedPartition owned, string store) =>
        owned.Scan(store).Select(entry => $"{Encoding.UTF8.GetString(entry.Key.Span)}={Encoding.UTF8.GetString(entry.Value.Span)}");
}
