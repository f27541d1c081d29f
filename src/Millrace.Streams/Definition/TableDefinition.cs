using System.Buffers.Text;
using System.Text;
using Millrace.Streams.Tables;

namespace Millrace.Streams.Definition;

/// <summary>A global table as it is described, and the operators that look into it.</summary>
internal abstract class TableDefinition(string name)
{
    public string Name => name;

    public List<TopologyNode> Readers { get; } = [];

    /// <summary>What a process, or a driver, holds of it.</summary>
    /// <param name="onRefused">Called for each record that cannot be read.</param>
    public abstract TableCopy Open(Action onRefused);
}

internal sealed class TableDefinition<TKey, T>(string name, GlobalTableOptions<TKey, T> options, StateReader<TKey> readKey)
    : TableDefinition(name)
    where TKey : notnull
{
    public override TableCopy Open(Action onRefused) => new TableCopy<TKey, T>(Name, options, readKey, onRefused);
}

/// <summary>Keys of records as outputs write them.</summary>
internal static class TableKeys
{
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>The reader of a type that has none given; null when there is none.</summary>
    public static StateReader<TKey>? Default<TKey>()
    {
        if (typeof(TKey) == typeof(string)) return (StateReader<TKey>)(object)new StateReader<string>(bytes => StrictUtf8.GetString(bytes));
        if (typeof(TKey) == typeof(long)) return (StateReader<TKey>)(object)new StateReader<long>(ReadInt64);
        if (typeof(TKey) == typeof(int)) return (StateReader<TKey>)(object)new StateReader<int>(bytes => checked((int)ReadInt64(bytes)));
        if (typeof(TKey) == typeof(Guid)) return (StateReader<TKey>)(object)new StateReader<Guid>(ReadGuid);
        return null;
    }

    private static long ReadInt64(ReadOnlySpan<byte> bytes) =>
        Utf8Parser.TryParse(bytes, out long value, out var read) && read == bytes.Length
            ? value
            : throw new FormatException($"'{Encoding.UTF8.GetString(bytes)}' is no number.");

    private static Guid ReadGuid(ReadOnlySpan<byte> bytes) =>
        Utf8Parser.TryParse(bytes, out Guid value, out var read) && read == bytes.Length
            ? value
            : throw new FormatException($"'{Encoding.UTF8.GetString(bytes)}' is no GUID.");
}
