namespace Millrace.Kafka.Tests;

/// <summary>Who a group waits for when it shares its partitions anew, and for how long.</summary>
public sealed class RebalanceTests : EngineRig
{
    [Theory]
    [InlineData(GroupProtocol.Classic)]
    [InlineData(GroupProtocol.Consumer)]
    public async Task Who_does_not_hand_over_in_time_loses_it_to_the_next_one(GroupProtocol protocol)
    {
        KafkaOptions Short(KafkaOptions options) => options with { RebalanceTimeout = options.SessionTimeout, GroupProtocol = protocol };
        var (slow, other) = (await OpenAsync(Short), await OpenAsync(Short));
        var topic = await CreateTopicAsync(slow, partitions: 2);
        var subscription = new GroupSubscription { Group = $"group-{Unique}", Topics = [topic] };
        await using var holding = await slow.JoinAsync(subscription, Cancellation);
        var owned = await NextAsync<AssignmentChange.Assigned>(holding, change => change.Partitions.Count > 0);
        foreach (var partition in owned.Partitions) await partition.RestoreAsync(Cancellation);

        await using var coming = await other.JoinAsync(subscription, Cancellation);
        var revoked = await NextAsync<AssignmentChange.Revoked>(holding, _ => true); // and is not released
        var held = Assert.Single(revoked.Partitions);
        var assigned = await NextAsync<AssignmentChange.Assigned>(coming, change => change.Partitions.Count > 0);
        var taken = Assert.Single(assigned.Partitions);
        Assert.Equal(held.Partition, taken.Partition);
        await taken.RestoreAsync(Cancellation);
        await PutAsync(taken, ("k", "new"));

        var lost = await NextAsync<AssignmentChange.Lost>(holding, _ => true);
        Assert.Equal([held], lost.Partitions);
        var refused = await Assert.ThrowsAsync<MillraceException>(() => PutAsync(held, ("k", "old")));
        Assert.Equal(FailureCodes.Fenced, refused.Code);
        var kept = Assert.Single(owned.Partitions, partition => partition != held);
        await PutAsync(kept, ("k", "kept"));
        Assert.Equal(["k=new", "k=kept"], [TextsOf(taken), TextsOf(kept)]);
    }
}
