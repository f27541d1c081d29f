using System.Buffers.Binary;

namespace Millrace.Messaging;

/// <summary>
/// The events of one partition that were handled, in keyed state. Each is one entry of the store "seen"; the entries of one commit are listed in
/// chunks, numbered in order of time, so that forgetting walks along the oldest chunks and needs neither a scan nor an index in memory.
/// The layout is in FORMAT.md. Not thread safe.
/// </summary>
internal sealed class SeenEvents(ProcessorScope scope, TimeSpan retention)
{
    public const string Store = "seen";
    public const string ChunkStore = "seen.chunks";
    public const string Timer = "seen";

    private const byte Version = 1;
    private const int ChunkEntriesMax = 1_024;
    private const int ChunkHeaderSize = 1 + sizeof(long);

    // How many entries one commit or timer forgets, at least; a chunk is forgotten whole.
    private const int ForgottenPerStep = 1_000;

    // A timer waits until at least this part of the retention has gone by, so that it has more than one chunk to forget.
    private const int TimerGrain = 64;

    private readonly List<UInt128> _added = [];
    private bool _isLoaded;
    private long _firstChunk;
    private long _nextChunk;

    public bool Contains(UInt128 identity)
    {
        Span<byte> key = stackalloc byte[EventIdentity.Size];
        BinaryPrimitives.WriteUInt128BigEndian(key, identity);
        return scope.TryGet(Store, key, out _);
    }

    public void Add(UInt128 identity)
    {
        Span<byte> key = stackalloc byte[EventIdentity.Size];
        BinaryPrimitives.WriteUInt128BigEndian(key, identity);
        Span<byte> time = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(time, scope.Time.GetUtcNow().ToUnixTimeMilliseconds());
        scope.Put(Store, key, time);
        _added.Add(identity);
    }

    /// <summary>Lists what was added since the last commit, and forgets at least as much of what is too old.</summary>
    public void BeforeCommit()
    {
        if (_added.Count == 0) return;
        Load();
        var now = scope.Time.GetUtcNow();
        var wasEmpty = _firstChunk == _nextChunk;
        Forget(now, Math.Max(2 * _added.Count, ForgottenPerStep));
        for (var start = 0; start < _added.Count; start += ChunkEntriesMax)
            WriteChunk(now, start, Math.Min(ChunkEntriesMax, _added.Count - start));
        _added.Clear();
        WriteHead();
        if (wasEmpty) scope.SetTimer(Timer, default, now + retention);
    }

    /// <summary>Forgets what is too old, in bounded steps, where no event comes any more.</summary>
    public void OnTimer()
    {
        Load();
        var now = scope.Time.GetUtcNow();
        var oldest = Forget(now, ForgottenPerStep);
        WriteHead();
        if (oldest is not { } time) return;
        var due = time + retention;
        scope.SetTimer(Timer, default, due <= now ? now : Later(due, now + (retention / TimerGrain)));
    }

    private static DateTimeOffset Later(DateTimeOffset x, DateTimeOffset y) => x > y ? x : y;

    /// <summary>Returns the time of the oldest chunk that is left, if one is.</summary>
    private DateTimeOffset? Forget(DateTimeOffset now, int budget)
    {
        Span<byte> chunkKey = stackalloc byte[sizeof(long)];
        for (; _firstChunk < _nextChunk; _firstChunk++)
        {
            BinaryPrimitives.WriteInt64BigEndian(chunkKey, _firstChunk);
            if (!scope.TryGet(ChunkStore, chunkKey, out var chunk)) throw Damaged($"chunk {_firstChunk} of {_nextChunk} is missing");
            var bytes = chunk.Span;
            if (bytes.Length < ChunkHeaderSize || (bytes.Length - ChunkHeaderSize) % EventIdentity.Size != 0)
                throw Damaged($"chunk {_firstChunk} has {bytes.Length} bytes");
            RequireVersion(bytes[0]);
            var time = DateTimeOffset.FromUnixTimeMilliseconds(BinaryPrimitives.ReadInt64LittleEndian(bytes[1..]));
            if (budget <= 0 || time + retention > now) return time;

            // Copied, because a scope may reuse what it gave when it is changed.
            var entries = bytes[ChunkHeaderSize..].ToArray();
            for (var at = 0; at < entries.Length; at += EventIdentity.Size) scope.Delete(Store, entries.AsSpan(at, EventIdentity.Size));
            scope.Delete(ChunkStore, chunkKey);
            budget -= entries.Length / EventIdentity.Size;
        }

        return null;
    }

    private void WriteChunk(DateTimeOffset now, int start, int count)
    {
        var chunk = new byte[ChunkHeaderSize + (count * EventIdentity.Size)];
        chunk[0] = Version;
        BinaryPrimitives.WriteInt64LittleEndian(chunk.AsSpan(1), now.ToUnixTimeMilliseconds());
        for (var i = 0; i < count; i++)
            BinaryPrimitives.WriteUInt128BigEndian(chunk.AsSpan(ChunkHeaderSize + (i * EventIdentity.Size)), _added[start + i]);
        Span<byte> key = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64BigEndian(key, _nextChunk++);
        scope.Put(ChunkStore, key, chunk);
    }

    private void Load()
    {
        if (_isLoaded) return;
        _isLoaded = true;
        if (!scope.TryGet(ChunkStore, "head"u8, out var head)) return;
        var bytes = head.Span;
        if (bytes.Length != 1 + (2 * sizeof(long))) throw Damaged($"the head has {bytes.Length} bytes");
        RequireVersion(bytes[0]);
        _firstChunk = BinaryPrimitives.ReadInt64LittleEndian(bytes[1..]);
        _nextChunk = BinaryPrimitives.ReadInt64LittleEndian(bytes[(1 + sizeof(long))..]);
        if (_firstChunk < 0 || _firstChunk > _nextChunk) throw Damaged($"the head says chunks {_firstChunk} to {_nextChunk}");
    }

    private void WriteHead()
    {
        Span<byte> head = stackalloc byte[1 + (2 * sizeof(long))];
        head[0] = Version;
        BinaryPrimitives.WriteInt64LittleEndian(head[1..], _firstChunk);
        BinaryPrimitives.WriteInt64LittleEndian(head[(1 + sizeof(long))..], _nextChunk);
        scope.Put(ChunkStore, "head"u8, head);
    }

    private void RequireVersion(byte version)
    {
        if (version == Version) return;
        throw new MillraceException(
            FailureCodes.UnknownVersion,
            $"The handled events of '{scope.Processor}', partition {scope.Partition}, were written in version {version}; this program reads {Version}.");
    }

    private MillraceException Damaged(string what) => new(
        FailureCodes.Corrupt, $"The handled events of '{scope.Processor}', partition {scope.Partition}, are damaged: {what}.");
}
