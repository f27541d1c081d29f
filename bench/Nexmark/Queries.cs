using Millrace.Streams;

namespace Nexmark;

/// <summary>The queries as topologies. With more than one worker, keys go between workers; with one, nothing moves.</summary>
internal static class Queries
{
    public const string Source = "events";

    private const long DayMilliseconds = 86_400_000;

    public static string[] Names { get; } = ["q0", "q1", "q2", "q3", "q5", "q7", "q8", "q11", "q17", "q18", "q20"];

    /// <param name="query">Which.</param>
    /// <param name="parallelism">How many workers.</param>
    /// <param name="tally">Where rows are counted.</param>
    /// <param name="source">How events are read; as the workers' generators push them when null.</param>
    public static StreamTopology Build(string query, int parallelism, Tally tally, SourceOptions<Event>? source = null)
    {
        var topology = new StreamTopology(query);
        var events = source is null
            ? topology.From(Source, new SourceOptions<Event> { OutOfOrderness = null, IdleAfter = null })
            : topology.From(Source, source).Where(e => e.Kind != EventKind.End);
        var moves = parallelism > 1 ? Partitioning.ThroughTopic : Partitioning.InPlace;
        switch (query)
        {
            case "q0":
                Bids(events).To(tally.Sink<BidRow>);
                break;
            case "q1":
                Bids(events).Select(b => new PricedRow(b.Auction, b.Bidder, 0.908m * b.Price, b.Time, b.ExtraAt, b.ExtraLength))
                    .To(tally.Sink<PricedRow>);
                break;
            case "q2":
                events.Where(e => e.Kind == EventKind.Bid && e.Auction % 123 == 0).Select(e => new Numbers(e.Auction, e.Price, 0, 0))
                    .To(tally.Sink<Numbers>);
                break;
            case "q3":
                LocalItems(events, moves, tally);
                break;
            case "q5":
                HotItems(events, moves, tally);
                break;
            case "q7":
                HighestBid(events, moves, tally);
                break;
            case "q8":
                NewUsers(events, moves, tally);
                break;
            case "q11":
                events.Where(IsBid).Select(e => e.Bidder).KeyBy(bidder => bidder, partitioning: moves)
                    .Window(Session.WithGap(10.Seconds())).Count()
                    .Select(s => new Numbers(s.Key, s.Value, s.Window.Start, s.Window.End)).To(tally.Sink<Numbers>);
                break;
            case "q17":
                events.Where(IsBid).Select(e => new Numbers(e.Auction, e.Price, e.Time / DayMilliseconds, 0))
                    .KeyBy(b => (b.One, b.Three), Codecs.Pairs, partitioning: moves, through: Codecs.Numbers)
                    .Window(GlobalWindow.All).TriggeredBy(Trigger.OnUpdate).Aggregate(new Statistics(), Codecs.Statistics)
                    .Select(s => s.Value).To(tally.Sink<StatisticsRow>);
                break;
            case "q18":
                Bids(events).KeyBy(b => (b.Bidder, b.Auction), Codecs.Pairs, partitioning: moves, through: Codecs.Bids)
                    .Window(GlobalWindow.All).TriggeredBy(Trigger.OnUpdate)
                    .Reduce((known, next) => next.Time >= known.Time ? next : known, Codecs.Bids)
                    .Select(s => s.Value).To(tally.Sink<BidRow>);
                break;
            case "q20":
                Expand(events, moves, tally);
                break;
            default:
                throw new ArgumentException($"There is no query '{query}' here; there are {string.Join(", ", Names)}.", nameof(query));
        }

        return topology;
    }

    private static bool IsBid(Event one) => one.Kind == EventKind.Bid;

    private static DataStream<BidRow> Bids(DataStream<Event> events) => events.Where(IsBid).Select(BidOf);

    private static BidRow BidOf(Event e) => new(e.Auction, e.Bidder, e.Price, e.Time, e.ExtraAt, e.ExtraLength, e.Channel);

    private static void LocalItems(DataStream<Event> events, Partitioning moves, Tally tally) =>
        events
            .Where(e => e.Kind == EventKind.Person
                ? Generator.StateName(e.State) is "OR" or "ID" or "CA"
                : e.Kind == EventKind.Auction && e.Category == 10)
            .Select(e => e.Kind == EventKind.Person
                ? new Party(true, e.Id, e.Id, e.Name, e.City, e.State)
                : new Party(false, e.Seller, e.Id, 0, 0, 0))
            .KeyBy(p => p.Key, partitioning: moves, through: Codecs.Parties)
            .Process(() => new SellersJoin()).To(tally.Sink<Numbers>);

    /// <summary>Panes of two seconds first, one change per bid; then windows of five panes; then the greatest counts of each
    /// window.</summary>
    private static void HotItems(DataStream<Event> events, Partitioning moves, Tally tally) =>
        events.Where(IsBid).Select(e => e.Auction).KeyBy(auction => auction, partitioning: moves)
            .Window(Tumbling.Of(2.Seconds())).Count()
            .KeyBy(pane => pane.Key, partitioning: Partitioning.InPlace)
            .Window(Hopping.Of(10.Seconds(), 2.Seconds())).Sum(pane => pane.Value)
            .Select(count => new Numbers(count.Key, count.Value, count.Window.End, 0))
            .KeyBy(count => count.Three, partitioning: moves, through: Codecs.Numbers)
            .Window(Tumbling.Of(2.Seconds())).Aggregate(new Greatest(), Codecs.Lists)
            .SelectMany<Numbers>((top, say) => top.Value.ForEach(say)).To(tally.Sink<Numbers>);

    /// <summary>The greatest of each source's windows first, then of all.</summary>
    private static void HighestBid(DataStream<Event> events, Partitioning moves, Tally tally) =>
        events.Where(IsBid).Select(e => new Numbers(e.Auction, e.Price, e.Bidder, e.Time))
            .KeyBy(_ => 0, partitioning: Partitioning.InPlace)
            .Window(Tumbling.Of(10.Seconds())).Aggregate(new Greatest(), Codecs.Lists)
            .SelectMany<Numbers>((top, say) => top.Value.ForEach(say))
            .KeyBy(_ => 0, partitioning: moves, through: Codecs.Numbers)
            .Window(Tumbling.Of(10.Seconds())).Aggregate(new Greatest(), Codecs.Lists)
            .SelectMany<Numbers>((top, say) => top.Value.ForEach(say)).To(tally.Sink<Numbers>);

    private static void NewUsers(DataStream<Event> events, Partitioning moves, Tally tally) =>
        events.Where(e => e.Kind != EventKind.Bid)
            .Select(e => e.Kind == EventKind.Person ? new Numbers(e.Id, 1, e.Name, 0) : new Numbers(e.Seller, 0, 0, 0))
            .KeyBy(p => p.One, partitioning: moves, through: Codecs.Numbers)
            .Window(Tumbling.Of(10.Seconds())).Aggregate(new Newcomer(), Codecs.Numbers)
            .Where(w => w.Value.One > 0 && w.Value.Two > 0)
            .Select(w => new Numbers(w.Key, w.Value.Three, w.Window.Start, 0)).To(tally.Sink<Numbers>);

    private static void Expand(DataStream<Event> events, Partitioning moves, Tally tally) =>
        events.Where(e => e.Kind != EventKind.Person)
            .Select(e => e.Kind == EventKind.Bid ? new Item(BidOf(e), null) : new Item(default, AuctionOf(e)))
            .KeyBy(i => i.Auction?.Id ?? i.Bid.Auction, partitioning: moves, through: Codecs.Items)
            .Process(() => new AuctionJoin()).To(tally.Sink<JoinedRow>);

    private static AuctionBox AuctionOf(Event e) => new(
        e.Id, e.Seller, e.Category, e.InitialBid, e.Reserve, e.Time, e.Expires, e.Text1, e.Text2,
        ((long)e.ExtraAt << 32) | (uint)e.ExtraLength);
}

/// <summary>A person, or an auction by its seller.</summary>
internal readonly record struct Party(bool IsPerson, long Key, long Id, int Name, int City, int State);

/// <summary>An auction as it is kept: once, and pointed to.</summary>
internal sealed record AuctionBox(
    long Id, long Seller, long Category, long InitialBid, long Reserve, long Time, long Expires,
    string Item, string Description, long Extra)
{
    public AuctionRow Row => new(Id, Seller, Category, InitialBid, Reserve, Time, Expires, Item, Description, Extra);
}

/// <summary>A bid, or an auction.</summary>
internal readonly record struct Item(BidRow Bid, AuctionBox? Auction);

internal sealed class SellersJoin : ProcessFunction<long, Party, Numbers>
{
    private ValueState<Party> _person = null!;
    private ListState<long> _auctions = null!;

    public override void Open(StateDeclarations states)
    {
        _person = states.Value("person", new StateOptions<Party> { Codec = Codecs.Parties });
        _auctions = states.List<long>("auctions");
    }

    public override void OnRecord(Party value, ProcessContext<long, Numbers> context)
    {
        if (value.IsPerson)
        {
            _person.Value = value;
            foreach (var auction in _auctions.Items) Say(value, auction, context);
            _auctions.Clear();
            return;
        }

        if (_person.HasValue) Say(_person.Value, value.Id, context);
        else _auctions.Add(value.Id);
    }

    private static void Say(Party person, long auction, ProcessContext<long, Numbers> context) =>
        context.Say(new Numbers(person.Name, person.City, person.State, auction));
}

/// <summary>Auctions of category 10 with their bids. Bids wait for their auction; those of another category are forgotten when it
/// comes.</summary>
internal sealed class AuctionJoin : ProcessFunction<long, Item, JoinedRow>
{
    private const long Wanted = 10;

    private ValueState<AuctionBox> _auction = null!;
    private ListState<BidRow> _waiting = null!;

    public override void Open(StateDeclarations states)
    {
        _auction = states.Value("auction", new StateOptions<AuctionBox> { Codec = Codecs.Auctions });
        _waiting = states.List("waiting", new StateOptions<BidRow> { Codec = Codecs.Bids });
    }

    public override void OnRecord(Item value, ProcessContext<long, JoinedRow> context)
    {
        if (value.Auction is { } auction)
        {
            _auction.Value = auction;
            if (auction.Category == Wanted)
            {
                foreach (var bid in _waiting.Items) context.Say(new JoinedRow(bid, auction.Row));
            }

            _waiting.Clear();
            return;
        }

        if (_auction.Value is not { } known) _waiting.Add(value.Bid);
        else if (known.Category == Wanted) context.Say(new JoinedRow(value.Bid, known.Row));
    }
}

/// <summary>The records whose second number is the greatest.</summary>
internal sealed class Greatest : IAggregate<Numbers, List<Numbers>, List<Numbers>>
{
    public List<Numbers> Create() => [];

    public List<Numbers> Add(List<Numbers> accumulator, Numbers value)
    {
        if (accumulator.Count > 0)
        {
            var top = accumulator[0].Two;
            if (value.Two < top) return accumulator;
            if (value.Two > top) accumulator.Clear();
        }

        accumulator.Add(value);
        return accumulator;
    }

    public List<Numbers> Merge(List<Numbers> left, List<Numbers> right)
    {
        foreach (var value in right) Add(left, value);
        return left;
    }

    public List<Numbers> Result(List<Numbers> accumulator) => accumulator;
}

/// <summary>Whether a person and whether an auction of theirs was seen; and the person's name.</summary>
internal sealed class Newcomer : IAggregate<Numbers, Numbers, Numbers>
{
    public Numbers Create() => default;

    public Numbers Add(Numbers accumulator, Numbers value) => value.Two == 1
        ? accumulator with { One = 1, Three = value.Three }
        : accumulator with { Two = 1 };

    public Numbers Merge(Numbers left, Numbers right) => throw new NotSupportedException("These windows never merge.");

    public Numbers Result(Numbers accumulator) => accumulator;
}

/// <summary>Counts by price, least, greatest and sum of an auction's bids of a day.</summary>
internal sealed class Statistics : IAggregate<Numbers, StatisticsBox, StatisticsRow>
{
    public StatisticsBox Create() => new();

    public StatisticsBox Add(StatisticsBox box, Numbers bid)
    {
        var price = bid.Two;
        box.Auction = bid.One;
        box.Day = bid.Three;
        box.Total++;
        if (price < 10_000) box.Low++;
        else if (price < 1_000_000) box.Middle++;
        else box.High++;
        box.Least = Math.Min(box.Least, price);
        box.Greatest = Math.Max(box.Greatest, price);
        box.Sum += price;
        return box;
    }

    public StatisticsBox Merge(StatisticsBox left, StatisticsBox right) => throw new NotSupportedException("These windows never merge.");

    public StatisticsRow Result(StatisticsBox box) =>
        new(box.Auction, box.Day, box.Total, box.Low, box.Middle, box.High, box.Least, box.Greatest, box.Sum);
}

/// <summary>The statistics so far.</summary>
internal sealed class StatisticsBox
{
    public long Auction, Day, Total, Low, Middle, High, Greatest, Sum;
    public long Least = long.MaxValue;
}
