using System.Globalization;

namespace Millrace.Messaging;

/// <summary>
/// Writes a record that cannot be handled to its topic's dead letters, as it was read, with why and where from behind its own headers.
/// </summary>
internal static class DeadLetterWriter
{
    public static void Write(ProcessorScope scope, HandlerCall call)
    {
        ref readonly var record = ref call.Record;
        var headers = new List<RecordHeader>(record.Headers.Count + 7);
        foreach (var header in record.Headers) headers.Add(header);
        headers.Add(new RecordHeader(DeadLetters.Reason, ReasonOf(call.DeadLetterReason!)));
        headers.Add(new RecordHeader(DeadLetters.Topic, call.Source.Topic));
        headers.Add(new RecordHeader(DeadLetters.Partition, Text(call.Source.Partition)));
        headers.Add(new RecordHeader(DeadLetters.Offset, Text(record.Offset)));
        headers.Add(new RecordHeader(DeadLetters.Group, scope.Processor));
        headers.Add(new RecordHeader(DeadLetters.Attempts, Text(call.Attempt)));
        headers.Add(new RecordHeader(DeadLetters.Time, scope.Time.GetUtcNow().UtcDateTime.ToString("O", CultureInfo.InvariantCulture)));
        scope.To(DeadLetters.TopicOf(call.Source.Topic), record.Key.Span)
            .Add(record.Timestamp, record.HasKey, record.Key.Span, record.HasValue, record.Value.Span, headers.ToArray());
    }

    private static string ReasonOf(Exception failure)
    {
        var reason = $"{failure.GetType().FullName}: {failure.Message}";
        return reason.Length <= DeadLetters.ReasonCharactersMax ? reason : reason[..DeadLetters.ReasonCharactersMax];
    }

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
