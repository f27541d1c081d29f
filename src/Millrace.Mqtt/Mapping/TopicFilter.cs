namespace Millrace.Mqtt.Mapping;

/// <summary>Filters of MQTT topics (MQTT 5, section 4.7): <c>+</c> is one level, <c>#</c> at the end any number of them.</summary>
internal static class TopicFilter
{
    /// <summary>The longest topic: its length has two bytes on the wire.</summary>
    public const int BytesMax = 65_535;

    /// <summary>Whether a topic fits a filter. Wildcards at the first level do not fit topics that begin with <c>$</c>.</summary>
    public static bool Matches(string filter, string topic) =>
        (topic[0] != '$' || filter[0] == '$') && Covers(filter, topic);

    /// <summary>Whether every topic that fits the narrower filter fits the wider one, too. On the hot path: it allocates nothing.</summary>
    public static bool Covers(ReadOnlySpan<char> wider, ReadOnlySpan<char> narrower)
    {
        var (isWideLeft, isNarrowLeft) = (true, true);
        while (isWideLeft)
        {
            var wide = NextLevel(ref wider, out isWideLeft);
            if (wide is "#") return true;
            if (!isNarrowLeft) return false;
            var narrow = NextLevel(ref narrower, out isNarrowLeft);
            if (narrow is "#" || (wide is not "+" && !wide.SequenceEqual(narrow))) return false;
        }

        return !isNarrowLeft;
    }

    /// <summary>Why a text is no filter; null when it is one.</summary>
    public static string? Fault(string filter)
    {
        if (filter.Length == 0 || System.Text.Encoding.UTF8.GetByteCount(filter) > BytesMax) return $"it is not 1 to {BytesMax} bytes long";
        if (filter.Contains('\0', StringComparison.Ordinal)) return "it holds a null character";
        var levels = filter.Split('/');
        for (var i = 0; i < levels.Length; i++)
        {
            if (levels[i].Contains('#', StringComparison.Ordinal) && (levels[i] != "#" || i != levels.Length - 1))
                return "'#' must be the last level alone";
            if (levels[i].Contains('+', StringComparison.Ordinal) && levels[i] != "+") return "'+' must be a level alone";
        }

        return null;
    }

    /// <summary>Whether a text can be the topic of a message.</summary>
    public static bool IsTopic(string topic) => Fault(topic) is null && !topic.AsSpan().ContainsAny("+#");

    private static ReadOnlySpan<char> NextLevel(ref ReadOnlySpan<char> rest, out bool isMoreLeft)
    {
        var end = rest.IndexOf('/');
        isMoreLeft = end >= 0;
        var level = isMoreLeft ? rest[..end] : rest;
        rest = isMoreLeft ? rest[(end + 1)..] : default;
        return level;
    }
}

/// <summary>Topics with a name for each level that varies, such as <c>sensors/{zone}/{device}/reading</c>.</summary>
internal sealed class TopicPattern
{
    private readonly string[] _levels;

    public TopicPattern(string text)
    {
        _levels = text.Split('/');
        Names = new string?[_levels.Length];
        for (var i = 0; i < _levels.Length; i++)
        {
            if (_levels[i] is not ['{', .. var name, '}']) continue;
            if (!Template.IsName(name) || name is "topic" or "payload" || Names.Contains(name))
                throw new ArgumentException($"The topics '{text}' name a level '{name}', which is not possible or not unique.");
            Names[i] = name;
            _levels[i] = "+";
        }

        Filter = string.Join('/', _levels);
        if (TopicFilter.Fault(Filter) is { } fault) throw new ArgumentException($"The topics '{text}' are no filter: {fault}.");
    }

    /// <summary>The filter that a broker is asked for.</summary>
    public string Filter { get; }

    /// <summary>The names of the levels; null where a level has none.</summary>
    public string?[] Names { get; }

    public bool Matches(string topic) => TopicFilter.Matches(Filter, topic);
}
