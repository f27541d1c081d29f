using System.Text;

namespace Millrace.Streams.States;

/// <summary>
/// Which operators have state, and in which stores: what tells state whose operator is gone from state that never was. Kept beside the
/// state itself, in the same commits.
/// </summary>
internal sealed class OperatorRegister(string topology)
{
    private const string Store = "operators";
    private const byte Kind = 10;

    private readonly StoreHead _head = new(Store, Kind, keyVersion: 1);
    private readonly SortedDictionary<string, SortedSet<string>> _stores = new(StringComparer.Ordinal);
    private readonly HashSet<string> _dirty = new(StringComparer.Ordinal);

    /// <summary>Reads it, and refuses or drops what has no operator any more.</summary>
    /// <param name="scope">The state.</param>
    /// <param name="isThere">Whether the topology has an operator whose state is under that prefix.</param>
    /// <param name="allowsDropped">Whether state without an operator is dropped.</param>
    /// <exception cref="MillraceException"><see cref="FailureCodes.DataMismatch"/>: there is such state.</exception>
    public void Restore(StateScope scope, Func<string, bool> isThere, bool allowsDropped)
    {
        foreach (var (key, value) in scope.Scan(Store))
        {
            if (key.IsEmpty)
            {
                _head.Read(value.Span);
                continue;
            }

            var (prefix, stores) = (Encoding.UTF8.GetString(key.Span), Encoding.UTF8.GetString(value.Span).Split('\n'));
            if (isThere(prefix))
            {
                _stores.Add(prefix, new SortedSet<string>(stores, StringComparer.Ordinal));
                continue;
            }

            if (!allowsDropped)
            {
                throw new MillraceException(FailureCodes.DataMismatch,
                    $"There is state of operator '{prefix}' ({string.Join(", ", stores)}), and topology '{topology}' has no such operator "
                    + "here: it was removed, renamed, or has changed places without a name. Give it back its name or place, or drop its "
                    + $"state by {nameof(StreamTopology)}.{nameof(StreamTopology.AllowsDroppedState)}.");
            }

            foreach (var store in stores)
            {
                foreach (var (entry, _) in scope.Scan(store)) scope.Delete(store, entry.Span);
            }

            scope.Delete(Store, key.Span);
        }
    }

    /// <summary>The state for an operator, which notes the stores that it begins.</summary>
    public StateScope Of(string prefix, StateScope scope) => new Noting(this, prefix, scope);

    public void Save(StateScope scope)
    {
        _head.Save(scope, 0);
        foreach (var prefix in _dirty)
            scope.Put(Store, Encoding.UTF8.GetBytes(prefix), Encoding.UTF8.GetBytes(string.Join('\n', _stores[prefix])));
        _dirty.Clear();
    }

    private void Note(string prefix, string store)
    {
        if (!_stores.TryGetValue(prefix, out var stores)) _stores.Add(prefix, stores = new SortedSet<string>(StringComparer.Ordinal));
        if (stores.Add(store)) _dirty.Add(prefix);
    }

    private sealed class Noting(OperatorRegister register, string prefix, StateScope scope) : StateScope
    {
        public override void Put(string store, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
        {
            // Every store has a head, under the empty key.
            if (key.IsEmpty) register.Note(prefix, store);
            scope.Put(store, key, value);
        }

        public override void Delete(string store, ReadOnlySpan<byte> key) => scope.Delete(store, key);

        public override bool TryGet(string store, ReadOnlySpan<byte> key, out ReadOnlyMemory<byte> value) =>
            scope.TryGet(store, key, out value);

        public override IReadOnlyList<KeyValuePair<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>> Scan(string store, StateRange range) =>
            scope.Scan(store, range);
    }
}
