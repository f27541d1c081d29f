namespace Millrace.Crash.Accounts;

/// <summary>Compares what was said with what follows from the bookings, record by record.</summary>
internal sealed class StatementsCheck(AccountsModel model, AccountsFindings findings)
{
    private readonly Dictionary<string, long> _fired = new(StringComparer.Ordinal);
    private readonly HashSet<(string Account, string Timer)> _timers = [];

    /// <summary>Every booking that the broker acknowledged is where it said; of each account in the order of the numbers.</summary>
    public void CheckBookings(IEnumerable<Acknowledged> acknowledged)
    {
        var there = new HashSet<(int, long, string, long)>();
        foreach (var booking in model.Bookings.SelectMany(partition => partition))
            there.Add((booking.Partition, booking.Offset, booking.Key, Booking.Read(booking.Value).Number));
        foreach (var (partition, offset, account, number) in acknowledged)
        {
            if (there.Contains((partition, offset, account, number))) continue;
            findings.Lost++;
            findings.Complain($"Booking {number} of {account} was acknowledged at {partition}:{offset} and is not there.");
        }
    }

    public void CheckStatements(IReadOnlyList<List<TextRecord>> statements)
    {
        for (var partition = 0; partition < statements.Count; partition++)
        {
            CheckBooked(partition, statements[partition]);
            CheckLives(partition, statements[partition]);
            foreach (var record in statements[partition])
            {
                if (Statement.Read(record.Value) is Statement.Fired fired) CheckFired(record, fired);
            }
        }

        CheckAllFired();
    }

    /// <summary>The statements of a partition's bookings are its bookings, one by one.</summary>
    private void CheckBooked(int partition, List<TextRecord> records)
    {
        var expected = model.Expected[partition];
        var (next, seen, passedOver) = (0, new HashSet<long>(), new HashSet<long>());
        var places = new Dictionary<long, int>(expected.Count);
        for (var i = 0; i < expected.Count; i++) places[expected[i].Statement.Offset] = i;
        foreach (var record in records)
        {
            if (Statement.Read(record.Value) is not Statement.Booked booked) continue;
            if (!places.TryGetValue(booked.Offset, out var place))
            {
                findings.Wrong++;
                findings.Complain($"{Where(record)} is of a booking that is not there.");
                continue;
            }

            if (!seen.Add(booked.Offset))
            {
                findings.Doubled++;
                findings.Complain($"{Where(record)} is there twice.");
                continue;
            }

            if (passedOver.Remove(booked.Offset))
            {
                findings.Reordered++;
                findings.Complain($"{Where(record)} stands after later ones.");
                continue;
            }

            for (; next < place; next++) passedOver.Add(expected[next].Statement.Offset);
            next = place + 1;
            var (account, statement) = expected[place];
            if (record.Key == account && booked with { Life = "" } == statement) continue;
            findings.Wrong++;
            findings.Complain($"{Where(record)} should be '{account}' '{statement}'.");
        }

        var lost = passedOver.Count + expected.Count - next;
        findings.Lost += lost;
        if (lost > 0) findings.Complain($"{lost} bookings of partition {partition} have no statement.");
    }

    /// <summary>Once a later life of a partition has said something, the earlier ones are silent.</summary>
    private void CheckLives(int partition, List<TextRecord> records)
    {
        var (current, over) = ("", new HashSet<string>(StringComparer.Ordinal));
        foreach (var record in records)
        {
            var life = Statement.Read(record.Value).Life;
            if (life == current) continue;
            if (!over.Add(life))
            {
                findings.Haunted++;
                findings.Complain($"{Where(record)} is of a life that was over on partition {partition}; {current} was the owner.");
                continue;
            }

            current = life;
        }
    }

    private void CheckFired(TextRecord record, Statement.Fired fired)
    {
        var nth = _fired[record.Key] = _fired.GetValueOrDefault(record.Key) + 1;
        if (!_timers.Add((record.Key, fired.Timer)))
        {
            findings.Doubled++;
            findings.Complain($"{Where(record)}: the timer fired twice.");
        }

        if (nth == fired.Nth) return;
        findings.Wrong++;
        findings.Complain($"{Where(record)} should be the account's firing {nth}.");
    }

    private void CheckAllFired()
    {
        var expected = new HashSet<(string Account, string Timer)>();
        foreach (var (account, statement) in model.Expected.SelectMany(partition => partition))
        {
            if (statement.Count % 10 == 0) expected.Add((account, AccountsProcessor.TenthTimer(statement.Count)));
        }

        foreach (var (account, timer) in expected.Except(_timers))
        {
            findings.Lost++;
            findings.Complain($"Timer {timer} of {account} did not fire.");
        }

        foreach (var (account, timer) in _timers.Except(expected))
        {
            findings.Wrong++;
            findings.Complain($"Timer {timer} of {account} fired and should not have.");
        }
    }

    private static string Where(TextRecord record) => $"Statement {record.Partition}:{record.Offset} '{record.Key}' '{record.Value}'";
}
