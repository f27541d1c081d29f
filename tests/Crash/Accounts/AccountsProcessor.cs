using System.Globalization;
using System.Text;

namespace Millrace.Crash.Accounts;

/// <summary>
/// Keeps accounts: count and sum per account, a mark that comes and goes, and timers that are set, set again, cancelled and fired. What it
/// keeps and says follows from the bookings alone, but for where in the output a timer's statement stands.
/// </summary>
internal sealed class AccountsProcessor : IPartitionProcessor
{
    /// <summary>Stores: totals holds "count sum"; an account is marked while its count is odd; fired counts its timers.</summary>
    public const string Totals = "totals", Marks = "marks", Firings = "fired";

    private static readonly TimeSpan Never = TimeSpan.FromHours(1);

    private readonly ProcessorScope _scope;
    private readonly string _life;
    private readonly Func<int, long, Task> _taken;

    private AccountsProcessor(ProcessorScope scope, string life, Func<int, long, Task> taken) =>
        (_scope, _life, _taken) = (scope, life, taken);

    /// <summary>Describes it.</summary>
    /// <param name="begin">A partition is restored: returns the name of the life that begins.</param>
    /// <param name="taken">A call has worked on everything up to an offset, and waits for this before it returns.</param>
    public static Processor Describe(Func<int, string> begin, Func<int, long, Task> taken) => new()
    {
        Name = AccountTopics.Group,
        Topics = [AccountTopics.Bookings],
        Create = scope => new AccountsProcessor(scope, begin(scope.Partition), taken),
    };

    public async ValueTask ProcessAsync(FetchedRecords records, CancellationToken cancellation)
    {
        var last = -1L;
        foreach (var record in records)
        {
            Take(record);
            last = record.Offset;
        }

        await _taken(_scope.Partition, last);
    }

    public ValueTask OnTimerAsync(DueTimer timer, CancellationToken cancellation)
    {
        var account = timer.Key.Span;
        var nth = _scope.TryGet(Firings, account, out var known) ? Numbers.Read(known.Span) + 1 : 1;
        _scope.Put(Firings, account, Numbers.Write(nth));
        Say(account, new Statement.Fired(timer.Name, nth, _life));
        return ValueTask.CompletedTask;
    }

    /// <summary>The name of the timer that an account's tenth, twentieth, ... booking sets.</summary>
    public static string TenthTimer(long count) => string.Create(CultureInfo.InvariantCulture, $"tenth-{count}");

    /// <summary>The name of the timer that is always cancelled by the next booking.</summary>
    public static string CancelledTimer(long count) => string.Create(CultureInfo.InvariantCulture, $"cancelled-{count}");

    private void Take(in Record record)
    {
        var account = record.Key.Span;
        var booking = Booking.Read(Encoding.UTF8.GetString(record.Value.Span));
        var (count, sum) = _scope.TryGet(Totals, account, out var known) ? ReadTotals(known.Span) : (0, 0);
        (count, sum) = (count + 1, sum + booking.Amount);
        _scope.Put(Totals, account, Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{count} {sum}")));
        if (count % 2 == 1) _scope.Put(Marks, account, Numbers.Write(count));
        else _scope.Delete(Marks, account);
        SetTimers(account, count);
        Say(account, new Statement.Booked(record.Offset, count, sum, _life));
    }

    private void SetTimers(ReadOnlySpan<byte> account, long count)
    {
        var now = _scope.Time.GetUtcNow();
        switch (count % 10)
        {
            case 4:
                _scope.SetTimer(CancelledTimer(count), account, now + Never);
                break;
            case 5:
                _scope.CancelTimer(CancelledTimer(count - 1), account);
                break;
            case 9:
                _scope.SetTimer(TenthTimer(count + 1), account, now + Never);
                break;
            case 0:
                _scope.SetTimer(TenthTimer(count), account, now + TimeSpan.FromMilliseconds(count / 10 % 5 * 100));
                break;
        }
    }

    private void Say(ReadOnlySpan<byte> account, Statement statement)
    {
        var time = _scope.Time.GetUtcNow().ToUnixTimeMilliseconds();
        _scope.To(AccountTopics.Statements, account).Add(time, account, Encoding.UTF8.GetBytes(statement.ToString()));
    }

    private static (long Count, long Sum) ReadTotals(ReadOnlySpan<byte> text)
    {
        var space = text.IndexOf((byte)' ');
        return (Numbers.Read(text[..space]), Numbers.Read(text[(space + 1)..]));
    }
}
