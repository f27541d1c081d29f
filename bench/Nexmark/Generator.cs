namespace Nexmark;

/// <summary>What kind of event it is.</summary>
internal enum EventKind : byte
{
    Person = 0,
    Auction = 1,
    Bid = 2,

    /// <summary>The mark behind the last event, where events come from the log.</summary>
    End = 3,
}

/// <summary>
/// An event of the stream, of whichever kind; the generator fills one object again and again. Texts that are picked from lists are indexes,
/// and the filling text is a place in a pool.
/// </summary>
internal sealed class Event
{
    public EventKind Kind;
    public long Time;
    public long Id; // a person's or an auction's
    public int Name, City, State;
    public long Seller, Category, InitialBid, Reserve, Expires;
    public long Auction, Bidder, Price;
    public int Channel;
    public int ExtraAt, ExtraLength;
    public string Text1 = "", Text2 = "";
}

/// <summary>
/// One of several generators of Nexmark's events, by the rules of the benchmark's own. What an event holds depends on the seed and on its
/// id only, so it is the same however many generators there are beside it.
/// </summary>
internal sealed class Generator
{
    private const long BaseTime = 1_704_067_200_000; // 2024-01-01T00:00:00Z
    private const long FirstId = 1_000, FirstCategory = 10;
    private const int PoolLength = 1 << 20, HotChannels = 4, Channels = 10_000;
    private const int Names = 99, Cities = 10, States = 6, CityLength = 8, NameLength = 9;

    private static readonly double s_logOfMillion = 6 * Math.Log(10);

    private readonly long _firstEventId;
    private readonly ulong _seed;
    private readonly double _delayMicroseconds;
    private readonly char[] _text = new char[128];
    private ulong _state;

    /// <param name="seed">The seed.</param>
    /// <param name="events">How many events all generators make together.</param>
    /// <param name="index">Which of them this is, from 0.</param>
    /// <param name="count">How many there are.</param>
    /// <param name="rate">Events a second of event time, of all together.</param>
    public Generator(long seed, long events, int index, int count, double rate)
    {
        _seed = (ulong)seed;
        _firstEventId = 1 + events / count * index;
        _delayMicroseconds = 1e6 / rate * count;
        Size = index == count - 1 ? events - events / count * index : events / count;
    }

    /// <summary>How many events it makes.</summary>
    public long Size { get; }

    public static string StateName(int state) => state switch { 0 => "AZ", 1 => "CA", 2 => "ID", 3 => "OR", 4 => "WA", _ => "WY" };

    /// <summary>Makes its event of a number, from 0.</summary>
    public void Fill(Event one, long number)
    {
        var n = number + 1;
        var id = _firstEventId + n;
        one.Time = TimeOf(n);
        _state = unchecked((_seed + 1) * 0xD1342543DE82EF95UL ^ (ulong)id * 0xA0761D6478BD642FUL);
        var (epoch, rest) = Math.DivRem(id, 50);
        if (rest == 0) FillPerson(one, epoch);
        else if (rest <= 3) FillAuction(one, n, epoch, 3 * epoch + rest - 1);
        else FillBid(one, epoch, 3 * epoch + 2);
    }

    private long TimeOf(long n) => BaseTime + (long)(n * _delayMicroseconds) / 1000;

    private ulong Next()
    {
        unchecked
        {
            var z = _state += 0x9E3779B97F4A7C15UL;
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
            return z ^ (z >> 31);
        }
    }

    private int Below(int bound) => (int)(((Next() >> 32) * (ulong)bound) >> 32);

    private long NextPrice()
    {
        var u = (Next() >> 11) * (1.0 / (1UL << 53));
        return (long)Math.Floor(Math.Exp(u * s_logOfMillion) * 100 + 0.5);
    }

    private long NextPerson(long lastPerson)
    {
        var n = lastPerson + 1;
        var active = (int)Math.Min(n, 1_000);
        return n - active + Below(active + 10);
    }

    private string NextText(int longest, char special)
    {
        var length = 3 + Below(longest - 3);
        for (var i = 0; i < length; i++) _text[i] = Below(13) == 0 ? special : (char)('a' + Below(26));
        return new string(_text.AsSpan(0, length).Trim(' '));
    }

    private void FillExtra(Event one, int used, int wanted)
    {
        var missing = wanted - used;
        if (missing <= 0)
        {
            (one.ExtraAt, one.ExtraLength) = (0, 0);
            return;
        }

        var spread = (int)Math.Floor(missing * 0.2 + 0.5);
        one.ExtraLength = missing - spread + (spread == 0 ? 0 : Below(2 * spread));
        one.ExtraAt = Below(PoolLength - one.ExtraLength);
    }

    private void FillPerson(Event one, long lastPerson)
    {
        one.Kind = EventKind.Person;
        one.Id = lastPerson + FirstId;
        one.Name = Below(Names);
        one.Text1 = $"{NextText(7, ' ')}@{NextText(5, ' ')}.com";
        one.Text2 = $"{Below(10_000):0000} {Below(10_000):0000} {Below(10_000):0000} {Below(10_000):0000}";
        one.City = Below(Cities);
        one.State = Below(States);
        FillExtra(one, 8 + NameLength + 2 + one.Text1.Length + 19 + CityLength + 2 + 8, 200);
    }

    private void FillAuction(Event one, long n, long lastPerson, long lastAuction)
    {
        one.Kind = EventKind.Auction;
        one.Id = lastAuction + FirstId;
        one.Seller = FirstId + (Below(4) > 0 ? lastPerson / 100 * 100 : NextPerson(lastPerson));
        one.Category = FirstCategory + Below(5);
        one.InitialBid = NextPrice();
        one.Reserve = one.InitialBid + NextPrice();
        one.Text1 = NextText(20, ' ');
        one.Text2 = NextText(100, ' ');
        var horizon = TimeOf(n + 100 * 50 / 3) - one.Time;
        one.Expires = one.Time + 1 + Below((int)Math.Max(2 * horizon, 1));
        FillExtra(one, 8 + one.Text1.Length + one.Text2.Length + 8 * 6, 500);
    }

    private void FillBid(Event one, long lastPerson, long lastAuction)
    {
        one.Kind = EventKind.Bid;
        if (Below(2) > 0)
        {
            one.Auction = FirstId + lastAuction / 100 * 100;
        }
        else
        {
            var low = Math.Max(lastAuction - 100, 0);
            one.Auction = FirstId + low + Below((int)(lastAuction - low + 1 + 10));
        }

        one.Bidder = FirstId + (Below(4) > 0 ? lastPerson / 100 * 100 + 1 : NextPerson(lastPerson));
        one.Price = NextPrice();
        one.Channel = Below(2) > 0 ? Below(HotChannels) : HotChannels + Below(Channels);
        FillExtra(one, 32, 100);
    }
}
