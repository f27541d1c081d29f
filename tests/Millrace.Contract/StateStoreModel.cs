using System.Text;

namespace Millrace.Contract;

/// <summary>
/// What a <see cref="StateStore"/> should hold, and what it held at every position before: a dictionary, and random changes for both.
/// Contents are compared as texts, one per entry, so that a difference can be read.
/// </summary>
public sealed class StateStoreModel(Random random)
{
    /// <summary>Names that begin alike, or with what might be another name's length.</summary>
    private static readonly string[] Stores = ["totals", "total", "", "\u0001", "läger"];

    private readonly SortedDictionary<string, string> _entries = new(StringComparer.Ordinal);
    private readonly Dictionary<long, string[]> _history = new() { [0] = [] };

    /// <summary>The position of the last changes.</summary>
    public long Position { get; private set; }

    /// <summary>Everything, as it should be now.</summary>
    public IReadOnlyList<string> Contents => _history[Position];

    /// <summary>What a store holds.</summary>
    public static IReadOnlyList<string> ContentsOf(StateStore store)
    {
        ArgumentNullException.ThrowIfNull(store);
        var lines = new List<string>();
        foreach (var name in Stores)
            lines.AddRange(store.Scan(name).Select(entry => Line(name, entry.Key.Span, entry.Value.Span)));
        return [.. lines.Order(StringComparer.Ordinal)];
    }

    /// <summary>Draws changes, takes them in here, and hands them to the store.</summary>
    public void Apply(StateStore store, int changesMax = 8, int valueBytesMax = 60)
    {
        ArgumentNullException.ThrowIfNull(store);
        var changes = new List<StateChange>();
        for (var left = random.Next(changesMax + 1); left > 0; left--) changes.Add(Draw(valueBytesMax));
        Position += random.Next(1, 5);
        _history[Position] = [.. _entries.Select(entry => entry.Key + entry.Value)];
        store.Apply(changes, Position);
    }

    /// <summary>Forgets everything, here and there.</summary>
    public void Clear(StateStore store)
    {
        ArgumentNullException.ThrowIfNull(store);
        _entries.Clear();
        _history.Clear();
        _history[0] = [];
        Position = 0;
        store.Clear();
    }

    /// <summary>Takes back what a store that was opened again has not got: it must be what was there at its position.</summary>
    /// <param name="store">The store.</param>
    /// <param name="saved">The position that it must have at least.</param>
    public void GoBackTo(StateStore store, long saved)
    {
        ArgumentNullException.ThrowIfNull(store);
        AssertIsPrefix(store, saved);
        foreach (var later in _history.Keys.Where(position => position > store.Position).ToList()) _history.Remove(later);
        Position = store.Position;
        _entries.Clear();
        foreach (var line in Contents) _entries[KeyPart(line)] = line[KeyPart(line).Length..];
    }

    /// <summary>Demands that a store holds exactly this.</summary>
    public void AssertIs(StateStore store)
    {
        ArgumentNullException.ThrowIfNull(store);
        Assert.Equal(Position, store.Position);
        Assert.Equal(Contents, ContentsOf(store));
    }

    /// <summary>Demands that a store holds exactly what was here at its position, which is not before the saved one.</summary>
    public void AssertIsPrefix(StateStore store, long saved)
    {
        ArgumentNullException.ThrowIfNull(store);
        Assert.InRange(store.Position, saved, Position);
        Assert.True(_history.TryGetValue(store.Position, out var expected), $"No changes ended at the position {store.Position}.");
        Assert.Equal(expected, ContentsOf(store));
    }

    private StateChange Draw(int valueBytesMax)
    {
        var store = Stores[random.Next(Stores.Length)];
        var key = new byte[random.Next(4)];
        for (var at = 0; at < key.Length; at++) key[at] = random.Next(5) switch { 0 => 0, 1 => 0x7F, 2 => 0x80, 3 => 0xFF, _ => 1 };
        var name = KeyPart(Line(store, key, []));
        if (random.Next(3) == 0)
        {
            _entries.Remove(name);
            return new StateChange(store, key, null);
        }

        var value = new byte[random.Next(valueBytesMax + 1)];
        random.NextBytes(value);
        _entries[name] = Convert.ToHexString(value);
        return new StateChange(store, key, value);
    }

    private static string Line(string store, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value) =>
        $"{Convert.ToHexString(Encoding.UTF8.GetBytes(store))}/{Convert.ToHexString(key)}={Convert.ToHexString(value)}";

    private static string KeyPart(string line) => line[..(line.IndexOf('=', StringComparison.Ordinal) + 1)];
}
