namespace Millrace.Streams.States;

/// <summary>What an operator keeps in memory of entries that are in the store as well.</summary>
internal interface ISpilling
{
    /// <summary>About how many bytes those in memory have as they are stored.</summary>
    long MemoryBytes { get; }

    /// <summary>Lets go of what was not used since the last time, or of everything. Called when everything is saved.</summary>
    void Age(bool isEverything);
}

/// <summary>The parts of an instance that have in memory what they use, up to a limit, and the rest in the store.</summary>
internal sealed class Spill(Func<long> bytesMax)
{
    private readonly List<ISpilling> _parts = [];
    private StateScope? _scope;

    /// <summary>Where the rest is; of the instance's calls only.</summary>
    public StateScope Scope
    {
        get => _scope ?? throw new InvalidOperationException("There is no state before it is restored.");
        set => _scope = value;
    }

    public long MemoryBytes => _parts.Sum(part => part.MemoryBytes);

    public void Add(ISpilling part) => _parts.Add(part);

    /// <summary>Everything is saved: what is above the limit leaves memory, of the largest part first.</summary>
    public void Settle()
    {
        var (max, used) = (bytesMax(), MemoryBytes);
        if (used <= max) return;

        // To some way below it, so that it is not done at each commit.
        var enough = max - (max / 4);
        foreach (var part in _parts.OrderByDescending(part => part.MemoryBytes))
        {
            for (var turn = 0; turn < 2 && used > enough; turn++)
            {
                var before = part.MemoryBytes;
                part.Age(isEverything: turn == 1);
                used -= before - part.MemoryBytes;
            }
        }
    }
}
