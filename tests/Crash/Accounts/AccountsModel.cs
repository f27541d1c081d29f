namespace Millrace.Crash.Accounts;

/// <summary>What must follow from the bookings that the topic holds, computed in the plainest way.</summary>
internal sealed class AccountsModel
{
    private readonly Dictionary<string, (long Count, long Sum)> _totals = new(StringComparer.Ordinal);

    public AccountsModel(IReadOnlyList<List<TextRecord>> bookings)
    {
        Bookings = bookings;
        Expected = [.. bookings.Select(partition => partition.ConvertAll(Take))];
    }

    /// <summary>The bookings by partition.</summary>
    public IReadOnlyList<List<TextRecord>> Bookings { get; }

    /// <summary>The statements of bookings, by partition, in order; the life is whoever's.</summary>
    public IReadOnlyList<List<(string Account, Statement.Booked Statement)>> Expected { get; }

    /// <summary>How many bookings there are.</summary>
    public int Count => Bookings.Sum(partition => partition.Count);

    /// <summary>How many timers fire.</summary>
    public int Firings => _totals.Values.Sum(totals => FiringsOf(totals.Count));

    /// <summary>How many timers are pending for an hour in the end, on a partition.</summary>
    public int PendingTimersAt(int partition) => AccountsAt(partition).Count(account => _totals[account].Count % 10 is 4 or 9);

    /// <summary>What each store holds in the end, on a partition.</summary>
    public IReadOnlyDictionary<string, Dictionary<string, string>> StoresAt(int partition)
    {
        var accounts = AccountsAt(partition);
        return new Dictionary<string, Dictionary<string, string>>(StringComparer.Ordinal)
        {
            [AccountsProcessor.Totals] = accounts.ToDictionary(
                account => account, account => $"{_totals[account].Count} {_totals[account].Sum}"),
            [AccountsProcessor.Marks] = accounts.Where(account => _totals[account].Count % 2 == 1)
                .ToDictionary(account => account, account => $"{_totals[account].Count}"),
            [AccountsProcessor.Firings] = accounts.Where(account => FiringsOf(_totals[account].Count) > 0)
                .ToDictionary(account => account, account => $"{FiringsOf(_totals[account].Count)}"),
        };
    }

    private static int FiringsOf(long count) => (int)(count / 10);

    private List<string> AccountsAt(int partition) =>
        [.. Bookings[partition].Select(booking => booking.Key).Distinct(StringComparer.Ordinal)];

    private (string, Statement.Booked) Take(TextRecord record)
    {
        var (count, sum) = _totals.GetValueOrDefault(record.Key);
        _totals[record.Key] = (count, sum) = (count + 1, sum + Booking.Read(record.Value).Amount);
        return (record.Key, new Statement.Booked(record.Offset, count, sum, ""));
    }
}
