using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using Millrace.Streams;

namespace Nexmark;

/// <summary>How keys, records and accumulators become bytes: numbers of eight bytes, texts behind their length.</summary>
internal static class Codecs
{
    public static StateCodec<(long One, long Two)> Pairs { get; } = new(
        1,
        (pair, output) => output.Put(pair.One).Put(pair.Two),
        bytes => (Take(ref bytes), Take(ref bytes)));

    public static StateCodec<Numbers> Numbers { get; } = new(
        1,
        (n, output) => output.Put(n.One).Put(n.Two).Put(n.Three).Put(n.Four),
        bytes => ReadNumbers(ref bytes));

    public static StateCodec<List<Numbers>> Lists { get; } = new(
        1,
        (list, output) =>
        {
            foreach (var n in list) output.Put(n.One).Put(n.Two).Put(n.Three).Put(n.Four);
        },
        bytes =>
        {
            var list = new List<Numbers>();
            while (!bytes.IsEmpty) list.Add(ReadNumbers(ref bytes));
            return list;
        });

    public static StateCodec<Party> Parties { get; } = new(
        1,
        (p, output) => output.Put(p.IsPerson ? 1 : 0).Put(p.Key).Put(p.Id).Put(p.Name).Put(p.City).Put(p.State),
        bytes => new Party(
            Take(ref bytes) == 1, Take(ref bytes), Take(ref bytes), (int)Take(ref bytes), (int)Take(ref bytes), (int)Take(ref bytes)));

    public static StateCodec<BidRow> Bids { get; } = new(1, WriteBid, bytes => ReadBid(ref bytes));

    public static StateCodec<AuctionBox> Auctions { get; } = new(1, WriteAuction, bytes => ReadAuction(ref bytes));

    public static StateCodec<Item> Items { get; } = new(
        1,
        (item, output) =>
        {
            output.Put(item.Auction is null ? 0 : 1);
            if (item.Auction is { } auction) WriteAuction(auction, output);
            else WriteBid(item.Bid, output);
        },
        bytes => Take(ref bytes) == 1 ? new Item(default, ReadAuction(ref bytes)) : new Item(ReadBid(ref bytes), null));

    public static StateCodec<StatisticsBox> Statistics { get; } = new(
        1,
        (s, output) => output.Put(s.Auction).Put(s.Day)
            .Put(s.Total).Put(s.Low).Put(s.Middle).Put(s.High).Put(s.Least).Put(s.Greatest).Put(s.Sum),
        bytes => new StatisticsBox
        {
            Auction = Take(ref bytes), Day = Take(ref bytes), Total = Take(ref bytes), Low = Take(ref bytes), Middle = Take(ref bytes),
            High = Take(ref bytes), Least = Take(ref bytes), Greatest = Take(ref bytes), Sum = Take(ref bytes),
        });

    private static void WriteBid(BidRow b, IBufferWriter<byte> output) =>
        output.Put(b.Auction).Put(b.Bidder).Put(b.Price).Put(b.Time).Put(b.ExtraAt).Put(b.ExtraLength).Put(b.Channel);

    private static BidRow ReadBid(ref ReadOnlySpan<byte> bytes) => new(
        Take(ref bytes), Take(ref bytes), Take(ref bytes), Take(ref bytes),
        (int)Take(ref bytes), (int)Take(ref bytes), (int)Take(ref bytes));

    private static void WriteAuction(AuctionBox a, IBufferWriter<byte> output)
    {
        output.Put(a.Id).Put(a.Seller).Put(a.Category).Put(a.InitialBid).Put(a.Reserve).Put(a.Time).Put(a.Expires).Put(a.Extra);
        foreach (var text in new[] { a.Item, a.Description })
        {
            output.Put(text.Length);
            Encoding.ASCII.GetBytes(text, output);
        }
    }

    private static AuctionBox ReadAuction(ref ReadOnlySpan<byte> bytes)
    {
        var (id, seller, category, initial) = (Take(ref bytes), Take(ref bytes), Take(ref bytes), Take(ref bytes));
        var (reserve, time, expires, extra) = (Take(ref bytes), Take(ref bytes), Take(ref bytes), Take(ref bytes));
        return new AuctionBox(id, seller, category, initial, reserve, time, expires, TakeText(ref bytes), TakeText(ref bytes), extra);
    }

    private static Numbers ReadNumbers(ref ReadOnlySpan<byte> bytes) =>
        new(Take(ref bytes), Take(ref bytes), Take(ref bytes), Take(ref bytes));

    public static IBufferWriter<byte> Put(this IBufferWriter<byte> output, long value)
    {
        BinaryPrimitives.WriteInt64BigEndian(output.GetSpan(8), value);
        output.Advance(8);
        return output;
    }

    public static long Take(ref ReadOnlySpan<byte> bytes)
    {
        var value = BinaryPrimitives.ReadInt64BigEndian(bytes);
        bytes = bytes[8..];
        return value;
    }

    private static string TakeText(ref ReadOnlySpan<byte> bytes)
    {
        var length = (int)Take(ref bytes);
        var text = Encoding.ASCII.GetString(bytes[..length]);
        bytes = bytes[length..];
        return text;
    }
}
