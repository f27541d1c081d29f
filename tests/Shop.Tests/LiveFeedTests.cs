using System.Net.ServerSentEvents;
using System.Text.Json;
using Shop.Live;
using Shop.View;

namespace Shop.Tests;

public abstract class LiveFeedTests(Ground ground) : ShopTests(ground)
{
    [Fact]
    public async Task The_feed_begins_with_a_snapshot_and_tells_an_order_to_its_mail()
    {
        await using var shop = await StartAsync();
        await using var stream = await shop.Http.GetStreamAsync("/api/live", RunningShop.Patience);
        var events = SseParser.Create(stream).EnumerateAsync(RunningShop.Patience).GetAsyncEnumerator(RunningShop.Patience);
        Assert.True(await events.MoveNextAsync());
        var first = events.Current;

        var accepted = await shop.PlaceAsync(RunningShop.Order("CUST-1", ("PROD-001", 2)));
        var told = new List<SseItem<string>>();
        while (!IsComplete(told) && await events.MoveNextAsync()) told.Add(events.Current);

        Assert.Equal("snapshot", first.EventType);
        using var snapshot = JsonDocument.Parse(first.Data);
        Assert.Equal(12, snapshot.RootElement.GetProperty("inventory").GetArrayLength());
        Assert.Equal("USD", snapshot.RootElement.GetProperty("currency").GetString());
        Assert.Contains(told, item => item.EventType == "mail" && item.Data.Contains(accepted.OrderId, StringComparison.Ordinal));
        Assert.Contains(told, item => item.EventType == "stock" && item.Data.Contains("\"reserved\":2", StringComparison.Ordinal));
        Assert.Equal(6, told.Count(item => item.EventType == "timeline"));
    }

    [Fact]
    public void A_page_that_falls_behind_gets_a_snapshot_instead_of_what_it_missed()
    {
        var feed = new LiveFeed();
        using var subscriber = feed.Subscribe()!;
        for (var i = 0; i <= LiveSubscriber.ChangesMax; i++)
        {
            var changes = new ViewChanges();
            changes.Orders.Add($"ORD-{i}");
            feed.Post(changes);
        }

        var update = subscriber.Take();

        Assert.Equal((true, 0), (update.IsOverrun, update.Count));
        Assert.Equal((false, 0), (subscriber.Take().IsOverrun, subscriber.Take().Count));
    }

    [Fact]
    public void Too_many_pages_are_refused_and_a_page_that_leaves_makes_room()
    {
        var feed = new LiveFeed();
        var pages = Enumerable.Range(0, LiveFeed.SubscribersMax).Select(_ => feed.Subscribe()!).ToList();

        Assert.Null(feed.Subscribe());
        pages[0].Dispose();
        Assert.NotNull(feed.Subscribe());
    }

    private static bool IsComplete(List<SseItem<string>> told) =>
        told.Exists(item => item.EventType == "mail")
        && told.Exists(item => item.EventType == "order" && item.Data.Contains("CONFIRMED", StringComparison.Ordinal))
        && told.Count(item => item.EventType == "timeline") == 6
        && told.Exists(item => item.EventType == "stats" && item.Data.Contains("\"mails\":1", StringComparison.Ordinal));
}
