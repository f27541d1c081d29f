using System.Buffers.Binary;

namespace Millrace.Crash.State;

/// <summary>
/// The changes of a copy of state, step by step, as the changelog of a partition would give them: they follow from the seed and the step's
/// number, so that whoever knows a position knows what is there.
/// </summary>
internal sealed class StateScript(int seed)
{
    public const int Keys = 3_000;

    public static readonly string[] Stores = ["totals", "total"];

    private readonly Dictionary<(string Store, int Key), long> _expected = [];
    private long _position;

    public static StateStoreSource Source(string folder) =>
        new() { Group = "state", Partition = 0, ChangelogId = Guid.Parse("8a6b7c0e-3a51-4f5c-9a39-5d0c2b6f7e11"), Directory = folder };

    /// <summary>The changes that end at a position: some keys put, some removed.</summary>
    public List<StateChange> ChangesTo(long position)
    {
        var random = new Random(HashOf(position));
        var changes = new List<StateChange>();
        for (var left = random.Next(1, 40); left > 0; left--)
        {
            var (store, key) = (Stores[random.Next(2)], random.Next(Keys));
            changes.Add(new StateChange(store, KeyOf(key), random.Next(4) == 0 ? null : ValueOf(key, position)));
        }

        return changes;
    }

    /// <summary>How many entries of a store are not as they should be at its position.</summary>
    public int CountWrong(StateStore store)
    {
        MoveTo(store.Position);
        var (wrong, found) = (0, 0);
        foreach (var name in Stores)
        {
            foreach (var (keyBytes, value) in store.Scan(name))
            {
                var key = BinaryPrimitives.ReadInt32BigEndian(keyBytes.Span);
                found++;
                if (!_expected.TryGetValue((name, key), out var position) || !value.Span.SequenceEqual(ValueOf(key, position))) wrong++;
            }
        }

        return wrong + Math.Abs(_expected.Count - found);
    }

    private void MoveTo(long position)
    {
        if (position < _position)
        {
            _expected.Clear();
            _position = 0;
        }

        while (_position < position)
        {
            _position++;
            foreach (var (store, keyBytes, value) in ChangesTo(_position))
            {
                var key = BinaryPrimitives.ReadInt32BigEndian(keyBytes);
                if (value is null) _expected.Remove((store, key));
                else _expected[(store, key)] = _position;
            }
        }
    }

    private int HashOf(long position) => unchecked(seed * 31 + (int)position);

    private static byte[] KeyOf(int key)
    {
        var bytes = new byte[sizeof(int)];
        BinaryPrimitives.WriteInt32BigEndian(bytes, key);
        return bytes;
    }

    private static byte[] ValueOf(int key, long position)
    {
        var value = new byte[(int)((key * 37L + position * 11) % 900)];
        new Random(unchecked(key * 397 ^ (int)position)).NextBytes(value);
        return value;
    }
}
