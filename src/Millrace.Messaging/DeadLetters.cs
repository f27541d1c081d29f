namespace Millrace.Messaging;

/// <summary>
/// The names around dead letters. A dead letter is the record as it was read (key, value, time and headers unchanged), followed by the
/// headers named here, in the topic <see cref="TopicOf"/> names.
/// </summary>
public static class DeadLetters
{
    /// <summary>What a dead-letter topic's name ends in.</summary>
    public const string TopicSuffix = ".dlq";

    /// <summary>Why: the exception's type and message, at most <see cref="ReasonCharactersMax"/> characters.</summary>
    public const string Reason = "millrace-dlq-reason";

    /// <summary>The topic that the record was read from.</summary>
    public const string Topic = "millrace-dlq-topic";

    /// <summary>The partition that it was read from, in decimal.</summary>
    public const string Partition = "millrace-dlq-partition";

    /// <summary>The offset that it had there, in decimal.</summary>
    public const string Offset = "millrace-dlq-offset";

    /// <summary>The group that could not handle it.</summary>
    public const string Group = "millrace-dlq-group";

    /// <summary>How many times a handler was called with it, in decimal; 0 when the record could not be read.</summary>
    public const string Attempts = "millrace-dlq-attempts";

    /// <summary>When it was given up, ISO 8601 in UTC.</summary>
    public const string Time = "millrace-dlq-time";

    /// <summary>The most characters that <see cref="Reason"/> has; the rest is cut off.</summary>
    public const int ReasonCharactersMax = 1_000;

    /// <summary>The topic for the dead letters of a topic.</summary>
    public static string TopicOf(string topic) => topic + TopicSuffix;
}
