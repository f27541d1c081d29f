namespace Nexmark;

/// <summary>
/// The queries' rows by plain loops over all events, without streams: what <c>--verify</c> compares with. Slow, and in memory. It shares
/// the generator and the form of rows with the run, nothing else.
/// </summary>
internal static class Reference
{
    private const long Second = 1_000;

    public static (long Rows, ulong Checksum) Of(RunOptions options)
    {
        var rows = new List<ulong>();
        switch (options.Query)
        {
            case "q0":
                foreach (var e in Bids(options)) rows.Add(BidOf(e).Hash);
                break;
            case "q1":
                foreach (var e in Bids(options))
                    rows.Add(new PricedRow(e.Auction, e.Bidder, e.Price * 908 / 1000m, e.Time, e.ExtraAt, e.ExtraLength).Hash);
                break;
            case "q2":
                rows.AddRange(Bids(options).Where(e => e.Auction % 123 == 0).Select(e => new Numbers(e.Auction, e.Price, 0, 0).Hash));
                break;
            case "q3":
                LocalItems(options, rows);
                break;
            case "q5":
                HotItems(options, rows);
                break;
            case "q7":
                foreach (var window in Bids(options).Select(BidOf).GroupBy(b => b.Time / (10 * Second)))
                {
                    var top = window.Max(b => b.Price);
                    rows.AddRange(window.Where(b => b.Price == top).Select(b => new Numbers(b.Auction, b.Price, b.Bidder, b.Time).Hash));
                }

                break;
            case "q8":
                NewUsers(options, rows);
                break;
            case "q11":
                Sessions(options, rows);
                break;
            case "q17":
                Statistics(options, rows);
                break;
            case "q18":
                LastBids(options, rows);
                break;
            case "q20":
                Expand(options, rows);
                break;
            default:
                throw new ArgumentException($"There is no slow computation of '{options.Query}'.", nameof(options));
        }

        return (rows.Count, rows.Aggregate(0UL, (sum, hash) => unchecked(sum + hash)));
    }

    /// <summary>All events, in the order of event time; of equal times in the order of generators.</summary>
    private static IEnumerable<Event> All(RunOptions options)
    {
        var generators = Enumerable.Range(0, options.Parallelism)
            .Select(index => new Generator(options.Seed, options.Events, index, options.Parallelism, options.Rate)).ToArray();
        for (var number = 0L; generators.Any(generator => number < generator.Size); number++)
        {
            foreach (var generator in generators)
            {
                if (number >= generator.Size) continue;
                var one = new Event();
                generator.Fill(one, number);
                yield return one;
            }
        }
    }

    private static IEnumerable<Event> Bids(RunOptions options) => All(options).Where(e => e.Kind == EventKind.Bid);

    private static BidRow BidOf(Event e) => new(e.Auction, e.Bidder, e.Price, e.Time, e.ExtraAt, e.ExtraLength, e.Channel);

    private static void LocalItems(RunOptions options, List<ulong> rows)
    {
        var all = All(options).Where(e => e.Kind != EventKind.Bid).ToList();
        var persons = all.Where(e => e.Kind == EventKind.Person && Generator.StateName(e.State) is "OR" or "ID" or "CA")
            .Where(e => e.Kind == EventKind.Person).ToDictionary(e => e.Id);
        foreach (var auction in all.Where(e => e.Kind == EventKind.Auction && e.Category == 10))
        {
            if (persons.TryGetValue(auction.Seller, out var p)) rows.Add(new Numbers(p.Name, p.City, p.State, auction.Id).Hash);
        }
    }

    private static void HotItems(RunOptions options, List<ulong> rows)
    {
        var counts = new Dictionary<(long End, long Auction), long>();
        foreach (var bid in Bids(options))
        {
            var lastStart = bid.Time - bid.Time % (2 * Second);
            for (var start = lastStart; start > bid.Time - 10 * Second; start -= 2 * Second)
            {
                var key = (start + 10 * Second, bid.Auction);
                counts[key] = counts.GetValueOrDefault(key) + 1;
            }
        }

        foreach (var window in counts.GroupBy(count => count.Key.End))
        {
            var top = window.Max(count => count.Value);
            rows.AddRange(window.Where(c => c.Value == top).Select(c => new Numbers(c.Key.Auction, c.Value, c.Key.End, 0).Hash));
        }
    }

    private static void NewUsers(RunOptions options, List<ulong> rows)
    {
        var all = All(options).Where(e => e.Kind != EventKind.Bid).ToList();
        var sellers = all.Where(e => e.Kind == EventKind.Auction).Select(e => (e.Seller, Window: e.Time / (10 * Second))).ToHashSet();
        foreach (var person in all.Where(e => e.Kind == EventKind.Person))
        {
            var window = person.Time / (10 * Second);
            if (sellers.Contains((person.Id, window))) rows.Add(new Numbers(person.Id, person.Name, window * 10 * Second, 0).Hash);
        }
    }

    private static void Sessions(RunOptions options, List<ulong> rows)
    {
        foreach (var bidder in Bids(options).GroupBy(e => e.Bidder, e => e.Time))
        {
            var (start, last, count) = (0L, long.MinValue, 0L);
            foreach (var time in bidder.Order())
            {
                if (count > 0 && time - last > 10 * Second)
                {
                    rows.Add(new Numbers(bidder.Key, count, start, last + 10 * Second).Hash);
                    count = 0;
                }

                if (count++ == 0) start = time;
                last = time;
            }

            rows.Add(new Numbers(bidder.Key, count, start, last + 10 * Second).Hash);
        }
    }

    /// <summary>A row with each bid: only the last row of an auction and a day is the same however workers take turns.</summary>
    private static void Statistics(RunOptions options, List<ulong> rows)
    {
        var known = new Dictionary<(long, long), StatisticsRow>();
        foreach (var bid in Bids(options))
        {
            var key = (bid.Auction, bid.Time / 86_400_000);
            var s = known.GetValueOrDefault(key, new StatisticsRow(bid.Auction, key.Item2, 0, 0, 0, 0, long.MaxValue, 0, 0));
            var (low, middle) = (bid.Price < 10_000 ? 1 : 0, bid.Price is >= 10_000 and < 1_000_000 ? 1 : 0);
            s = new StatisticsRow(
                s.Auction, s.Day, s.Total + 1, s.Low + low, s.Middle + middle, s.High + 1 - low - middle,
                Math.Min(s.Least, bid.Price), Math.Max(s.Greatest, bid.Price), s.Sum + bid.Price);
            known[key] = s;
            rows.Add(s.Hash);
        }
    }

    private static void LastBids(RunOptions options, List<ulong> rows)
    {
        var known = new Dictionary<(long, long), BidRow>();
        foreach (var bid in Bids(options).Select(BidOf))
        {
            var last = known.GetValueOrDefault((bid.Bidder, bid.Auction), bid);
            known[(bid.Bidder, bid.Auction)] = bid.Time >= last.Time ? bid : last;
            rows.Add(known[(bid.Bidder, bid.Auction)].Hash);
        }
    }

    private static void Expand(RunOptions options, List<ulong> rows)
    {
        var all = All(options).ToList();
        var auctions = all.Where(e => e.Kind == EventKind.Auction && e.Category == 10).ToDictionary(e => e.Id);
        foreach (var bid in all.Where(e => e.Kind == EventKind.Bid))
        {
            if (!auctions.TryGetValue(bid.Auction, out var a)) continue;
            var auction = new AuctionRow(
                a.Id, a.Seller, a.Category, a.InitialBid, a.Reserve, a.Time, a.Expires, a.Text1, a.Text2,
                ((long)a.ExtraAt << 32) | (uint)a.ExtraLength);
            rows.Add(new JoinedRow(BidOf(bid), auction).Hash);
        }
    }
}
