using Millrace;
using Shop.Api;
using Shop.Customers;
using Shop.Payments;

namespace Shop.View;

/// <summary>
/// Puts the shop's numbers together: from the view, the provider's books and the groups' lags. Whichever process did the work, what was
/// committed when it is asked is in the numbers. Thread safe.
/// </summary>
internal sealed class StatsSource(Engine engine, ShopView view, ViewReader reader, Ledger books, ReplayProgress replay)
{
    public async ValueTask<ShopStats> ReadAsync(CancellationToken cancellation)
    {
        // The lags first: when a group has finished with all events, then what it said and moved is in what is read after that.
        var positions = await Task.WhenAll(
            Topology.Groups.Select(group => engine.DescribeLagAsync(group.Group, cancellation).AsTask()));
        var topics = await reader.FindTopicsAsync(cancellation);
        await books.CatchUpAsync(cancellation);
        await reader.WaitAsync(topics, cancellation);

        var counts = view.Count();
        var totals = books.Totals;
        return new ShopStats
        {
            Orders = counts.Orders,
            Captured = totals.Captured,
            Refunded = totals.Refunded,
            ConfirmedTotal = counts.ConfirmedTotal,
            Charges = totals.Charges,
            Refunds = totals.Refunds,
            Mails = counts.Mails,
            Events = counts.Events,
            Lag = Lags(positions, topics),
            Replay = replay.Stats,
        };
    }

    /// <summary>How far each group is behind. Of one that never ran anywhere the engine knows nothing: all events are before it.</summary>
    private static SortedDictionary<string, long> Lags(IReadOnlyList<PartitionLag>[] positions, IReadOnlyList<TopicDescription> topics)
    {
        var lags = new SortedDictionary<string, long>(StringComparer.Ordinal);
        for (var i = 0; i < positions.Length; i++)
        {
            var (group, reads) = Topology.Groups[i];
            var known = positions[i].Select(partition => partition.Source.Topic).ToHashSet(StringComparer.Ordinal);
            lags[group] = positions[i].Sum(partition => partition.Lag) + topics
                .Where(topic => reads.Contains(topic.Name, StringComparer.Ordinal) && !known.Contains(topic.Name))
                .Sum(topic => topic.Partitions.Sum(partition => partition.EndOffset - partition.StartOffset));
        }

        return lags;
    }
}
