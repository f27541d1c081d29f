using System.Text;
using System.Text.Json;

namespace Millrace.Tests.Events;

/// <summary>Data that is read in the same pass as its event.</summary>
public sealed class EventDataTests
{
    private const string Rest = """ "specversion":"1.0","id":"1","source":"/s","type":"t" """;

    private static readonly RecordHeader[] Headers = [new("ce_specversion", "1.0"), new("ce_id", "1"), new("ce_source", "/s"), new("ce_type", "t")];

    [Theory]
    [InlineData("""{"data":{"a":[1,{}],"b":"x"},%}""")]
    [InlineData("""{%,"data": {"a":[1,{}],"b":"x"} }""")]
    [InlineData("""{"datacontenttype":"application/json","data":{"a":[1,{}],"b":"x"},%,"subject":"behind it"}""")]
    public void Data_is_read_wherever_it_stands_and_the_event_around_it_is_the_same(string json)
    {
        var record = Records.Structured(json.Replace("%", Rest, StringComparison.Ordinal));
        var whole = EventCodec.Read(record).ToEvent();

        var tokens = new List<string>();
        Assert.True(EventCodec.TryRead(record, ref tokens, ReadToEnd, out var view, out var reason), reason);

        Assert.Equal(
            ["StartObject {", "PropertyName a", "StartArray [", "Number 1", "StartObject {", "EndObject }", "EndArray ]", "PropertyName b", "String x",
                "EndObject }"],
            tokens);
        var read = view.ToEvent();
        Assert.Equal(Records.Text(whole.Data), Records.Text(read.Data));
        Assert.Equal(whole.Subject, read.Subject);
        Assert.Equal(("1", "/s", "t"), (read.Id, read.Source, read.Type));
    }

    [Theory]
    [InlineData("7", "Number 7")]
    [InlineData("\"text\"", "String text")]
    [InlineData("null", "Null null")]
    public void Single_values_are_data_as_well(string data, string token)
    {
        var tokens = new List<string>();
        Assert.True(EventCodec.TryRead(Records.Structured($$"""{"data":{{data}},{{Rest}}}"""), ref tokens, ReadToEnd, out var view, out _));
        Assert.Equal([token], tokens);
        Assert.Equal(data, Records.Text(view.Data));
    }

    [Fact]
    public void Data_that_is_refused_half_way_is_passed_over()
    {
        var tokens = new List<string>();
        var record = Records.Structured($$"""{"data":{"a":[1,2]},{{Rest}},"subject":"x"}""");
        Assert.True(EventCodec.TryRead(record, ref tokens, Refuse, out var view, out _));
        Assert.Equal(["PropertyName"], tokens);
        Assert.Equal("""{"a":[1,2]}""", Records.Text(view.Data));
        Assert.Equal("x", Records.Text(view.Subject));
    }

    [Theory]
    [InlineData("""{"data":{"a":1,},%}""")]
    [InlineData("""{"data":{"a":1,%}""")]
    [InlineData("""{"data":[1}],%}""")]
    public void Data_that_is_not_JSON_is_refused_whether_it_is_read_or_passed_over(string json)
    {
        var record = Records.Structured(json.Replace("%", Rest, StringComparison.Ordinal));
        foreach (var reader in new EventDataReader<List<string>>[] { ReadToEnd, Refuse })
        {
            var tokens = new List<string>();
            Assert.False(EventCodec.TryRead(record, ref tokens, reader, out _, out var reason));
            Assert.StartsWith("the envelope is not JSON: ", reason, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_reader_that_stops_short_of_the_end_or_goes_beyond_it_is_a_fault_of_the_program()
    {
        var record = Records.Structured("""{"data":{"a":{"b":1}},%}""".Replace("%", Rest, StringComparison.Ordinal));
        foreach (var (steps, stood) in new[]
        {
            (0, "StartObject on level 1"), (1, "PropertyName on level 2"), (4, "Number on level 3"), (5, "EndObject on level 2"),
            (7, "PropertyName on level 1"),
        })
        {
            var left = steps;
            var failure = Assert.Throws<ArgumentException>(() => EventCodec.TryRead(record, ref left, Walk, out _, out _));
            Assert.Equal($"An event's data was read to the {stood}, not to the EndObject on level 1 at its end.", failure.Message);
        }

        static bool Walk(ref Utf8JsonReader json, ref int steps)
        {
            while (steps-- > 0) json.Read();
            return true;
        }
    }

    [Fact]
    public void What_a_reader_throws_goes_to_the_caller()
    {
        var none = 0;
        Assert.Throws<InvalidOperationException>(() => EventCodec.TryRead(
            Records.Structured($$"""{"data":"x",{{Rest}}}"""), ref none, (ref json, ref state) => json.GetInt32() == state, out _, out _));
    }

    [Fact]
    public void Data_of_binary_events_and_of_Base64_is_read_if_it_is_JSON()
    {
        Assert.Equal(["StartArray [", "Number 1", "EndArray ]"], Read(Records.Of("[1]"u8, Headers)));
        Assert.Equal(["StartArray [", "Number 1", "EndArray ]"], Read(Records.Of(" [1] "u8, [.. Headers, new("content-type", "text/json")])));
        Assert.Empty(Read(Records.Of("[1]"u8, [.. Headers, new("content-type", "text/plain")])));
        Assert.Empty(Read(Records.WithoutValue(Headers)));
        Assert.Equal(["Number 42"], Read(Records.Structured($$"""{"data_base64":"{{Convert.ToBase64String("42"u8)}}",{{Rest}}}""")));
        Assert.Empty(Read(Records.Structured($$"""{"data_base64":"AAE=","datacontenttype":"image/png",{{Rest}}}""")));

        static List<string> Read(Record record)
        {
            var tokens = new List<string>();
            Assert.True(EventCodec.TryRead(record, ref tokens, ReadToEnd, out _, out var reason), reason);
            return tokens;
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("[1] 2")]
    [InlineData("hello")]
    public void A_binary_event_whose_data_only_says_that_it_is_JSON_is_refused(string data)
    {
        var record = Records.Of(Encoding.UTF8.GetBytes(data), Headers);
        foreach (var reader in new EventDataReader<List<string>>[] { ReadToEnd, RefuseAtOnce })
        {
            var tokens = new List<string>();
            Assert.False(EventCodec.TryRead(record, ref tokens, reader, out _, out var reason));
            Assert.StartsWith("the data is not JSON: ", reason, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Data_may_be_as_deep_as_without_being_read()
    {
        var deep = new string('[', EventCodec.DataDepthMax) + new string(']', EventCodec.DataDepthMax);
        var tokens = new List<string>();
        Assert.True(EventCodec.TryRead(Records.Structured($$"""{"data":{{deep}},{{Rest}}}"""), ref tokens, ReadToEnd, out _, out _));
        Assert.True(EventCodec.TryRead(Records.Of(Encoding.UTF8.GetBytes(deep), Headers), ref tokens, ReadToEnd, out _, out _));
        Assert.Equal(4 * EventCodec.DataDepthMax, tokens.Count);
        Assert.False(EventCodec.TryRead(Records.Structured($$"""{"data":[{{deep}}],{{Rest}}}"""), ref tokens, ReadToEnd, out _, out _));
        Assert.False(EventCodec.TryRead(Records.Of(Encoding.UTF8.GetBytes($"[{deep}]"), Headers), ref tokens, ReadToEnd, out _, out _));
    }

    private static bool ReadToEnd(ref Utf8JsonReader json, ref List<string> tokens)
    {
        var depth = json.CurrentDepth;
        Add(json, tokens);
        if (json.TokenType is not (JsonTokenType.StartObject or JsonTokenType.StartArray)) return true;
        while (json.Read())
        {
            Add(json, tokens);
            if (json.CurrentDepth == depth) return true;
        }

        return false;
    }

    private static bool RefuseAtOnce(ref Utf8JsonReader json, ref List<string> tokens) => false;

    private static bool Refuse(ref Utf8JsonReader json, ref List<string> tokens)
    {
        json.Read();
        tokens.Add($"{json.TokenType}");
        return false;
    }

    private static void Add(in Utf8JsonReader json, List<string> tokens) =>
        tokens.Add($"{json.TokenType} {Encoding.UTF8.GetString(json.ValueSpan)}");
}
