using Millrace;

namespace Shop.Orders;

/// <summary>Where an order begins: one id is one order, whoever appends it and however often.</summary>
internal interface IOrderJournal
{
    /// <summary>Appends an order durably; false when the id has an order already, which then is the one that counts.</summary>
    ValueTask<bool> TryAppendAsync(OrderCreated order, CancellationToken cancellation);
}

/// <summary>For engines that append conditionally: the record is appended only if its order's id is new. Thread safe.</summary>
internal sealed class ConditionalOrderJournal(Engine engine, EventPublisher publisher) : IOrderJournal
{
    public async ValueTask<bool> TryAppendAsync(OrderCreated order, CancellationToken cancellation)
    {
        using var commit = new Commit();
        await publisher.AddAsync(engine, commit, order, OrderIds.FirstEventOf(order.OrderId), cancellation);
        commit.Expect(OrderTopics.Created, order.OrderId, version: 0, added: 1);
        return await engine.CommitAsync(commit, cancellation) is CommitResult.Committed;
    }
}

/// <summary>
/// For engines that do not: the log's order decides. A record is appended unless the view knows the order; then whichever record of its id
/// is the first in the log is the order, and all readers pass over later ones, which have its event id. Thread safe.
/// </summary>
/// <param name="engine">The engine.</param>
/// <param name="publisher">Says events as the order service.</param>
/// <param name="findOffset">The view's account of first records.</param>
/// <param name="readPast">Waits for the view.</param>
internal sealed class FirstWinsOrderJournal(Engine engine, EventPublisher publisher, FindOrderOffset findOffset, ReadPast readPast)
    : IOrderJournal
{
    public async ValueTask<bool> TryAppendAsync(OrderCreated order, CancellationToken cancellation)
    {
        if (findOffset(order.OrderId) is not null) return false;
        var mine = await publisher.PublishAsync(engine, order, OrderIds.FirstEventOf(order.OrderId), cancellation);
        await readPast(mine.Target, mine.Offset, cancellation);

        // An order's id is its record's key, so all its records are in one partition and their offsets say which is the first.
        return findOffset(order.OrderId) == mine.Offset;
    }
}

/// <summary>The offset of the first record of an order's id, as far as the log was read; null when there was none.</summary>
internal delegate long? FindOrderOffset(string orderId);

/// <summary>Completes when the record at an offset was read.</summary>
internal delegate Task ReadPast(TopicPartition source, long offset, CancellationToken cancellation);
