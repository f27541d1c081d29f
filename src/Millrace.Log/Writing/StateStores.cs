using System.Globalization;
using Millrace.Log.Recovery;

namespace Millrace.Log.Writing;

/// <summary>Opens the groups' keyed state: in memory, or on disk when there is an option for it. For the writer and the recovery.</summary>
internal sealed class StateStores(Folder folder, LogOptions options)
{
    public bool AreOnDisk => options.OpenStateStore is not null;

    /// <summary>
    /// An empty store. One on disk is drawn a new id: what an earlier life began there, and no checkpoint names, is thrown away, since the
    /// journal has it all.
    /// </summary>
    public StateStore Begin(GroupPartition partition)
    {
        if (options.OpenStateStore is null) return new MemoryStateStore();
        Span<byte> bytes = stackalloc byte[16];
        options.Random.NextBytes(bytes);
        var id = new Guid(bytes);
        partition.Name(id);
        return Open(partition, id, isOnlyCopy: false);
    }

    /// <summary>The store that a checkpoint names, which has at least what it had then.</summary>
    public StateStore Reopen(GroupPartition partition, Guid id, long position)
    {
        if (options.OpenStateStore is null)
        {
            throw new MillraceException(FailureCodes.DataMismatch,
                $"The state of partition {partition.Number} of group '{partition.Group.Name}' is on disk, in "
                + $"{folder.StoreOf(partition)}: set {nameof(LogOptions)}.{nameof(LogOptions.OpenStateStore)} to what opens it.");
        }

        var store = Open(partition, id, isOnlyCopy: true);
        if (store.Position >= position) return store;
        var found = store.Position;
        store.Dispose();
        throw new MillraceException(FailureCodes.Corrupt,
            $"The state of partition {partition.Number} of group '{partition.Group.Name}' in {folder.StoreOf(partition)} is at position "
            + $"{found.ToString(CultureInfo.InvariantCulture)}, and the log saved {position.ToString(CultureInfo.InvariantCulture)} there. "
            + "Restore the folder from a copy.");
    }

    /// <summary>
    /// Takes changes in. The recovery gives a store again what it may have already: the last change of a key is what counts. A store that
    /// cannot keep up is waited for.
    /// </summary>
    public static void Apply(StateStore store, IReadOnlyList<StateChange> changes, long sequence)
    {
        while (true)
        {
            try
            {
                store.Apply(changes, Math.Max(sequence, store.Position));
                return;
            }
            catch (MillraceException failure) when (failure.Code == FailureCodes.Throttled)
            {
                // It has waited already, and nothing of the changes is in it.
            }
        }
    }

    private StateStore Open(GroupPartition partition, Guid id, bool isOnlyCopy) => options.OpenStateStore!(new StateStoreSource
    {
        Group = partition.Group.Name,
        Partition = partition.Number,
        ChangelogId = id,
        Directory = folder.StoreOf(partition),
        IsOnlyCopy = isOnlyCopy,
    });
}
