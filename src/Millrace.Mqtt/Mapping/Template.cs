using System.Text;
using System.Text.Json;

namespace Millrace.Mqtt.Mapping;

/// <summary>
/// A text with placeholders such as <c>{device}</c> or <c>{payload.a.b}</c>. A brace that opens no name is a brace, so that JSON can be
/// written in it.
/// </summary>
internal sealed class Template
{
    private readonly List<(string Text, bool IsName, bool IsQuoted)> _parts = [];

    public Template(string text)
    {
        var start = 0;
        var isQuoted = false;
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] == '"' && (i == 0 || text[i - 1] != '\\')) isQuoted = !isQuoted;
            if (text[i] != '{') continue;
            var end = text.IndexOf('}', i);
            if (end < 0 || !IsName(text.AsSpan(i + 1, end - i - 1))) continue;
            if (i > start) _parts.Add((text[start..i], false, false));
            _parts.Add((text[(i + 1)..end], true, isQuoted));
            start = end + 1;
            i = end;
        }

        if (start < text.Length) _parts.Add((text[start..], false, false));
    }

    /// <summary>The names of the placeholders.</summary>
    public IEnumerable<string> Names => _parts.Where(part => part.IsName).Select(part => part.Text);

    /// <summary>The text with its placeholders filled.</summary>
    /// <exception cref="UnusableException">A placeholder has no value.</exception>
    public string Text(Func<string, Value> valueOf)
    {
        if (_parts is [var only]) return only.IsName ? valueOf(only.Text).Text : only.Text;
        var built = new StringBuilder();
        foreach (var (text, isName, _) in _parts) built.Append(isName ? valueOf(text).Text : text);
        return built.ToString();
    }

    /// <summary>The template as JSON: within quotes values are escaped, outside of them they stand as the JSON that they are.</summary>
    /// <exception cref="UnusableException">A placeholder has no value.</exception>
    public byte[] Json(Func<string, Value> valueOf)
    {
        var built = new StringBuilder();
        foreach (var (text, isName, isQuoted) in _parts)
        {
            if (!isName) built.Append(text);
            else if (isQuoted) built.Append(JsonEncodedText.Encode(valueOf(text).Text).Value);
            else built.Append(valueOf(text).Json);
        }

        return Encoding.UTF8.GetBytes(built.ToString());
    }

    public static bool IsName(ReadOnlySpan<char> text)
    {
        if (text.IsEmpty || !char.IsAsciiLetter(text[0]) || text[^1] == '.') return false;
        foreach (var c in text)
        {
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('.' or '_' or '-')) return false;
        }

        return true;
    }

    /// <summary>What a placeholder stands for, as text and as JSON, which is made when it is asked for: most are used as text.</summary>
    internal readonly record struct Value
    {
        private readonly string? _json;

        public Value(string text, string? json) => (Text, _json) = (text, json);

        public string Text { get; }

        public string Json => _json ?? $"\"{JsonEncodedText.Encode(Text).Value}\"";

        public static Value Of(string text) => new(text, null);

        public static Value Of(JsonElement json)
        {
            var raw = json.GetRawText();
            return new Value(json.ValueKind == JsonValueKind.String ? json.GetString()! : raw, raw);
        }
    }
}

/// <summary>A message that cannot be taken, and why: it becomes a dead letter.</summary>
internal sealed class UnusableException(string reason) : Exception(reason);
