using Confluent.Kafka;
using Millrace.Servers;
using Millrace.Kafka.Writing;

namespace Millrace.Kafka.Tests;

/// <summary>What the writer does when transactions do not end as they should.</summary>
public sealed class TransactionTests : EngineRig
{
    [Fact]
    public async Task A_transaction_whose_answer_was_lost_is_looked_up_by_its_record()
    {
        var engine = await OpenAsync();
        var topic = await CreateTopicAsync(engine);
        var context = engine.Context;
        using var producer = engine.Clients.Producer($"lost-{Unique}");
        producer.InitTransactions(TimeSpan.FromSeconds(10));

        var committed = Send(producer, topic);
        producer.CommitTransaction();
        var aborted = Send(producer, topic);
        producer.AbortTransaction();

        Assert.True(Witnesses.HasHappened(context, new TopicPartition(topic, 0), committed));
        Assert.False(Witnesses.HasHappened(context, new TopicPartition(topic, 0), aborted));
    }

    [Fact]
    public async Task Two_engines_of_one_name_end_with_a_failure_that_says_so()
    {
        var name = $"twin-{Unique}";
        var one = await OpenAsync(options => options with { InstanceId = name });
        var other = await OpenAsync(options => options with { InstanceId = name });
        var topic = await CreateTopicAsync(one, partitions: 2);

        MillraceException? failure = null;
        for (var number = 0; failure is null; number++)
        {
            failure = await TryAppendAsync(one, topic, $"one {number}") ?? await TryAppendAsync(other, topic, $"other {number}");
        }

        Assert.Equal(FailureCodes.Stopped, failure.Code);
        Assert.Contains($"millrace-{name}", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_crashed_instance_leaves_nothing_open_once_it_starts_again()
    {
        var name = $"crashed-{Unique}";
        var engine = await OpenAsync();
        var topic = await CreateTopicAsync(engine);
        var crashed = engine.Clients.Producer($"millrace-{name}");
        crashed.InitTransactions(TimeSpan.FromSeconds(10));
        Send(crashed, topic);
        crashed.Dispose(); // as a crash: neither committed nor aborted

        await OpenAsync(options => options with { InstanceId = name });
        await engine.AppendAsync(new TopicPartition(topic, 0), batch => batch.Add(1, Bytes("k"), Bytes("after")), null, Cancellation);
        using var reader = engine.OpenReader(new TopicPartition(topic, 0), 0);
        using var fetched = await reader.ReadAsync(1 << 20, Cancellation);

        Assert.Equal(["after"], Contract.SeenRecord.AllOf(fetched).Select(record => record.Text));
    }

    [Fact]
    public async Task Records_that_a_broker_has_and_did_not_answer_are_not_taken_for_those_of_the_next_try()
    {
        Assert.SkipUnless(KafkaBroker.CanStart, KafkaBroker.WhyAbsent);
        await using var proxy = new MutingProxy();
        await using var broker = await KafkaBroker.StartAsync(KafkaBroker.Advertising(proxy.Address));
        proxy.Target(broker.Port);
        var engine = await OpenAsync(options => options with
        {
            BootstrapServers = proxy.Address, TransactionTimeout = TimeSpan.FromSeconds(2),
        });
        var topic = await CreateTopicAsync(engine);
        await using (var group = Group(engine, topic))
        {
            var member = await group.JoinAsync();
            await group.UntilOwnedAsync(1);
            for (var number = 0; number < 3; number++)
            {
                using var commit = new Commit();
                commit.To(new TopicPartition(topic, 0)).Add(1, Bytes("k"), Bytes($"{number}"));
                proxy.Arm();
                (await member.Owned[0].CommitAsync(commit, Cancellation)).RequireCommitted();
            }
        }

        await engine.AppendAsync(new TopicPartition(topic, 0), batch => batch.Add(1, Bytes("k"), Bytes("after")), null, Cancellation);
        using var reader = engine.OpenReader(new TopicPartition(topic, 0), 0);
        var texts = new List<string>();
        while (texts.LastOrDefault() != "after")
        {
            using var fetched = await reader.ReadAsync(1 << 20, Cancellation);
            texts.AddRange(Contract.SeenRecord.AllOf(fetched).Select(record => record.Text));
        }

        await engine.DisposeAsync();
        Assert.True(proxy.HasMuted);
        Assert.Equal(["0", "1", "2", "after"], texts);
    }

    [Fact]
    public async Task A_record_that_is_too_large_is_refused_alone()
    {
        var engine = await OpenAsync();
        var topic = await CreateTopicAsync(engine, partitions: 2);
        var large = new byte[engine.Options.RecordBytesMax + 1];

        var commits = Enumerable.Range(0, 9).Select(
            number => CommitAsync(engine, topic, number == 4 ? large : Bytes($"{number}"))).ToList();
        var failure = await Assert.ThrowsAsync<MillraceException>(() => commits[4]);
        commits.RemoveAt(4);
        await Task.WhenAll(commits);

        Assert.Equal(FailureCodes.TooLarge, failure.Code);
    }

    [Fact]
    public async Task Positions_are_committed_again_while_nothing_happens()
    {
        var engine = await OpenAsync(options => options with { PositionsRefreshInterval = TimeSpan.FromSeconds(1) });
        var topic = await CreateTopicAsync(engine);
        await using var group = Group(engine, topic);
        var member = await group.JoinAsync();
        await group.UntilOwnedAsync(1);
        using var watching = new ConsumerBuilder<byte[], byte[]>(new ConsumerConfig
        {
            BootstrapServers = TestBroker.Address,
            GroupId = "watching",
            AutoOffsetReset = AutoOffsetReset.Earliest,
            IsolationLevel = IsolationLevel.ReadCommitted,
        }).Build();
        watching.Assign(Enumerable.Range(0, 4).Select(p => new Confluent.Kafka.TopicPartition("__consumer_offsets", p)));

        // Each commit of a position is a record whose key holds the group and the topic.
        for (var seen = 0; seen < 2;)
        {
            var result = watching.Consume(Cancellation);
            if (result.Message.Key is { } key && Contains(key, Bytes($"group-{Unique}")) && Contains(key, Bytes(topic))) seen++;
        }

        Assert.True(member.Owned.ContainsKey(0));
    }

    private static bool Contains(byte[] bytes, byte[] part) => bytes.AsSpan().IndexOf(part) >= 0;

    private static long Send(IProducer<byte[]?, byte[]?> producer, string topic)
    {
        producer.BeginTransaction();
        var sent = new TaskCompletionSource<long>();
        producer.Produce(new Confluent.Kafka.TopicPartition(topic, 0), new Message<byte[]?, byte[]?> { Value = [1] },
            report => sent.SetResult(report.Offset.Value));
        producer.Flush(TimeSpan.FromSeconds(10));
        return sent.Task.Result;
    }

    private async Task CommitAsync(Engine engine, string topic, byte[] value)
    {
        using var commit = new Commit();
        for (var partition = 0; partition < 2; partition++) commit.To(new TopicPartition(topic, partition)).Add(1, Bytes("k"), value);
        (await engine.CommitAsync(commit, Cancellation)).RequireCommitted();
    }

    private async Task<MillraceException?> TryAppendAsync(Engine engine, string topic, string text)
    {
        try
        {
            await CommitAsync(engine, topic, Bytes(text));
            return null;
        }
        catch (MillraceException failure)
        {
            return failure;
        }
    }
}
