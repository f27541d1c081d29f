using Millrace.Streams.States;

namespace Millrace.Streams.Keyed;

/// <summary>A state of a function: objects in memory, those that changed written before a commit.</summary>
internal abstract class KeyedStore<TKey>
    where TKey : notnull
{
    public abstract int Entries { get; }

    public abstract long Bytes { get; }

    public abstract long MemoryBytes { get; }

    public abstract void Save(StateScope scope);

    public abstract void Restore(StateScope scope);
}

/// <summary>What the states of one function share: the key in hand, the clock, and what to do before anything is changed.</summary>
internal sealed class StateHand<TKey>(StateCodec<TKey> codec, Func<long> now, Action onChange, Spill? spill)
    where TKey : notnull
{
    public StateCodec<TKey> Codec { get; } = codec;

    /// <summary>Null when all state is in memory.</summary>
    public Spill? Spill { get; } = spill;

    public TKey Key { get; set; } = default!;

    public long Now => now();

    public void Change() => onChange();
}
