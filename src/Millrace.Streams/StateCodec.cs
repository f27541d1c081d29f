using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Millrace.Streams.States;

namespace Millrace.Streams;

/// <summary>Reads a value of keyed state from its bytes. It may throw on bytes that are no such value.</summary>
/// <typeparam name="T">The value's type.</typeparam>
/// <param name="bytes">The bytes; valid until the call ends.</param>
public delegate T StateReader<out T>(ReadOnlySpan<byte> bytes);

/// <summary>
/// How values of a type become bytes and come back, with a version: each value is stored with the version that wrote it. Bytes of an older
/// version are read by an upcaster; bytes of a version without one are refused when state is restored. Immutable, any thread.
/// </summary>
/// <typeparam name="T">The values' type.</typeparam>
public sealed record StateCodec<T>
{
    private readonly Dictionary<int, StateReader<T>> _readers;
    private readonly Action<T, IBufferWriter<byte>> _write;

    /// <summary>A codec of two delegates.</summary>
    /// <param name="version">The version that it writes, from 1.</param>
    /// <param name="write">Writes a value.</param>
    /// <param name="read">Reads what this version wrote.</param>
    /// <exception cref="ArgumentOutOfRangeException">The version is less than 1.</exception>
    public StateCodec(int version, Action<T, IBufferWriter<byte>> write, StateReader<T> read)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(version, 1);
        ArgumentNullException.ThrowIfNull(write);
        ArgumentNullException.ThrowIfNull(read);
        Version = version;
        _write = write;
        _readers = new Dictionary<int, StateReader<T>> { [version] = read };
    }

    internal StateCodec(int version, Action<T, IBufferWriter<byte>> write, Dictionary<int, StateReader<T>> readers)
    {
        Version = version;
        _write = write;
        _readers = readers;
    }

    /// <summary>The version that it writes.</summary>
    public int Version { get; }

    /// <summary>The same codec, which also reads what an older version wrote.</summary>
    /// <param name="version">The older version: 1 or more, less than <see cref="Version"/>.</param>
    /// <param name="read">Reads its bytes into today's type.</param>
    /// <exception cref="ArgumentOutOfRangeException">The version is not an older one.</exception>
    public StateCodec<T> Upcast(int version, StateReader<T> read)
    {
        ArgumentNullException.ThrowIfNull(read);
        if (version < 1 || version >= Version)
            throw new ArgumentOutOfRangeException(nameof(version), version, $"An upcaster reads a version from 1 to {Version - 1}.");
        return new StateCodec<T>(Version, _write, new Dictionary<int, StateReader<T>>(_readers) { [version] = read });
    }

    /// <summary>The codec of a type that holds one of these values, with the same versions and bytes.</summary>
    internal StateCodec<TOuter> Wrap<TOuter>(Func<TOuter, T> unwrap, Func<T, TOuter> wrap) => new(
        Version,
        (outer, output) => _write(unwrap(outer), output),
        _readers.ToDictionary(pair => pair.Key, pair => new StateReader<TOuter>(bytes => wrap(pair.Value(bytes)))));

    internal IReadOnlyDictionary<int, StateReader<T>> Readers => _readers;

    internal void Write(T value, IBufferWriter<byte> output) => _write(value, output);

    /// <exception cref="MillraceException"><see cref="FailureCodes.UnknownVersion"/>, <see cref="FailureCodes.DataMismatch"/>.</exception>
    internal T Read(int version, ReadOnlySpan<byte> bytes, string store)
    {
        if (!_readers.TryGetValue(version, out var read))
        {
            throw new MillraceException(FailureCodes.UnknownVersion,
                $"State '{store}' holds a {typeof(T).Name} of version {version}, and its codec "
                + $"reads {string.Join(", ", _readers.Keys.Order())}. Add an upcaster for version {version}.");
        }

        try
        {
            return read(bytes);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            throw new MillraceException(FailureCodes.DataMismatch,
                $"State '{store}' holds {bytes.Length} bytes of version {version} that are no {typeof(T).Name}: {e.Message}", e);
        }
    }
}

/// <summary>Codecs that are there already.</summary>
public static class StateCodecs
{
    private static readonly JsonSerializerOptions Options =
        new() { IncludeFields = true, TypeInfoResolver = new DefaultJsonTypeInfoResolver() };

    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>64-bit integers, 8 bytes, most significant first.</summary>
    public static StateCodec<long> Longs { get; } = new(1, WriteInt64, bytes => BinaryPrimitives.ReadInt64BigEndian(Exactly(bytes, 8)));

    /// <summary>32-bit integers, 4 bytes, most significant first.</summary>
    public static StateCodec<int> Integers { get; } = new(
        1, (value, output) => output.WriteInt32(value), bytes => BinaryPrimitives.ReadInt32BigEndian(Exactly(bytes, 4)));

    /// <summary>Texts, as UTF-8. Text that is not well formed UTF-16 is refused when it is written.</summary>
    public static StateCodec<string> Texts { get; } = new(1, WriteText, bytes => StrictUtf8.GetString(bytes));

    /// <summary>JSON by source-generated metadata.</summary>
    /// <typeparam name="T">The values' type.</typeparam>
    /// <param name="type">The metadata, as of a <c>JsonSerializerContext</c>.</param>
    /// <param name="version">The version that it writes, from 1.</param>
    public static StateCodec<T> Json<T>(JsonTypeInfo<T> type, int version = 1)
    {
        ArgumentNullException.ThrowIfNull(type);
        return new StateCodec<T>(version, (value, output) =>
        {
            using var writer = new Utf8JsonWriter(output);
            JsonSerializer.Serialize(writer, value, type);
        }, bytes => JsonSerializer.Deserialize(bytes, type)!);
    }

    /// <summary>
    /// What is used for a type that has no codec given: those above for <see cref="long"/>, <see cref="int"/> and <see cref="string"/>, and
    /// JSON by reflection, fields included, as version 1 for others.
    /// </summary>
    /// <typeparam name="T">The values' type.</typeparam>
    public static StateCodec<T> Default<T>()
    {
        if (typeof(T) == typeof(long)) return (StateCodec<T>)(object)Longs;
        if (typeof(T) == typeof(int)) return (StateCodec<T>)(object)Integers;
        if (typeof(T) == typeof(string)) return (StateCodec<T>)(object)Texts;
        return Json((JsonTypeInfo<T>)Options.GetTypeInfo(typeof(T)));
    }

    private static void WriteInt64(long value, IBufferWriter<byte> output)
    {
        BinaryPrimitives.WriteInt64BigEndian(output.GetSpan(8), value);
        output.Advance(8);
    }

    private static void WriteText(string value, IBufferWriter<byte> output) => StrictUtf8.GetBytes(value, output);

    private static ReadOnlySpan<byte> Exactly(ReadOnlySpan<byte> bytes, int length) =>
        bytes.Length == length ? bytes : throw new FormatException($"{length} bytes were expected.");
}
