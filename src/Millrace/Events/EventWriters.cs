namespace Millrace;

/// <summary>Writers that are used again: as many are kept as threads write at a time, within a bound. Thread safe.</summary>
internal sealed class EventWriters
{
    private const int KeptMax = 16;

    private readonly EventWriter?[] _kept = new EventWriter?[KeptMax];

    /// <summary>A writer that nobody else uses.</summary>
    public EventWriter Rent()
    {
        foreach (ref var slot in _kept.AsSpan())
        {
            if (slot is not null && Interlocked.Exchange(ref slot, null) is { } writer) return writer;
        }

        return new EventWriter();
    }

    /// <summary>Not reached after a failure: such a writer is left to the collector.</summary>
    public void Return(EventWriter writer)
    {
        foreach (ref var slot in writer.IsWorthKeeping ? _kept.AsSpan() : [])
        {
            if (slot is null && Interlocked.CompareExchange(ref slot, writer, null) is null) return;
        }

        writer.Dispose();
    }
}
