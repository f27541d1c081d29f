using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json.Serialization.Metadata;
using Millrace.Streams.Codecs;

namespace Millrace.Streams;

/// <summary>What a record that an output writes has besides its value.</summary>
/// <param name="timestamp">Its event time.</param>
/// <param name="hasKey">Whether it has a key.</param>
/// <param name="key">The key.</param>
/// <param name="name">Who writes it: topology, operator and partition, the same after every restart.</param>
/// <param name="number">Which of the records that it writes this one is, from 0, the same after every restart.</param>
public readonly ref struct OutgoingRecord(long timestamp, bool hasKey, ReadOnlySpan<byte> key, string name, long number)
{
    /// <summary>Its event time, in milliseconds since 1970-01-01T00:00:00Z.</summary>
    public long Timestamp { get; } = timestamp;

    /// <summary>Whether it has a key.</summary>
    public bool HasKey { get; } = hasKey;

    /// <summary>The key; empty when it has none.</summary>
    public ReadOnlySpan<byte> Key { get; } = key;

    /// <summary>
    /// An id that no other record has, and that this one has again when it is written again after a restart: what a CloudEvent needs.
    /// </summary>
    public string Id => string.Create(CultureInfo.InvariantCulture, $"{Name}-{Number}");

    private string Name { get; } = name;

    private long Number { get; } = number;
}

/// <summary>
/// How the records of a topic become values of a stream, and values records. One instance serves all partitions, from several threads.
/// </summary>
/// <typeparam name="T">The values' type.</typeparam>
public abstract class RecordCodec<T>
{
    /// <summary>Reads a record. What it returns must not refer to the record's bytes.</summary>
    /// <param name="record">The record; valid until the call ends.</param>
    /// <param name="value">Its value, when true is returned.</param>
    /// <param name="timestamp">The time that it came with, in milliseconds since 1970-01-01T00:00:00Z, when true is returned.</param>
    /// <param name="reason">Why it cannot be read, when false is returned: then it becomes a dead letter.</param>
    public abstract bool TryRead(in Record record, out T value, out long timestamp, out string reason);

    /// <summary>Adds a value as a record to a batch. It may throw on a value that cannot be written.</summary>
    /// <param name="value">The value.</param>
    /// <param name="record">What the record has besides.</param>
    /// <param name="target">The batch; exactly one record is to be added.</param>
    public abstract void Write(T value, in OutgoingRecord record, RecordBatchBuilder target);
}

/// <summary>The record codecs that are there. Thread safe.</summary>
public static class RecordCodecs
{
    /// <summary>The record's value as JSON, by source-generated metadata; its time is the record's.</summary>
    /// <typeparam name="T">The values' type.</typeparam>
    /// <param name="type">The metadata, as of a <c>JsonSerializerContext</c>.</param>
    public static RecordCodec<T> Json<T>(JsonTypeInfo<T> type)
    {
        ArgumentNullException.ThrowIfNull(type);
        return new JsonRecords<T>(type);
    }

    /// <summary>The record's value as UTF-8 text; its time is the record's.</summary>
    public static RecordCodec<string> Text { get; } = new TextRecords();

    /// <summary>
    /// CloudEvents, in both content modes: the value is the data of a class in a registry, the time is the event's, or the record's when
    /// the event has none. A record that is no event, or of a type or data that does not fit, is a dead letter. What is written has a
    /// source of its own and an id that is the same after every restart.
    /// </summary>
    /// <typeparam name="T">The data's class, or one that several have in common, such as <see cref="object"/>.</typeparam>
    /// <param name="registry">The event types.</param>
    /// <param name="source">The CloudEvents source of what is written; null when nothing is.</param>
    public static RecordCodec<T> Events<T>(EventRegistry registry, string? source = null)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(registry);
        return new EventRecords<T>(registry, source);
    }

    /// <summary>
    /// What is used for a type that has no codec given: text for <see cref="string"/>, else JSON by reflection, fields included, with names
    /// in camel case.
    /// </summary>
    /// <typeparam name="T">The values' type.</typeparam>
    public static RecordCodec<T> Default<T>() => typeof(T) == typeof(string)
        ? (RecordCodec<T>)(object)Text
        : Json((JsonTypeInfo<T>)JsonRecords.Options.GetTypeInfo(typeof(T)));

    /// <summary>A key as it is written when an output has none of its own: text as UTF-8, numbers in decimal, else by the codec.</summary>
    internal static void WriteKey<TKey>(TKey key, StateCodec<TKey> codec, IBufferWriter<byte> output)
    {
        switch (key)
        {
            case string text:
                Encoding.UTF8.GetBytes(text, output);
                break;
            case IUtf8SpanFormattable number:
                Span<byte> digits = stackalloc byte[64];
                if (!number.TryFormat(digits, out var written, default, CultureInfo.InvariantCulture)) goto default;
                output.Write(digits[..written]);
                break;
            default:
                codec.Write(key, output);
                break;
        }
    }
}
