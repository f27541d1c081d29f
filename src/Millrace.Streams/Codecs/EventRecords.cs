namespace Millrace.Streams.Codecs;

/// <summary>CloudEvents whose data is a class of a registry.</summary>
internal sealed class EventRecords<T> : RecordCodec<T>
    where T : class
{
    private readonly EventRegistry _registry;
    private readonly EventRecordWriter? _writer;

    public EventRecords(EventRegistry registry, string? source)
    {
        if (!registry.Contracts.Any(contract => typeof(T).IsAssignableFrom(contract.ClrType)))
            _ = registry.Find(typeof(T)); // says what is missing
        _registry = registry;
        _writer = source is null ? null : new EventRecordWriter(registry, source);
    }

    public override bool TryRead(in Record record, out T value, out long timestamp, out string reason)
    {
        (value, timestamp) = (default!, record.Timestamp);
        if (!EventCodec.TryRead(record, out var view, out reason))
        {
            reason = $"the record is not an event: {reason}";
            return false;
        }

        object data;
        try
        {
            data = _registry.Read(view);
        }
        catch (MillraceException failure) when (failure.Code is FailureCodes.DataMismatch or FailureCodes.UnknownEventType)
        {
            reason = failure.Message;
            return false;
        }

        if (data is not T fitting)
        {
            reason = $"the event's data is a {data.GetType().Name}, not a {typeof(T).Name}";
            return false;
        }

        if (view.Time is { } time) timestamp = time.ToUnixTimeMilliseconds();
        value = fitting;
        return true;
    }

    public override void Write(T value, in OutgoingRecord record, RecordBatchBuilder target)
    {
        if (_writer is null)
            throw new InvalidOperationException("The codec was made without a source, which events that are written need.");
        _writer.Write(value, record.Id, record.Key, record.Timestamp, target);
    }
}
