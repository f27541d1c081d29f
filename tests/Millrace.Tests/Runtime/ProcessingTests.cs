using Millrace.Contract;
using static Millrace.Tests.Runtime.RuntimeRig;

namespace Millrace.Tests.Runtime;

/// <summary>Order, exactly-once over failures, and state that is not committed yet.</summary>
public sealed class ProcessingTests
{
    [Fact]
    public async Task Each_partition_is_processed_in_its_order()
    {
        await using var rig = await OpenAsync(3, "in");
        var seen = new List<string>[] { [], [], [] };
        var processor = Scripted.Define("order", "in", scope => new Scripted
        {
            OnRecords = async (fetched, _) =>
            {
                await Task.Yield();
                seen[scope.Partition].AddRange(Texts(fetched));
            },
        });
        for (var number = 0; number < 300; number++) await rig.AppendAsync("in", number % 3, $"{number}");

        await rig.RunUntilIdleAsync(processor);

        for (var partition = 0; partition < 3; partition++)
            Assert.Equal(Enumerable.Range(0, 100).Select(i => $"{(3 * i) + partition}"), seen[partition]);
    }

    [Fact]
    public async Task Topics_of_one_partition_take_turns()
    {
        await using var rig = await OpenAsync(1, "busy", "quiet");
        var seen = new List<string>();
        for (var number = 0; number < 40; number++) await rig.AppendAsync("busy", 0, $"b{number}={new string('x', 1024)}");
        await rig.AppendAsync("quiet", 0, "q");
        var processor = Scripted.ForEach("turns", "busy", (_, text) => seen.Add(text[..1])) with { Topics = ["busy", "quiet"] };

        await using var runtime = rig.Runtime(rig.Options with { FetchBytesMax = 1024 }, processor);
        await runtime.StartAsync(rig.Cancellation);
        await runtime.WaitUntilIdleAsync(rig.Cancellation);

        Assert.InRange(seen.IndexOf("q"), 0, 2);
        Assert.Equal(41, seen.Count);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(7)]
    public async Task A_processor_that_fails_at_every_kth_call_gives_the_output_and_state_of_one_that_never_fails(int k)
    {
        var (output, state) = await RunAsync(failAt: int.MaxValue, _ => ValueTask.CompletedTask);

        var (outputWithFailures, stateWithFailures) = await RunAsync(k, _ => ValueTask.CompletedTask);

        Assert.Equal(60, output.Count);
        Assert.Equal(output, outputWithFailures);
        Assert.Equal(state, stateWithFailures);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Commits_that_fail_before_or_after_they_happened_change_nothing_about_the_output_and_state(int k)
    {
        var (output, state) = await RunAsync(failAt: int.MaxValue, _ => ValueTask.CompletedTask);

        var (outputWithFailures, stateWithFailures) = await RunAsync(int.MaxValue, number => number % k != 0
            ? ValueTask.CompletedTask
            : throw new MillraceException(FailureCodes.Throttled, "A commit was refused."), lostAnswerAt: 5);

        Assert.Equal(output, outputWithFailures);
        Assert.Equal(state, stateWithFailures);
    }

    [Fact]
    public async Task While_commits_are_under_way_the_next_calls_see_what_they_changed()
    {
        await using var rig = await OpenAsync(1, "in", "out");
        var held = new TaskCompletionSource();
        await using var letGo = rig.Cancellation.Register(() => held.TrySetCanceled()); // a test that fails here must not hang
        var third = new TaskCompletionSource();
        rig.Engine.BeforeCommit = async (_, _) => await held.Task;
        await using var runtime = rig.Runtime(rig.Options with { FetchBytesMax = 1024 }, Scripted.ForEach("counter", "in", (scope, text) =>
        {
            Scripted.Count(scope, "out", text);
            if (text == "c=3") third.SetResult();
        }));
        await runtime.StartAsync(rig.Cancellation);

        await rig.AppendAsync("in", 0, "c=1");
        await runtime.WaitUntilAsync(statuses => InFlight(statuses) == 1, rig.Cancellation);
        await rig.AppendAsync("in", 0, "c=2");
        await runtime.WaitUntilAsync(statuses => InFlight(statuses) == 2, rig.Cancellation);
        await rig.AppendAsync("in", 0, "c=3");
        await third.Task.WaitAsync(rig.Cancellation);
        held.SetResult();
        await runtime.WaitUntilIdleAsync(rig.Cancellation);

        Assert.Equal(["c=1#1", "c=2#2", "c=3#3"], await rig.ReadAsync("out", 0));
    }

    [Fact]
    public async Task A_scan_shows_uncommitted_changes_in_the_order_of_keys()
    {
        await using var rig = await OpenAsync(1, "in");
        var scans = new List<string>();
        var processor = Scripted.ForEach("scan", "in", (scope, text) =>
        {
            if (text[0] == '-') scope.Delete("store", Bytes(text[1..]));
            else scope.Put("store", Bytes(text), Bytes(text.ToUpperInvariant()));
            scans.Add(string.Join(",", scope.Scan("store").Select(entry => Text(entry.Key) + Text(entry.Value))));
        });
        await rig.AppendAsync("in", 0, "b", "d");
        await rig.RunUntilIdleAsync(processor);

        await rig.AppendAsync("in", 0, "c", "-b", "a", "e", "-e");
        await rig.RunUntilIdleAsync(processor);

        Assert.Equal(["bB", "bB,dD", "bB,cC,dD", "cC,dD", "aA,cC,dD", "aA,cC,dD,eE", "aA,cC,dD"], scans);
        Assert.Equal(["a=A", "c=C", "d=D"], await rig.StateAsync("scan", "in", 0, "store"));
    }

    [Fact]
    public async Task Scans_of_ranges_show_what_whole_scans_do_whatever_is_committed_of_it()
    {
        await using var rig = await OpenAsync(1, "in");
        var random = new Random(19);
        var compared = 0;
        var processor = Scripted.ForEach("scan", "in", (scope, text) =>
        {
            foreach (var change in text.Split(' '))
            {
                if (change[0] == '-') scope.Delete("store", Bytes(change[1..]));
                else scope.Put("store", Bytes(change), Bytes(text));
            }

            var whole = scope.Scan("store");
            for (var i = 0; i < 20; i++)
            {
                var (from, to, max) = (Bytes($"{random.Next(40)}"), Bytes($"{random.Next(40)}"), random.Next(1, 12));
                var range = new StateRange { From = from, To = random.Next(2) == 0 ? to : null, EntriesMax = max };
                Assert.Equal(
                    whole.Where(entry => range.Holds(entry.Key.Span)).Take(max).Select(entry => Text(entry.Key) + Text(entry.Value)),
                    scope.Scan("store", range).Select(entry => Text(entry.Key) + Text(entry.Value)));
                compared++;
            }
        });

        for (var run = 0; run < 4; run++)
        {
            for (var record = 0; record < 10; record++)
            {
                var changes = Enumerable.Range(0, random.Next(1, 9)).Select(_ => $"{(random.Next(2) == 0 ? "-" : "")}{random.Next(40)}");
                await rig.AppendAsync("in", 0, string.Join(' ', changes));
            }

            await rig.RunUntilIdleAsync(processor);
        }

        Assert.Equal(800, compared);
    }

    [Fact]
    public async Task Batches_that_are_ready_share_a_commit_up_to_the_limit()
    {
        await using var rig = await OpenAsync(1, "in", "out");
        for (var number = 0; number < 12; number++) await rig.AppendAsync("in", 0, $"k={new string('x', 1024)}");
        await using var runtime = rig.Runtime(
            rig.Options with { FetchBytesMax = 1024, CommitRecordsMax = 4 }, Scripted.Counter("counter", "in", "out"));

        await runtime.StartAsync(rig.Cancellation);
        await runtime.WaitUntilIdleAsync(rig.Cancellation);

        Assert.Equal(3, rig.Engine.Commits);
    }

    [Fact]
    public async Task Nothing_more_is_read_while_too_many_bytes_are_not_durable()
    {
        await using var rig = await OpenAsync(1, "in");
        var held = new TaskCompletionSource();
        await using var letGo = rig.Cancellation.Register(() => held.TrySetCanceled()); // a test that fails here must not hang
        rig.Engine.BeforeCommit = async (_, _) => await held.Task;
        var seen = 0;
        for (var number = 0; number < 64; number++) await rig.AppendAsync("in", 0, $"k={new string('x', 1024)}");
        await using var runtime = rig.Runtime(
            rig.Options with { FetchBytesMax = 1024, UncommittedBytesMax = 8 * 1024, CommitsInFlightMax = 64, CommitRecordsMax = 1 },
            Scripted.ForEach("reader", "in", (_, _) => Interlocked.Increment(ref seen)));

        await runtime.StartAsync(rig.Cancellation);
        await runtime.WaitUntilAsync(statuses => InFlight(statuses) >= 7, rig.Cancellation);
        var seenWhileHeld = Volatile.Read(ref seen);
        held.SetResult();
        await runtime.WaitUntilIdleAsync(rig.Cancellation);

        Assert.InRange(seenWhileHeld, 7, 8);
        Assert.Equal(64, seen);
    }

    [Fact]
    public async Task State_kept_as_objects_is_written_before_the_commit()
    {
        await using var rig = await OpenAsync(1, "in");
        var processor = Scripted.Define("objects", "in", scope =>
        {
            var sum = scope.TryGet("sums", Bytes("sum"), out var kept) ? int.Parse(Text(kept), null) : 0;
            return new Scripted
            {
                OnRecords = (fetched, _) =>
                {
                    sum += Texts(fetched).Sum(text => int.Parse(text, null));
                    return ValueTask.CompletedTask;
                },
                OnCommit = () => scope.Put("sums", Bytes("sum"), Bytes($"{sum}")),
            };
        });

        await rig.AppendAsync("in", 0, "1", "2");
        await rig.RunUntilIdleAsync(processor);
        await rig.AppendAsync("in", 0, "4");
        await rig.RunUntilIdleAsync(processor);

        Assert.Equal(["sum=7"], await rig.StateAsync("objects", "in", 0, "sums"));
    }

    [Fact]
    public async Task A_group_that_begins_at_the_latest_passes_over_nothing_it_has_seen()
    {
        await using var rig = await OpenAsync(1, "in", "out");
        await rig.AppendAsync("in", 0, "before");
        var hasFailed = false;
        var processor = Scripted.ForEach("latest", "in", (scope, text) =>
        {
            if (!hasFailed)
            {
                hasFailed = true;
                throw new InvalidOperationException("Fails once, before the first commit of a record.");
            }

            Scripted.Count(scope, "out", text);
        }) with { OffsetReset = OffsetReset.Latest };
        await using var runtime = await rig.StartAsync(processor);
        await runtime.WaitUntilIdleAsync(rig.Cancellation);

        await rig.AppendAsync("in", 0, "after");
        await runtime.WaitUntilAsync(statuses => statuses[0].State == ProcessorState.BackingOff, rig.Cancellation);
        rig.Time.Advance(TimeSpan.FromMinutes(1));
        await runtime.WaitUntilIdleAsync(rig.Cancellation);

        Assert.Equal(["after#1"], await rig.ReadAsync("out", 0));
    }

    private static int InFlight(IReadOnlyList<ProcessorStatus> statuses) => statuses[0].Partitions.Sum(partition => partition.CommitsInFlight);

    /// <summary>Counts 60 records of 5 keys through two processors, one fetched batch a call, and gives what came out.</summary>
    private static async Task<(List<string> Output, List<string> State)> RunAsync(
        int failAt, Func<int, ValueTask> beforeCommit, int lostAnswerAt = int.MaxValue)
    {
        await using var rig = await OpenAsync(1, "in", "middle", "out");
        rig.Engine.BeforeCommit = (number, _) => beforeCommit(number);
        rig.Engine.AfterCommit = number =>
        {
            if (number % lostAnswerAt == 0) throw new MillraceException(FailureCodes.Throttled, "The answer was lost.");
        };
        for (var number = 0; number < 60; number++) await rig.AppendAsync("in", 0, $"k{number % 5}={number}");
        var calls = 0;
        void Fail()
        {
            if (Interlocked.Increment(ref calls) % failAt == 0) throw new InvalidOperationException("The processor fails at this call.");
        }

        var options = rig.Options with { FetchBytesMax = 1024, CommitRecordsMax = 2, Time = TimeProvider.System, RestartBackoffMax = TimeSpan.FromMilliseconds(1) };
        await using (var runtime = rig.Runtime(options with { RestartBackoffMin = TimeSpan.FromMilliseconds(1) },
            Scripted.Counter("first", "in", "middle", Fail), Scripted.Counter("second", "middle", "out", Fail)))
        {
            await runtime.StartAsync(rig.Cancellation);
            await runtime.WaitUntilIdleAsync(rig.Cancellation);
        }

        return (await rig.ReadAsync("out", 0), await rig.StateAsync("second", "middle", 0, "counts"));
    }
}
