using Microsoft.Extensions.Time.Testing;
using Millrace.Servers;
using Millrace.Contract;

namespace Millrace.Kafka.Tests;

/// <summary>The runtime on Kafka. Two engines stand for two processes: nothing but the broker is between them.</summary>
public sealed class RuntimeTests : EngineRig
{
    private const int Partitions = 4;

    /// <summary>Small reads and commits, so that there are many, and pauses that nobody notices.</summary>
    private static readonly ProcessorRuntimeOptions Small = new()
    {
        FetchBytesMax = 1024,
        CommitRecordsMax = 3,
        RestartBackoffMin = TimeSpan.FromMilliseconds(1),
        RestartBackoffMax = TimeSpan.FromMilliseconds(50),
        Seed = 7,
    };

    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 1, 25, 10, 30, 0, TimeSpan.Zero));

    private string In => Named("in");

    private string Out => Named("out");

    [Fact]
    public async Task Processes_that_come_and_go_under_load_lose_nothing_and_do_nothing_twice()
    {
        var (one, other) = (await OpenKeepingAsync(), await OpenKeepingAsync());
        await CreateTopicsAsync(one, Partitions, In, Out);
        await using var first = await StartAsync(one, Small, Counter());
        var load = LoadAsync(one, out var end);

        for (var round = 0; round < 3; round++)
        {
            var (counter, hasWorked) = CounterThatTells(calls: 10);
            await using var second = await StartAsync(other, Small, counter);
            await hasWorked.WaitAsync(Cancellation);
            await second.StopAsync(Cancellation);
            await first.WaitUntilAsync(statuses => statuses[0].Partitions.Count == Partitions, Cancellation);
        }

        await end.CancelAsync();
        var rounds = await load;
        await first.WaitUntilIdleAsync(Cancellation);

        await AssertCountedAsync(one, rounds);
    }

    [Fact]
    public async Task The_work_of_an_engine_that_is_closed_under_its_runtime_goes_on_in_the_other_process()
    {
        var (closing, staying) = (await OpenKeepingAsync(), await OpenKeepingAsync());
        await CreateTopicsAsync(staying, Partitions, In, Out);
        var (counter, hasWorked) = CounterThatTells(calls: 10);
        await using var second = await StartAsync(staying, Small, Counter());
        await using var first = await StartAsync(closing, Small, counter);
        var load = LoadAsync(staying, out var end);
        await hasWorked.WaitAsync(Cancellation);

        await closing.DisposeAsync();
        await first.WaitUntilAsync(statuses => statuses[0].State == ProcessorState.Failed, Cancellation);
        await second.WaitUntilAsync(statuses => statuses[0].Partitions.Count == Partitions, Cancellation);
        await end.CancelAsync();
        var rounds = await load;
        await second.WaitUntilIdleAsync(Cancellation);

        await AssertCountedAsync(staying, rounds);
    }

    [Fact]
    public async Task While_the_broker_is_gone_a_processor_backs_off_and_it_goes_on_once_the_broker_is_back()
    {
        Assert.SkipUnless(KafkaBroker.CanStart, KafkaBroker.WhyAbsent);
        await using var broker = await KafkaBroker.StartAsync();
        var patient = TestBroker.KeepingOptions with { BootstrapServers = broker.Address };
        await using var feed = await KafkaEngine.OpenAsync(patient, Cancellation);
        await CreateTopicsAsync(feed, 1, In, Out);
        await using var engine = await KafkaEngine.OpenAsync(patient with
        {
            DeliveryTimeout = TimeSpan.FromSeconds(1),
            SessionTimeout = TimeSpan.FromMinutes(2), // a member that lost its partitions has none that could back off
        }, Cancellation);
        var (entered, release) = (new TaskCompletionSource(), new TaskCompletionSource());
        await using var letGo = Cancellation.Register(() => release.TrySetCanceled()); // a test that fails here must not hang
        var processor = Scripted.Define(Named("counter"), In, scope => new Scripted
        {
            OnRecords = async (fetched, _) =>
            {
                entered.TrySetResult();
                await release.Task;
                foreach (var record in SeenRecord.AllOf(fetched)) Scripted.Count(scope, Out, record.Text);
            },
        });
        await using var runtime = await StartAsync(engine, Small, processor);
        await AppendAsync(feed, In, 0, "k");
        await entered.Task.WaitAsync(Cancellation);

        await broker.KillAsync();
        release.SetResult();
        await runtime.WaitUntilAsync(statuses => statuses[0].State == ProcessorState.BackingOff, Cancellation);
        await broker.StartAgainAsync();
        await runtime.WaitUntilIdleAsync(Cancellation);
        await AppendAsync(feed, In, 0, "k");
        await runtime.WaitUntilIdleAsync(Cancellation);

        Assert.Equal(["k#1", "k#2"], await ReadAsync(feed, Out, 1));
        Assert.NotNull(runtime.Statuses[0].Failure);
    }

    [Fact]
    public async Task Idle_waits_for_what_processors_said_to_one_another_in_a_ring()
    {
        const int Hops = 6, PerRound = 12;
        var engine = await OpenKeepingAsync();
        string[] ring = [Named("ring-a"), Named("ring-b"), Named("ring-c")];
        await CreateTopicsAsync(engine, Partitions, [.. ring, Out]);
        var processors = ring.Select((topic, at) => Scripted.ForEach(Named($"hop-{at}"), topic, (scope, text) =>
        {
            var (name, left) = (text.Split('=')[0], int.Parse(text.Split('=')[1], null));
            var to = left > 0 ? ring[(at + 1) % ring.Length] : Out;
            scope.To(to, Bytes(text)).Add(1, Bytes(name), Bytes($"{name}={left - 1}"));
        }));
        await using var runtime = await StartAsync(engine, Small, [.. processors]);

        for (var round = 1; round <= 5; round++)
        {
            for (var number = 0; number < PerRound; number++)
                await AppendAsync(engine, ring[number % ring.Length], number % Partitions, $"{round}.{number}={Hops}");
            await runtime.WaitUntilIdleAsync(Cancellation);

            Assert.Equal(round * PerRound, (await ReadAsync(engine, Out, Partitions)).Count);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Timers_survive_a_restart_and_fire_once_though_nothing_else_is_left_to_do(bool hasDirectory)
    {
        KafkaOptions Options(KafkaOptions options) => options with { StateDirectory = hasDirectory ? Path.Combine(Folder, "state") : null };
        var engine = await OpenKeepingAsync(Options);
        await CreateTopicsAsync(engine, 1, In, Out);
        await AppendAsync(engine, In, 0, "k=set t 5");
        await AppendAsync(engine, In, 0, "k=set gone 5");
        await AppendAsync(engine, In, 0, "k=set later 90");
        await RunUntilIdleAsync(engine, Timers());
        await AppendAsync(engine, In, 0, "k=cancel gone 0");
        await RunUntilIdleAsync(engine, Timers());
        await engine.DisposeAsync();

        var again = await OpenKeepingAsync(Options);
        _time.Advance(TimeSpan.FromSeconds(30));
        await RunUntilIdleAsync(again, Timers());
        await RunUntilIdleAsync(again, Timers());

        Assert.Equal(["t k"], await ReadAsync(again, Out, 1));
    }

    [Fact]
    public async Task A_processor_that_fails_at_every_third_call_gives_the_output_and_state_of_one_that_never_fails()
    {
        var (output, state) = await CountTwiceAsync("sound", failAt: int.MaxValue);

        var (outputWithFailures, stateWithFailures) = await CountTwiceAsync("failing", failAt: 3);

        Assert.Equal(60, output.Count);
        Assert.Equal(output, outputWithFailures);
        Assert.Equal(state, stateWithFailures);
    }

    [Fact]
    public async Task A_group_that_begins_at_the_latest_passes_over_nothing_that_came_after_its_start()
    {
        var engine = await OpenKeepingAsync();
        await CreateTopicsAsync(engine, 1, In, Out);
        await AppendAsync(engine, In, 0, "before");
        var hasFailed = false;
        var processor = Scripted.ForEach(Named("latest"), In, (scope, text) =>
        {
            if (!hasFailed)
            {
                hasFailed = true;
                throw new InvalidOperationException("Fails once, before the first commit of a record.");
            }

            Scripted.Count(scope, Out, text);
        }) with { OffsetReset = OffsetReset.Latest };
        await using (var runtime = await StartAsync(engine, Small, processor))
        {
            await runtime.WaitUntilIdleAsync(Cancellation);
            await AppendAsync(engine, In, 0, "after");
            await runtime.WaitUntilIdleAsync(Cancellation);
        }

        await AppendAsync(engine, In, 0, "between");
        await RunUntilIdleAsync(engine, processor);

        Assert.True(hasFailed);
        Assert.Equal(["after#1", "between#1"], await ReadAsync(engine, Out, 1));
    }

    [Fact]
    public async Task Companion_topics_are_made_once_though_two_processes_start_at_the_same_time()
    {
        var (one, other) = (await OpenKeepingAsync(), await OpenKeepingAsync());
        await CreateTopicsAsync(one, 3, In);
        var processor = Scripted.ForEach(Named("letters"), In, (_, _) => { }) with { Companions = [new CompanionTopic($"{In}.dlq", In)] };

        await Task.WhenAll(RunUntilIdleAsync(one, processor), RunUntilIdleAsync(other, processor));

        Assert.Equal(3, (await other.FindTopicAsync($"{In}.dlq", Cancellation))?.Partitions.Count);
    }

    private string Named(string name) => $"{name}-{Unique}";

    private Task<KafkaEngine> OpenKeepingAsync(Func<KafkaOptions, KafkaOptions>? change = null) => OpenAsync(options =>
    {
        var keeping = options with { TopicSettings = TestBroker.KeepingOptions.TopicSettings };
        return change?.Invoke(keeping) ?? keeping;
    });

    private async Task CreateTopicsAsync(Engine engine, int partitions, params string[] topics) =>
        await Task.WhenAll(topics.Select(topic => engine.CreateTopicAsync(
            new TopicSpecification { Name = topic, Partitions = partitions }, Cancellation).AsTask()));

    private async Task<ProcessorRuntime> StartAsync(Engine engine, ProcessorRuntimeOptions options, params Processor[] processors)
    {
        var runtime = new ProcessorRuntime(engine, processors, options);
        await runtime.StartAsync(Cancellation);
        return runtime;
    }

    private async Task RunUntilIdleAsync(Engine engine, Processor processor)
    {
        await using var runtime = await StartAsync(engine, Small with { Time = _time }, processor);
        await runtime.WaitUntilIdleAsync(Cancellation);
    }

    private async Task AppendAsync(Engine engine, string topic, int partition, string text) => await engine.AppendAsync(
        new TopicPartition(topic, partition), batch => batch.Add(1, Bytes(text.Split('=')[0]), Bytes(text)), null, Cancellation);

    private async Task<List<string>> ReadAsync(Engine engine, string topic, int partitions)
    {
        var texts = new List<string>();
        var description = await engine.FindTopicAsync(topic, Cancellation);
        foreach (var partition in description!.Partitions.Take(partitions))
        {
            using var reader = engine.OpenReader(new TopicPartition(topic, partition.Partition), 0);
            while (reader.Offset < partition.EndOffset)
            {
                using var fetched = await reader.ReadAsync(1 << 20, Cancellation);
                texts.AddRange(SeenRecord.AllOf(fetched).Select(record => record.Text));
            }
        }

        return texts;
    }

    private Processor Counter() => Scripted.Counter(Named("counter"), In, Out);

    /// <summary>The same, with a task that completes when it was called that often.</summary>
    private (Processor Processor, Task HasWorked) CounterThatTells(int calls)
    {
        var hasWorked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var left = calls;
        return (Scripted.Counter(Named("counter"), In, Out, () =>
        {
            if (Interlocked.Decrement(ref left) == 0) hasWorked.SetResult();
        }), hasWorked.Task);
    }

    /// <summary>Appends one record to each partition, again and again, until it is told to end; the result is how often.</summary>
    private Task<int> LoadAsync(Engine engine, out CancellationTokenSource end)
    {
        var ending = end = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        return Task.Run(async () =>
        {
            var rounds = 0;
            for (; !ending.IsCancellationRequested; rounds++)
            {
                using var commit = new Commit();
                for (var partition = 0; partition < Partitions; partition++)
                    commit.To(new TopicPartition(In, partition)).Add(1, Bytes($"p{partition}"), Bytes($"p{partition}"));
                (await engine.CommitAsync(commit, Cancellation)).RequireCommitted();
            }

            return rounds;
        }, Cancellation);
    }

    private async Task AssertCountedAsync(Engine engine, int rounds)
    {
        var said = await ReadAsync(engine, Out, Partitions);

        for (var partition = 0; partition < Partitions; partition++)
        {
            Assert.Equal(
                Enumerable.Range(1, rounds).Select(count => $"p{partition}#{count}"),
                said.Where(text => text.StartsWith($"p{partition}#", StringComparison.Ordinal)));
        }

        Assert.Equal(rounds * Partitions, said.Count);
    }

    /// <summary>Counts 60 records of 5 keys through two processors, and gives what came out.</summary>
    private async Task<(List<string> Output, string State)> CountTwiceAsync(string name, int failAt)
    {
        var engine = await OpenKeepingAsync();
        var (from, middle, to) = (Named($"{name}-in"), Named($"{name}-middle"), Named($"{name}-out"));
        await CreateTopicsAsync(engine, 1, from, middle, to);
        var calls = 0;
        void Fail()
        {
            if (Interlocked.Increment(ref calls) % failAt == 0) throw new InvalidOperationException("The processor fails at this call.");
        }

        for (var number = 0; number < 60; number++) await AppendAsync(engine, from, 0, $"k{number % 5}={number}");
        await using (var runtime = await StartAsync(engine, Small with { FetchBytesMax = 1024 },
            Scripted.Counter(Named($"{name}-first"), from, middle, Fail), Scripted.Counter(Named($"{name}-second"), middle, to, Fail)))
        {
            await runtime.WaitUntilIdleAsync(Cancellation);
        }

        await using var group = new GroupDriver(
            engine, new GroupSubscription { Group = Named($"{name}-second"), Topics = [middle] }, Cancellation);
        var member = await group.JoinAsync();
        await group.UntilOwnedAsync(1);
        return (await ReadAsync(engine, to, 1), string.Join(' ', member.Owned[0].Scan("counts")
            .Select(entry => $"{Text(entry.Key)}={Text(entry.Value)}")));
    }

    private static string Text(ReadOnlyMemory<byte> bytes) => System.Text.Encoding.UTF8.GetString(bytes.Span);

    /// <summary>Records say "set NAME SECONDS" or "cancel NAME 0"; a timer that fires says its name and key.</summary>
    private Processor Timers() => Scripted.Define(Named("timers"), In, scope => new Scripted
    {
        OnRecords = (fetched, _) =>
        {
            foreach (var text in SeenRecord.AllOf(fetched).Select(record => record.Text))
            {
                var (key, words) = (Bytes(text.Split('=')[0]), text.Split('=')[1].Split(' '));
                var due = scope.Time.GetUtcNow().AddSeconds(double.Parse(words[2], null));
                if (words[0] == "set") scope.SetTimer(words[1], key, due);
                else scope.CancelTimer(words[1], key);
            }

            return ValueTask.CompletedTask;
        },
        OnTimer = timer => scope.To(Out, timer.Key.Span).Add(1, timer.Key.Span, Bytes($"{timer.Name} {Text(timer.Key)}")),
    });
}
