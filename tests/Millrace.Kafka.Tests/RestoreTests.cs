using Confluent.Kafka;
using Millrace.Kafka.State;

namespace Millrace.Kafka.Tests;

/// <summary>What a new owner sees of a transaction that the owner before it has not ended.</summary>
public sealed class RestoreTests : EngineRig
{
    [Fact]
    public async Task Changes_that_follow_their_positions_late_are_restored_with_them()
    {
        var engine = await OpenAsync();
        var topic = await CreateTopicAsync(engine);
        await engine.AppendAsync(new TopicPartition(topic, 0), batch => batch.Add(1, Bytes("k"), Bytes("v")), null, Cancellation);
        var subscription = new GroupSubscription { Group = $"group-{Unique}", Topics = [topic] };
        await using (var first = await engine.JoinAsync(subscription, Cancellation)) // which makes the changelog
        {
            await NextAsync<AssignmentChange.Assigned>(first, change => change.Partitions.Count > 0); // and so leaves at once
        }

        using var before = engine.Clients.Producer($"before-{Unique}");
        before.InitTransactions(TimeSpan.FromSeconds(10));
        before.BeginTransaction();
        SendPositionAsMember(before, subscription.Group, topic, position: 1);

        await using var member = await engine.JoinAsync(subscription, Cancellation);
        var owned = Assert.Single((await NextAsync<AssignmentChange.Assigned>(member, change => change.Partitions.Count > 0)).Partitions);
        var restoring = owned.RestoreAsync(Cancellation).AsTask();
        before.Produce(new Confluent.Kafka.TopicPartition(Changelog.TopicOf(subscription.Group), 0), new Message<byte[]?, byte[]?>
        {
            Key = Changelog.KeyOf(new StateChange("totals", Bytes("k"), null)), Value = Bytes("v"),
        });
        before.CommitTransaction();
        await restoring;

        Assert.Equal([new TopicPosition(topic, 1)], owned.Positions);
        Assert.Equal("k=v", TextsOf(owned));
    }

    /// <summary>Sends a position as the one owner of a group's only partition, who then leaves.</summary>
    private void SendPositionAsMember(IProducer<byte[]?, byte[]?> producer, string group, string topic, long position)
    {
        using var consumer = new ConsumerBuilder<byte[]?, byte[]?>(new ConsumerConfig
        {
            BootstrapServers = TestBroker.Address, GroupId = group, EnableAutoCommit = false,
            PartitionAssignmentStrategy = PartitionAssignmentStrategy.CooperativeSticky,
        }).Build();
        consumer.Subscribe(Changelog.TopicOf(group));
        while (consumer.Assignment.Count == 0)
        {
            Cancellation.ThrowIfCancellationRequested();
            consumer.Consume(TimeSpan.FromMilliseconds(50));
        }

        producer.SendOffsetsToTransaction(
            [new Confluent.Kafka.TopicPartitionOffset(topic, 0, position)], consumer.ConsumerGroupMetadata, TimeSpan.FromSeconds(10));
        consumer.Close();
    }
}
