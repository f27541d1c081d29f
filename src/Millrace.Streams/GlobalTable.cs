using Millrace.Streams.Definition;

namespace Millrace.Streams;

/// <summary>How a topic becomes a global table. Immutable.</summary>
/// <typeparam name="TKey">The keys' type.</typeparam>
/// <typeparam name="T">The values' type.</typeparam>
public sealed record GlobalTableOptions<TKey, T>
    where TKey : notnull
{
    /// <summary>The most that <see cref="EntriesMax"/> may be.</summary>
    public const int EntriesMaxLimit = 100_000_000;

    /// <summary>
    /// How a record's key becomes a key. By default UTF-8 text for <see cref="string"/>, and decimal or usual text for <see cref="int"/>,
    /// <see cref="long"/> and <see cref="Guid"/>, as outputs write keys; other types have to say. It may throw on bytes that are no key.
    /// </summary>
    public StateReader<TKey>? Key { get; init; }

    /// <summary>How the topic's records become values; <see cref="RecordCodecs.Default"/> when null. The test driver needs none.</summary>
    public RecordCodec<T>? Codec { get; init; }

    /// <summary>
    /// The most entries that it may have: 1 to <see cref="EntriesMaxLimit"/>, 1,000,000 by default. All of them are in memory, once per
    /// process and stage. A topic that has more is read no further; the processor's status says so.
    /// </summary>
    public int EntriesMax { get; init; } = 1_000_000;
}

/// <summary>
/// A table that every partition of a topology has whole: the latest value of each key of a topic, whatever partition it lies in (Kafka
/// Streams' GlobalKTable, Apache Flink's broadcast state). A record without a value removes its key. It changes while the topology runs, by
/// processing time: a record meets what the table holds when it is worked on, also when it is worked on again after a failure. See <see
/// cref="DataStream{T}.JoinTable"/>.
/// </summary>
/// <typeparam name="TKey">The keys' type.</typeparam>
/// <typeparam name="T">The values' type.</typeparam>
public sealed class GlobalTable<TKey, T>
    where TKey : notnull
{
    internal GlobalTable(StreamTopology topology, TableDefinition<TKey, T> definition) => (Topology, Definition) = (topology, definition);

    /// <summary>The topic's name.</summary>
    public string Name => Definition.Name;

    internal StreamTopology Topology { get; }

    internal TableDefinition<TKey, T> Definition { get; }
}

/// <summary>What a process holds of a global table for a stage.</summary>
/// <param name="Name">The topic's name.</param>
/// <param name="Entries">How many keys have a value.</param>
/// <param name="RecordsIn">Records that were read, removals included.</param>
/// <param name="RecordsRefused">Records that were left out, as their key or value cannot be read; the key keeps what it had.</param>
/// <param name="LastRefusal">Why the last of them was left out; null when there was none.</param>
public sealed record GlobalTableStatus(string Name, int Entries, long RecordsIn, long RecordsRefused, string? LastRefusal);
