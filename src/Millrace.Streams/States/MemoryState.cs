using System.Buffers;
using System.Text;

namespace Millrace.Streams.States;

/// <summary>State in memory that can be written as bytes and read again: what a driver's snapshot is.</summary>
internal sealed class MemoryState : StateScope
{
    private const int Format = 0x4D_53_53_01;

    private readonly SortedDictionary<string, SortedDictionary<byte[], byte[]>> _stores = new(StringComparer.Ordinal);

    public int EntryCount => _stores.Values.Sum(store => store.Count);

    public override void Put(string store, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value) => Of(store)[key.ToArray()] = value.ToArray();

    public override void Delete(string store, ReadOnlySpan<byte> key) => Of(store).Remove(key.ToArray());

    public override bool TryGet(string store, ReadOnlySpan<byte> key, out ReadOnlyMemory<byte> value)
    {
        var isThere = Of(store).TryGetValue(key.ToArray(), out var found);
        value = found;
        return isThere;
    }

    public override IReadOnlyList<KeyValuePair<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>> Scan(string store, StateRange range) =>
        range.Pick(Of(store));

    public byte[] Write(string topology)
    {
        var output = new ArrayBufferWriter<byte>();
        output.WriteInt32(Format);
        WriteBytes(output, Encoding.UTF8.GetBytes(topology));
        output.WriteInt32(_stores.Count);
        foreach (var (name, entries) in _stores)
        {
            WriteBytes(output, Encoding.UTF8.GetBytes(name));
            output.WriteInt32(entries.Count);
            foreach (var (key, value) in entries)
            {
                WriteBytes(output, key);
                WriteBytes(output, value);
            }
        }

        return output.WrittenSpan.ToArray();
    }

    /// <exception cref="MillraceException"><see cref="FailureCodes.DataMismatch"/>: it is no snapshot of that topology.</exception>
    public static MemoryState Read(ReadOnlySpan<byte> bytes, string topology)
    {
        if (bytes.Length < 4 || StateBytes.ReadInt32(ref bytes) != Format)
            throw new MillraceException(FailureCodes.DataMismatch, "The bytes are not a driver's snapshot.");
        var name = Encoding.UTF8.GetString(ReadBytes(ref bytes));
        if (name != topology)
            throw new MillraceException(FailureCodes.DataMismatch, $"The snapshot is of topology '{name}', not of '{topology}'.");
        var state = new MemoryState();
        for (var stores = StateBytes.ReadInt32(ref bytes); stores > 0; stores--)
        {
            var entries = state.Of(Encoding.UTF8.GetString(ReadBytes(ref bytes)));
            for (var count = StateBytes.ReadInt32(ref bytes); count > 0; count--) entries.Add(ReadBytes(ref bytes), ReadBytes(ref bytes));
        }

        return state;
    }

    /// <summary>Kinds of stores whose keys, and those whose values begin with an ordinal: what counts of it is the order.</summary>
    private static readonly byte[] OrdinalsInKeys = [3, 9], OrdinalsInValues = [2, 7, 8];

    /// <summary>The one of those whose keys end in it.</summary>
    private const byte OrdinalAtEnd = 3;

    /// <summary>
    /// Every entry as text, with the order of ordinals instead of themselves: what went before leaves gaps that a restart does not.
    /// </summary>
    public IReadOnlyList<string> Texts()
    {
        var texts = new List<string>();
        foreach (var (name, entries) in _stores)
        {
            var kind = entries.TryGetValue([], out var head) && head.Length > 1 ? head[1] : default;
            var (isInKey, isInValue) = (OrdinalsInKeys.Contains(kind), OrdinalsInValues.Contains(kind));
            var number = 0;
            var ordered = isInValue ? entries.OrderBy(entry => entry.Key.Length == 0 ? [] : entry.Value[..8], ByBytes.Comparer)
                : kind == OrdinalAtEnd ? entries.OrderBy(entry => entry.Key.Length == 0 ? [] : entry.Key[^8..], ByBytes.Comparer)
                : entries.AsEnumerable();
            foreach (var (key, value) in ordered)
            {
                var hasOrdinal = key.Length > 0 && (isInKey || isInValue);
                var place = hasOrdinal ? $"#{number++} " : "";
                var shownKey = Convert.ToHexString(!hasOrdinal || !isInKey ? key : kind == OrdinalAtEnd ? key.AsSpan(..^8) : key.AsSpan(8));
                texts.Add($"{name} {place}{shownKey} = {Convert.ToHexString(hasOrdinal && isInValue ? value.AsSpan(8) : value)}");
            }
        }

        return texts;
    }

    private static void WriteBytes(ArrayBufferWriter<byte> output, ReadOnlySpan<byte> bytes)
    {
        output.WriteInt32(bytes.Length);
        output.Write(bytes);
    }

    private static byte[] ReadBytes(ref ReadOnlySpan<byte> bytes) => StateBytes.ReadSized(ref bytes).ToArray();

    private SortedDictionary<byte[], byte[]> Of(string store)
    {
        if (!_stores.TryGetValue(store, out var entries)) _stores.Add(store, entries = new(ByBytes.Comparer));
        return entries;
    }
}
