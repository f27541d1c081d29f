namespace Millrace.Kafka.State;

/// <summary>
/// A store that remembers whether it ever failed: it may go on failing until what it has on disk is opened again, or begun anew.
/// </summary>
internal sealed class WatchedStore(StateStore store) : StateStore
{
    private volatile bool _hasFailed;

    public bool HasFailed => _hasFailed;

    public override long Position => store.Position;

    public override bool TryGet(string name, ReadOnlySpan<byte> key, out ReadOnlyMemory<byte> value)
    {
        try
        {
            return store.TryGet(name, key, out value);
        }
        catch (MillraceException)
        {
            _hasFailed = true;
            throw;
        }
    }

    public override IReadOnlyList<KeyValuePair<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>> Scan(string name, StateRange range)
    {
        try
        {
            return store.Scan(name, range);
        }
        catch (MillraceException)
        {
            _hasFailed = true;
            throw;
        }
    }

    public override void Apply(IReadOnlyList<StateChange> changes, long position)
    {
        try
        {
            store.Apply(changes, position);
        }
        catch (MillraceException)
        {
            _hasFailed = true;
            throw;
        }
    }

    public override void Clear()
    {
        try
        {
            store.Clear();
        }
        catch (MillraceException)
        {
            _hasFailed = true;
            throw;
        }
    }

    public override ValueTask SaveAsync(CancellationToken cancellation = default) => store.SaveAsync(cancellation);

    public override void Dispose() => store.Dispose();
}
