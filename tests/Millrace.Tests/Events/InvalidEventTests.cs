using System.Text;

namespace Millrace.Tests.Events;

public sealed class InvalidEventTests
{
    private const string Rest = """ "specversion":"1.0","source":"/s","type":"t" """;

    [Theory]
    [InlineData("""{"specversion":"1.0","source":"/s","type":"t"}""", "attribute 'id' is missing")]
    [InlineData("""{"specversion":"1.0","id":"1","type":"t"}""", "attribute 'source' is missing")]
    [InlineData("""{"specversion":"1.0","id":"1","source":"/s"}""", "attribute 'type' is missing")]
    [InlineData("""{"id":"1","source":"/s","type":"t"}""", "attribute 'specversion' is missing")]
    [InlineData("""{"id":null,"specversion":"1.0","source":"/s","type":"t"}""", "attribute 'id' is missing")]
    [InlineData("""{"specversion":"0.3"}""", "attribute 'specversion' has the value '0.3'; only 1.0 is read")]
    [InlineData("""{"specversion":1.0}""", "attribute 'specversion' has the value '1.0', which is not a string")]
    [InlineData("""{"id":""}""", "attribute 'id' has the value '', which must not be empty")]
    [InlineData("""{"source":""}""", "attribute 'source' has the value '', which must not be empty")]
    [InlineData("""{"subject":""}""", "attribute 'subject' has the value '', which must not be empty")]
    [InlineData("""{"correlationid":""}""", "attribute 'correlationid' has the value '', which must not be empty")]
    [InlineData("""{"id":42}""", "attribute 'id' has the value '42', which is not a string")]
    [InlineData("""{"type":{"a":[1]}}""", "attribute 'type' has the value '{\"a\":[1]}', which is not a string")]
    [InlineData("""{"source":true}""", "attribute 'source' has the value 'true', which is not a string")]
    [InlineData("""{"time":1769337000}""", "attribute 'time' has the value '1769337000', which is not a string")]
    [InlineData("""{"time":"yesterday"}""", "attribute 'time' has the value 'yesterday', which is not a time of RFC 3339")]
    [InlineData("""{"myextension":[1]}""",
        "attribute 'myextension' has the value '[1]', which is not a string, a boolean or a whole number")]
    [InlineData("""{"myextension":1.5}""",
        "attribute 'myextension' has the value '1.5', which is not a string, a boolean or a whole number")]
    [InlineData("""{"myextension":1e3}""",
        "attribute 'myextension' has the value '1e3', which is not a string, a boolean or a whole number")]
    [InlineData("""{"my_extension":"x"}""",
        "attribute 'my_extension' has the value 'x', but a name consists of lower-case letters and digits")]
    [InlineData("""{"Id":"x"}""", "attribute 'Id' has the value 'x', but a name consists of lower-case letters and digits")]
    [InlineData("""{"":"x"}""", "attribute '' has the value 'x', but a name consists of lower-case letters and digits")]
    [InlineData("""{"id":"1","id":"1"}""", "attribute 'id' occurs twice")]
    [InlineData("""{"id":"1","\u0069d":"2"}""", "attribute 'id' occurs twice")]
    [InlineData("""{"subject":null,"subject":"x"}""", "attribute 'subject' occurs twice")]
    [InlineData("""{"data":1,"data":2}""", "attribute 'data' occurs twice")]
    [InlineData("""{"abc":"1","def":"2","abc":"3"}""", "attribute 'abc' occurs twice")]
    [InlineData("""{"id":"a\u0007b"}""", "attribute 'id' has the value 'a\ufffdb', which holds a control character")]
    [InlineData("""{"id":"a\u0085"}""", "attribute 'id' has the value 'a\ufffd', which holds a control character")]
    [InlineData("""{"id":"a\uffff"}""", "attribute 'id' has the value 'a\uffff', which holds a control character or another one")]
    [InlineData("""{"id":"\ud83d"}""", "the envelope is not JSON: it holds an escape of half a surrogate pair")]
    [InlineData("""{"data_base64":"%"}""", "attribute 'data_base64' has the value '%', which is not Base64", true)]
    [InlineData("""{"data_base64":7}""", "attribute 'data_base64' has the value '7', which is not a string")]
    [InlineData("""{"data":1,"data_base64":"AA=="}""", "attribute 'data' occurs twice, as 'data' and as 'data_base64'", true)]
    [InlineData("""{"data":{"a":1},"datacontenttype":"text/plain"}""",
        "attribute 'data' has the value '{\"a\":1}', which is not a string, but 'datacontenttype' is 'text/plain'", true)]
    [InlineData("""[]""", "the envelope is not a JSON object")]
    [InlineData("\"id\"", "the envelope is not a JSON object")]
    [InlineData("", "the envelope is not JSON")]
    [InlineData("{", "the envelope is not JSON")]
    [InlineData("""{"id":"1",}""", "the envelope is not JSON")]
    [InlineData("""{"id":"1"} {}""", "the envelope is not JSON")]
    [InlineData("""{"data":{"a":}}""", "the envelope is not JSON")]
    public void An_invalid_envelope_gives_a_reason_with_the_attribute_and_its_value(string json, string reason, bool isCompleted = false)
    {
        if (isCompleted) json = $"{json[..^1]},\"id\":\"1\",{Rest}}}";

        Assert.StartsWith(reason, Records.ReasonOf(json), StringComparison.Ordinal);
    }

    [Fact]
    public void A_long_value_is_cut_in_the_reason() =>
        Assert.Equal($"attribute 'time' has the value '{new string('x', 80)}...', which is not a time of RFC 3339",
            Records.ReasonOf($"{{\"time\":\"{new string('x', 1_000)}\"}}"));

    [Fact]
    public void Bytes_that_are_not_utf8_are_no_envelope_even_within_data()
    {
        byte[] json = [.. Encoding.UTF8.GetBytes($"{{{Rest},\"id\":\"1\",\"data\":\""), 0xff, .. "\"}"u8];

        Assert.Equal("the envelope is not valid UTF-8",
            Records.ReasonOf(Records.Of(json, new RecordHeader("content-type", Records.StructuredType))));
    }

    [Fact]
    public void More_extensions_than_the_limit_are_refused()
    {
        var extensions = string.Join(',', Enumerable.Range(0, EventCodec.ExtensionsMax + 1).Select(i => $"\"x{i}\":\"\""));

        Assert.Equal("attribute 'x128' is one extension more than the 128 that are read", Records.ReasonOf($"{{{extensions}}}"));
    }

    [Fact]
    public void Other_event_formats_are_refused_by_name()
    {
        Assert.Equal(
            "the header 'content-type' has the value 'application/cloudevents+avro'; of the event formats only JSON is read",
            Records.ReasonOf(Records.Of("{}"u8, new RecordHeader("content-type", "application/cloudevents+avro"))));
        Assert.StartsWith(
            "the header 'content-type' has the value 'application/cloudevents-batch+json'",
            Records.ReasonOf(Records.Of("[]"u8, new RecordHeader("content-type", "application/cloudevents-batch+json"))),
                StringComparison.Ordinal);
    }

    [Fact]
    public void A_tombstone_without_attributes_is_no_event()
    {
        Assert.Equal("the record has no value", Records.ReasonOf(Records.WithoutValue()));
        Assert.Equal("the record has no value",
            Records.ReasonOf(Records.WithoutValue(new RecordHeader("content-type", Records.StructuredType))));
    }

    public static TheoryData<string, byte[], string> Headers => new()
    {
        { "ce_id", "2"u8.ToArray(), "attribute 'id' occurs twice" },
        { "ce_specversion", "1.1"u8.ToArray(), "attribute 'specversion' occurs twice" },
        { "ce_time", "now"u8.ToArray(), "attribute 'time' has the value 'now', which is not a time of RFC 3339" },
        { "ce_subject", [], "attribute 'subject' has the value '', which must not be empty" },
        { "ce_subject", [0xff, 0xfe], "the header 'ce_subject' is not valid UTF-8" },
        { "ce_subject", "a\nb"u8.ToArray(), "attribute 'subject' has the value 'a\ufffdb', which holds a control character" },
        { "ce_Odd", "1"u8.ToArray(), "attribute 'Odd' has the value '1', but a name consists of lower-case letters and digits" },
        { "ce_", "1"u8.ToArray(), "attribute '' has the value '1', but a name consists of lower-case letters and digits" },
        { "ce_data", "1"u8.ToArray(), "attribute 'data' has the value '1', but in binary mode the data is the record's value" },
        { "ce_datacontenttype", "text/plain"u8.ToArray(),
            "attribute 'datacontenttype' has the value 'text/plain', but the header 'content-type' says 'application/json'" },
        { "content-type", "text/plain"u8.ToArray(), "the header 'content-type' occurs twice" },
    };

    [Theory]
    [MemberData(nameof(Headers))]
    public void An_invalid_header_gives_a_reason_with_the_attribute_and_its_value(string name, byte[] value, string reason)
    {
        var record = Records.Of(
            "1"u8, new RecordHeader("ce_specversion", "1.0"), new RecordHeader("ce_id", "1"), new RecordHeader("ce_source", "/s"),
            new RecordHeader("ce_type", "t"), new RecordHeader("content-type", "application/json"), new RecordHeader(name, value));

        Assert.StartsWith(reason, Records.ReasonOf(record), StringComparison.Ordinal);
    }

    [Fact]
    public void A_record_of_another_kind_is_no_event() =>
        Assert.Equal("attribute 'id' is missing", Records.ReasonOf(Records.Of("hello"u8, new RecordHeader("content-type", "text/plain"))));

    public static TheoryData<CloudEvent, string> Unwritable => new()
    {
        { Valid with { Id = "" }, "attribute 'id' has the value '', which must not be empty" },
        { Valid with { Source = null! }, "attribute 'source' has the value '', which must not be empty" },
        { Valid with { Subject = "" }, "attribute 'subject' has the value '', which must not be empty" },
        { Valid with { Type = "a\tb" }, "attribute 'type' has the value 'a\ufffdb', which holds a control character" },
        { Valid with { Subject = "half \ud83d" },
            "attribute 'subject' has the value 'half \ufffd', which holds a control character or another one" },
        { Valid with { Extensions = Named("Odd") },
            "The extension 'Odd' has a property of its own or is not named in lower-case letters and digits" },
        { Valid with { Extensions = Named("subject") }, "The extension 'subject' has a property of its own" },
        { Valid with { Extensions = Named("data") }, "The extension 'data' has a property of its own" },
        { Valid with { Extensions = Enumerable.Range(0, 129).ToDictionary(i => $"x{i}", _ => "") },
            "The event has 129 extensions; 128 are possible" },
    };

    private static CloudEvent Valid => new() { Id = "1", Source = "/s", Type = "t" };

    [Theory]
    [MemberData(nameof(Unwritable))]
    public void An_event_that_no_reader_would_take_is_not_written(CloudEvent invalid, string reason)
    {
        foreach (var mode in Enum.GetValues<EventMode>())
        {
            var failure = Assert.Throws<ArgumentException>(() => Records.Write(invalid, mode));
            Assert.StartsWith(reason, failure.Message, StringComparison.Ordinal);
        }
    }

    private static Dictionary<string, string> Named(string name) => new() { [name] = "1" };
}
