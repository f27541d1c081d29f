namespace Nexmark;

/// <summary>What the queries' rows are made of, and how a row counts in a checksum that does not depend on the order of rows.</summary>
internal interface IRow
{
    ulong Hash { get; }
}

internal static class Hashes
{
    public static ulong Of(long one, long two, long three = 0, long four = 0, long five = 0)
    {
        unchecked
        {
            var hash = Mix((ulong)one + 0x9E3779B97F4A7C15UL);
            hash = Mix(hash ^ (ulong)two);
            hash = Mix(hash ^ (ulong)three);
            hash = Mix(hash ^ (ulong)four);
            return Mix(hash ^ (ulong)five);
        }
    }

    private static ulong Mix(ulong z)
    {
        unchecked
        {
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
            return z ^ (z >> 27);
        }
    }
}

internal readonly record struct BidRow(long Auction, long Bidder, long Price, long Time, int ExtraAt, int ExtraLength, int Channel) : IRow
{
    public ulong Hash => Hashes.Of(Auction, Bidder, Price, Time, ((long)ExtraAt << 32) | (uint)ExtraLength);
}

internal readonly record struct PricedRow(long Auction, long Bidder, decimal Price, long Time, int ExtraAt, int ExtraLength) : IRow
{
    public ulong Hash => Hashes.Of(Auction, Bidder, decimal.ToInt64(Price * 1_000), Time, ((long)ExtraAt << 32) | (uint)ExtraLength);
}

/// <summary>Up to four numbers, as of the queries that need no more.</summary>
internal readonly record struct Numbers(long One, long Two, long Three, long Four) : IRow
{
    public ulong Hash => Hashes.Of(One, Two, Three, Four);
}

internal readonly record struct PersonRow(long Id, int Name, int City, int State);

internal readonly record struct AuctionRow(
    long Id, long Seller, long Category, long InitialBid, long Reserve, long Time, long Expires,
    string Item, string Description, long Extra);

internal readonly record struct JoinedRow(BidRow Bid, AuctionRow Auction) : IRow
{
    public ulong Hash => Hashes.Of((long)Bid.Hash, Auction.Id, Auction.Seller, Auction.Reserve, Auction.Expires);
}

internal readonly record struct StatisticsRow(
    long Auction, long Day, long Total, long Low, long Middle, long High, long Least, long Greatest, long Sum) : IRow
{
    public ulong Hash => Hashes.Of(Auction, Day, Total * 31 + Low * 7 + Middle * 3 + High, Least ^ Greatest, Sum);
}
