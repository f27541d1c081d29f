namespace Millrace;

/// <summary>
/// Where an engine without a disk of its own keeps the keyed state of one partition of one group on this machine: a copy of what its
/// changelog holds up to <see cref="Position"/>. In memory by default; another implementation keeps state larger than memory. A copy may
/// be lost or behind at any time, since the changelog has it all, but never ahead of it nor mixed: what <see cref="Apply"/> takes is
/// committed, and is in the copy together with its position or not at all, also after a crash. One thread changes a store at a time;
/// reading is thread safe.
/// </summary>
public abstract class StateStore : IDisposable
{
    /// <summary>The offset in the changelog up to which (exclusive) changes are in this copy; 0 when nothing is.</summary>
    public abstract long Position { get; }

    /// <summary>The value of a key.</summary>
    public abstract bool TryGet(string store, ReadOnlySpan<byte> key, out ReadOnlyMemory<byte> value);

    /// <summary>The entries of a store ordered by key bytes, as they are now.</summary>
    public abstract IReadOnlyList<KeyValuePair<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>> Scan(string store);

    /// <summary>
    /// Takes committed changes in, in their order, and moves to a position. The arrays of the changes may be kept and are not changed by
    /// anyone.
    /// </summary>
    public abstract void Apply(IReadOnlyList<StateChange> changes, long position);

    /// <summary>Forgets everything; the position is 0 again.</summary>
    public abstract void Clear();

    /// <summary>
    /// Keeps what is here for the next opening, as far as this implementation does and the <see cref="StateStoreSource"/> has a directory.
    /// A failure to do so is no failure of the state: the next opening begins from an older copy, or from none.
    /// </summary>
    public abstract ValueTask SaveAsync(CancellationToken cancellation = default);

    /// <summary>Frees what it holds. Nothing is saved by it.</summary>
    public abstract void Dispose();
}

/// <summary>Which state a <see cref="StateStore"/> holds.</summary>
public sealed record StateStoreSource
{
    /// <summary>The group's id.</summary>
    public required string Group { get; init; }

    /// <summary>The partition's number.</summary>
    public required int Partition { get; init; }

    /// <summary>The changelog topic's id. A copy that was made of another changelog is not opened but thrown away.</summary>
    public required Guid ChangelogId { get; init; }

    /// <summary>
    /// The directory of this partition's copy, which nobody else uses and which may not exist yet; null when nothing is to be kept on
    /// disk.
    /// </summary>
    public required string? Directory { get; init; }
}

/// <summary>
/// Opens the local copy of a partition's state: an older one when there is one of the same changelog, else an empty one. Called from any
/// thread, for one partition at a time. A copy that is damaged is thrown away, not opened.
/// </summary>
public delegate StateStore OpenStateStore(StateStoreSource source);
