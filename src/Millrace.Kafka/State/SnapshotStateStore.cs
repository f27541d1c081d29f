using Millrace.Kafka.Clients;

namespace Millrace.Kafka.State;

/// <summary>Keyed state in memory, with a copy in one file when there is a directory.</summary>
internal sealed class SnapshotStateStore : MemoryStateStore
{
    private readonly StateStoreSource _source;

    private SnapshotStateStore(StateStoreSource source) => _source = source;

    /// <summary>Opens the copy in the directory, if it is whole and of the same changelog.</summary>
    public static SnapshotStateStore Open(StateStoreSource source, ClientLog log)
    {
        var store = new SnapshotStateStore(source);
        if (source.Directory is null) return store;
        var file = Snapshot.FileIn(source.Directory);
        if (!File.Exists(file)) return store;
        try
        {
            store.SetPosition(Snapshot.Read(file, source.ChangelogId, store.Put));
        }
        catch (MillraceException damage)
        {
            log.CopyDropped(file, damage.Message);
            store.Clear();
        }

        return store;
    }

    public override void Clear()
    {
        base.Clear();
        if (_source.Directory is { } directory && Directory.Exists(directory)) File.Delete(Snapshot.FileIn(directory));
    }

    /// <summary>
    /// Collects what there is at once, on the caller's thread, which is the one that changes it; writes the file on another.
    /// </summary>
    public override async ValueTask SaveAsync(CancellationToken cancellation = default)
    {
        if (_source.Directory is not { } directory) return;
        var entries = Copy(out var position);
        await Requests.BlockingAsync(() =>
        {
            Snapshot.Write(directory, _source.ChangelogId, position, entries);
            return position;
        });
    }
}
