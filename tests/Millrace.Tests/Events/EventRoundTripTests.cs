using System.Text;
using System.Text.Json;
using CsCheck;

namespace Millrace.Tests.Events;

/// <summary>
/// Any event, through either mode and from one to the other, stays the same event. CsCheck prints the seed of a run that fails.
/// </summary>
public sealed class EventRoundTripTests
{
    private static readonly Gen<string> Character = Gen.Frequency(
        (6, Gen.Char[' ', '~'].Select(c => c.ToString())),
        (2, Gen.Char['\u00a0', '\ud7ff'].Select(c => c.ToString())),
        (1, AnyOf("\"", "\\", "<", "&", "+", "/", "%", "\u2028", "é", "ﷺ")),
        (1, Gen.Int[0x10000, 0x1fffd].Where(r => (r & 0xfffe) != 0xfffe).Select(char.ConvertFromUtf32)));

    private static readonly Gen<string> Text = Character.Array[1, 20].Select(string.Concat);
    private static readonly Gen<string?> MaybeText = Gen.Frequency((1, Gen.Const((string?)null)), (2, Text.Select(t => (string?)t)));
    private static readonly Gen<string> Name = Gen.Char["abcdefghijklmnopqrstuvwxyz0123456789"].Array[1, 20]
        .Select(c => new string(c)).Where(n => EventAttributes.IsExtensionName(Encoding.UTF8.GetBytes(n)));

    private static readonly Gen<string?> ContentType = AnyOf<string?>(
        null, "application/json", "Application/JSON; charset=utf-8", "application/vnd.x+json", "text/plain", "text/xml;a=\"b\"",
            "application/soap+xml", "application/octet-stream");

    private static readonly Gen<DateTimeOffset?> Time = Gen.Frequency(
        (1, Gen.Const((DateTimeOffset?)null)),
        (3, Gen.Select(Gen.Long[TimeSpan.TicksPerDay, DateTime.MaxValue.Ticks - TimeSpan.TicksPerDay], Gen.Int[-840, 840])
            .Select((ticks, minutes) => (DateTimeOffset?)new DateTimeOffset(ticks, TimeSpan.FromMinutes(minutes)))));

    private static readonly Gen<byte[]?> Data = Gen.Frequency(
        (1, Gen.Const((byte[]?)null)),
        (2, Gen.Byte.Array[0, 60].Select(Trimmed)),
        (2, Text.Select(t => (byte[]?)JsonSerializer.SerializeToUtf8Bytes(new Dictionary<string, string[]> { [t] = [t, t] }))),
        (2, AnyOf("null", "0", "-1.50e+3", "\"\\u00e9\"", "{ \"a\" : [ true ] }", "79228162514264337593543950335.10")
            .Select(j => (byte[]?)Encoding.UTF8.GetBytes(j))),
        (1, Text.Select(t => Trimmed(Encoding.UTF8.GetBytes(t)))));

    private static readonly Gen<CloudEvent> AnyEvent = Gen.Select(
        Gen.Select(Text, Text, Text, MaybeText, MaybeText, Time),
        Gen.Select(MaybeText, MaybeText, MaybeText, MaybeText, MaybeText),
        Gen.Dictionary(Name, Gen.Frequency((4, Text), (1, Gen.Const("")))) [0, 5],
        Gen.Select(ContentType, Data),
        (main, extended, extensions, data) =>
        {
            var built = new CloudEvent
            {
                Id = main.Item1,
                Source = main.Item2,
                Type = main.Item3,
                Subject = main.Item4,
                DataSchema = main.Item5,
                Time = main.Item6,
                CorrelationId = extended.Item1,
                CausationId = extended.Item2,
                TraceParent = extended.Item3,
                TraceState = extended.Item4,
                PartitionKey = extended.Item5,
                Extensions = extensions,
                DataContentType = data.Item1,
            };
            return data.Item2 is null ? built : built with { Data = data.Item2 };
        });

    [Fact]
    public void Any_event_is_the_same_after_either_mode() => AnyEvent.Sample(sent =>
    {
        Assert.Equal(sent, Records.Read(Records.Write(sent, EventMode.Structured)));
        Assert.Equal(sent, Records.Read(Records.Write(sent, EventMode.Binary)));
    });

    [Fact]
    public void Any_event_may_change_its_mode_on_the_way() => AnyEvent.Sample(sent =>
    {
        var once = Records.Read(Records.Write(sent, EventMode.Binary));
        var twice = Records.Read(Records.Write(once, EventMode.Structured));
        Assert.Equal(sent, Records.Read(Records.Write(twice, EventMode.Binary)));
    });

    [Fact]
    public void Any_envelope_is_read_by_a_plain_JSON_reader() => AnyEvent.Sample(sent =>
    {
        using var parsed = JsonDocument.Parse(Records.Write(sent, EventMode.Structured).Value);

        Assert.Equal(sent.Id, parsed.RootElement.GetProperty("id").GetString());
        foreach (var (name, value) in sent.Extensions) Assert.Equal(value, parsed.RootElement.GetProperty(name).GetString());
    });

    [Fact]
    public void A_damaged_envelope_is_an_event_or_has_a_reason() =>
        Gen.Select(AnyEvent, Gen.Select(Gen.Int[0, int.MaxValue], Gen.Byte).Array[1, 4], Gen.Int[0, int.MaxValue])
            .Sample((sent, changes, cut) =>
        {
            var json = Records.Write(sent, EventMode.Structured).Value.ToArray();
            foreach (var (at, value) in changes) json[at % json.Length] = value;

            foreach (var damaged in new[] { json, json[..(cut % json.Length)] })
            {
                var isRead = EventCodec.TryReadJson(damaged, out var view, out var reason);
                Assert.Equal(isRead, reason.Length == 0);
                if (isRead) view.ToEvent();
            }
        });

    [Fact]
    public void Equal_events_have_equal_hashes_and_a_changed_byte_of_data_makes_another() => AnyEvent.Sample(sent =>
    {
        var copy = Records.Read(Records.Write(sent, EventMode.Binary));
        Assert.Equal(sent.GetHashCode(), copy.GetHashCode());
        Assert.NotEqual(sent, copy with { Data = (byte[])[.. copy.Data.Span, 0] });
    });

    private static Gen<T> AnyOf<T>(params T[] values) => Gen.Int[0, values.Length - 1].Select(i => values[i]);

    /// <summary>White space around JSON is no part of it and does not outlive structured mode.</summary>
    private static byte[]? Trimmed(byte[] bytes) => bytes.AsSpan().Trim(" \t\r\n"u8).ToArray();
}
