using System.Globalization;

namespace Millrace;

/// <summary>
/// Records that a processor could not work on. A dead letter is the record as it was read (key, value, time and headers unchanged), followed
/// by the headers named here, in the topic <see cref="TopicOf"/> names. Thread safe.
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

    /// <summary>
    /// The topic for the dead letters of a topic, to be among the <see cref="Processor.Companions"/> of whoever says them.
    /// </summary>
    public static CompanionTopic CompanionOf(string topic) => new(TopicOf(topic), topic);

    /// <summary>Says a record to its topic's dead letters, within a call of its processor: it is in the commit with the position.</summary>
    /// <param name="scope">The processor's scope.</param>
    /// <param name="source">Where the record was read.</param>
    /// <param name="record">The record.</param>
    /// <param name="reason">Why it could not be worked on.</param>
    /// <param name="attempts">How often that was tried; 0 when the record could not be read.</param>
    /// <exception cref="MillraceException"><see cref="FailureCodes.TopicNotFound"/>.</exception>
    public static void Say(ProcessorScope scope, TopicPartition source, in Record record, string reason, int attempts)
    {
        ArgumentNullException.ThrowIfNull(scope);
        ArgumentNullException.ThrowIfNull(reason);
        ArgumentOutOfRangeException.ThrowIfNegative(attempts);
        var headers = new List<RecordHeader>(record.Headers.Count + 7);
        foreach (var header in record.Headers) headers.Add(header);
        headers.Add(new RecordHeader(Reason, reason.Length <= ReasonCharactersMax ? reason : reason[..ReasonCharactersMax]));
        headers.Add(new RecordHeader(Topic, source.Topic));
        headers.Add(new RecordHeader(Partition, Text(source.Partition)));
        headers.Add(new RecordHeader(Offset, Text(record.Offset)));
        headers.Add(new RecordHeader(Group, scope.Processor));
        headers.Add(new RecordHeader(Attempts, Text(attempts)));
        headers.Add(new RecordHeader(Time, scope.Time.GetUtcNow().UtcDateTime.ToString("O", CultureInfo.InvariantCulture)));
        scope.To(TopicOf(source.Topic), record.Key.Span)
            .Add(record.Timestamp, record.HasKey, record.Key.Span, record.HasValue, record.Value.Span, headers.ToArray());
    }

    /// <summary>Says a record to its topic's dead letters, with an exception as the reason: its type and its message.</summary>
    /// <param name="scope">The processor's scope.</param>
    /// <param name="source">Where the record was read.</param>
    /// <param name="record">The record.</param>
    /// <param name="failure">Why it could not be worked on.</param>
    /// <param name="attempts">How often that was tried; 0 when the record could not be read.</param>
    /// <exception cref="MillraceException"><see cref="FailureCodes.TopicNotFound"/>.</exception>
    public static void Say(ProcessorScope scope, TopicPartition source, in Record record, Exception failure, int attempts)
    {
        ArgumentNullException.ThrowIfNull(failure);
        Say(scope, source, record, $"{failure.GetType().FullName}: {failure.Message}", attempts);
    }

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
