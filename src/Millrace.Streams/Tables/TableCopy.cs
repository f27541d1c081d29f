using System.Collections.Concurrent;

namespace Millrace.Streams.Tables;

/// <summary>What a process holds of a global table. One loop writes; partitions read meanwhile.</summary>
internal abstract class TableCopy(string name)
{
    public string Name => name;

    public abstract int Entries { get; }

    /// <summary>Begins a reading of the topic: what it does not bring again is gone when it is complete.</summary>
    public abstract GlobalTopicIntake Begin();

    public abstract GlobalTableStatus Status();

    /// <exception cref="ArgumentException">The key is of another type.</exception>
    public abstract void Remove(object key);
}

internal sealed class TableCopy<TKey, T>(string name, GlobalTableOptions<TKey, T> options, StateReader<TKey> readKey, Action onRefused)
    : TableCopy(name)
    where TKey : notnull
{
    private readonly ConcurrentDictionary<TKey, Entry> _entries = new();
    private RecordCodec<T>? _codec;
    private int _reading; // which one is under way: entries of earlier ones are old
    private long _recordsIn;
    private long _refused;
    private volatile string? _lastRefusal;
    private int _count; // the dictionary's own takes all of its locks

    public override int Entries => Volatile.Read(ref _count);

    /// <summary>Hot path: looks without a lock.</summary>
    public bool TryGet(TKey key, out T value)
    {
        if (_entries.TryGetValue(key, out var entry))
        {
            value = entry.Value;
            return true;
        }

        value = default!;
        return false;
    }

    public void Put(TKey key, T value)
    {
        if (!_entries.ContainsKey(key))
        {
            if (_count >= options.EntriesMax)
            {
                throw new MillraceException(FailureCodes.TooLarge,
                    $"Global table '{Name}' has more than {options.EntriesMax} entries, which is the limit "
                    + $"({nameof(GlobalTableOptions<,>.EntriesMax)}). Raise it, or remove keys from the topic.");
            }

            Volatile.Write(ref _count, _count + 1);
        }

        _entries[key] = new Entry(value, _reading);
        Interlocked.Increment(ref _recordsIn);
    }

    public void Remove(TKey key)
    {
        Interlocked.Increment(ref _recordsIn);
        if (_entries.TryRemove(key, out _)) Volatile.Write(ref _count, _count - 1);
    }

    public override void Remove(object key) => Remove(key is TKey one
        ? one
        : throw new ArgumentException($"Global table '{Name}' has keys of another type than {key.GetType().Name}.", nameof(key)));

    public override GlobalTopicIntake Begin()
    {
        _codec ??= options.Codec ?? RecordCodecs.Default<T>();
        _reading++;
        return new Intake(this);
    }

    public override GlobalTableStatus Status() =>
        new(Name, Entries, Interlocked.Read(ref _recordsIn), Interlocked.Read(ref _refused), _lastRefusal);

    private void Take(FetchedRecords records)
    {
        foreach (var record in records)
        {
            if (!TryReadKey(record, out var key)) continue;
            if (!record.HasValue) Remove(key);
            else if (TryReadValue(record, out var value)) Put(key, value);
        }
    }

    private bool TryReadKey(in Record record, out TKey key)
    {
        key = default!;
        try
        {
            if (!record.HasKey) return Refuse("The record has no key.");
            key = readKey(record.Key.Span);
            return key is not null || Refuse("The record's key is null.");
        }
        catch (Exception failure) when (failure is not OutOfMemoryException)
        {
            return Refuse(failure.Message);
        }
    }

    private bool TryReadValue(in Record record, out T value)
    {
        value = default!;
        try
        {
            return _codec!.TryRead(record, out value, out _, out var reason) || Refuse(reason);
        }
        catch (Exception failure) when (failure is not OutOfMemoryException)
        {
            return Refuse(failure.Message);
        }
    }

    private bool Refuse(string reason)
    {
        _lastRefusal = reason;
        Interlocked.Increment(ref _refused);
        onRefused();
        return false;
    }

    /// <summary>Removes what an earlier reading brought and this one did not: it was removed while nobody read.</summary>
    private void DropOlder()
    {
        foreach (var (key, entry) in _entries)
        {
            if (entry.Reading != _reading && _entries.TryRemove(key, out _)) Volatile.Write(ref _count, _count - 1);
        }
    }

    private readonly record struct Entry(T Value, int Reading);

    private sealed class Intake(TableCopy<TKey, T> table) : GlobalTopicIntake
    {
        public override void Take(FetchedRecords records) => table.Take(records);

        public override void Complete() => table.DropOlder();
    }
}
