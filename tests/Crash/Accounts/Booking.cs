using System.Globalization;
using System.Text;

namespace Millrace.Crash.Accounts;

/// <summary>The topics of the pipeline that is proved: bookings come in, a processor keeps accounts, statements go out.</summary>
internal static class AccountTopics
{
    public const string Bookings = "bookings", Statements = "statements", Group = "accounts";
    public const int Partitions = 4, Accounts = 200;

    /// <summary>What a group keeps its keyed state in.</summary>
    public const string Changelog = $"{Group}-changelog";

    public static string AccountAt(int index) => string.Create(CultureInfo.InvariantCulture, $"account-{index:000}");
}

/// <summary>An input record: its key is the account, its value the booking's number on that account, from 1, and an amount.</summary>
internal readonly record struct Booking(long Number, long Amount)
{
    public static Booking Read(string text)
    {
        var words = text.Split(' ');
        return words is [var number, var amount]
            ? new Booking(Numbers.Read(number), Numbers.Read(amount))
            : throw new InvalidDataException($"'{text}' is not a booking.");
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Number} {Amount}");
}

/// <summary>
/// An output record: its key is the account. One per booking, with the account's count and sum after it, and one per timer that fired. Each
/// names the life of the processor that said it.
/// </summary>
internal abstract record Statement(string Life)
{
    private const string BookedKind = "booked", FiredKind = "fired";

    /// <summary>The booking at an offset was taken.</summary>
    public sealed record Booked(long Offset, long Count, long Sum, string Life) : Statement(Life)
    {
        public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{BookedKind} {Offset} {Count} {Sum} {Life}");
    }

    /// <summary>A timer fired, as the account's nth.</summary>
    public sealed record Fired(string Timer, long Nth, string Life) : Statement(Life)
    {
        public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{FiredKind} {Timer} {Nth} {Life}");
    }

    public static Statement Read(string text) => text.Split(' ') switch
    {
        [BookedKind, var offset, var count, var sum, var life] =>
            new Booked(Numbers.Read(offset), Numbers.Read(count), Numbers.Read(sum), life),
        [FiredKind, var timer, var nth, var life] => new Fired(timer, Numbers.Read(nth), life),
        _ => throw new InvalidDataException($"'{text}' is not a statement."),
    };
}

/// <summary>Numbers as the records have them.</summary>
internal static class Numbers
{
    public static long Read(string text) => long.Parse(text, CultureInfo.InvariantCulture);

    public static long Read(ReadOnlySpan<byte> text) => long.Parse(text, CultureInfo.InvariantCulture);

    public static byte[] Write(long number) => Encoding.UTF8.GetBytes(number.ToString(CultureInfo.InvariantCulture));
}
