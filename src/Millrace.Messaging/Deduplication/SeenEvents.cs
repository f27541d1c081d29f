using System.Buffers.Binary;

namespace Millrace.Messaging;

/// <summary>
/// The events of one partition that were handled. In memory they are a set; in keyed state they are chunks of identities, one or a few per
/// commit, numbered in order of time, so that remembering costs a commit one change of state, however many events it holds, and forgetting
/// walks along the oldest chunks without a scan. The layout is in FORMAT.md. Not thread safe.
/// </summary>
internal sealed class SeenEvents(ProcessorScope scope, HandlerGroup group)
{
    public const string Store = "seen";
    public const string Timer = "seen";

    public const int ChunkEntriesMax = 1_024;

    private const byte Version = 1;
    private const int ChunkHeaderSize = 1 + sizeof(long);

    // How many identities one commit or timer forgets, at least; a chunk is forgotten whole.
    private const int ForgottenPerStep = 1_000;

    // A timer waits until at least this part of the retention has gone by, so that it has more than one chunk to forget.
    private const int TimerGrain = 64;

    private readonly HashSet<UInt128> _identities = new(new HashedAlready());
    private readonly List<UInt128> _added = [];
    private bool _isLoaded;
    private long _firstChunk;
    private long _nextChunk;

    public bool Contains(UInt128 identity)
    {
        Load();
        return _identities.Contains(identity);
    }

    public void Add(UInt128 identity)
    {
        if (!_identities.Add(identity)) throw new InvalidOperationException("An event was handled twice.");
        _added.Add(identity);
    }

    /// <summary>Keeps what was added since the last commit, and forgets at least as much of what is too old or too much.</summary>
    public void BeforeCommit()
    {
        if (_added.Count == 0) return;
        var now = scope.Time.GetUtcNow();
        var wasEmpty = _firstChunk == _nextChunk;
        Forget(now, Math.Max(2 * _added.Count, ForgottenPerStep));
        for (var start = 0; start < _added.Count; start += ChunkEntriesMax)
            WriteChunk(now, start, Math.Min(ChunkEntriesMax, _added.Count - start));
        _added.Clear();
        ForgetBeyondLimit();
        if (wasEmpty) scope.SetTimer(Timer, default, now + group.Retention);
    }

    /// <summary>Forgets what is too old, in bounded steps, where no event comes any more.</summary>
    public void OnTimer()
    {
        Load();
        var now = scope.Time.GetUtcNow();
        if (Forget(now, ForgottenPerStep) is not { } oldest) return;
        var due = oldest + group.Retention;
        scope.SetTimer(Timer, default, due <= now ? now : Later(due, now + (group.Retention / TimerGrain)));
    }

    private static DateTimeOffset Later(DateTimeOffset x, DateTimeOffset y) => x > y ? x : y;

    /// <summary>Returns the time of the oldest chunk that is left, if one is.</summary>
    private DateTimeOffset? Forget(DateTimeOffset now, int budget)
    {
        while (_firstChunk < _nextChunk)
        {
            var chunk = ReadChunk(_firstChunk);
            var time = TimeOf(chunk);
            if (budget <= 0 || time + group.Retention > now) return time;
            budget -= ForgetFirst(chunk);
        }

        return null;
    }

    private void ForgetBeyondLimit()
    {
        var forgotten = 0;
        while (_identities.Count > group.RememberedMax && _firstChunk < _nextChunk) forgotten += ForgetFirst(ReadChunk(_firstChunk));
        if (forgotten > 0) group.Meter.ForgotEarly(forgotten);
    }

    private int ForgetFirst(ReadOnlySpan<byte> chunk)
    {
        var count = (chunk.Length - ChunkHeaderSize) / EventIdentity.Size;
        for (var i = 0; i < count; i++) _identities.Remove(IdentityAt(chunk, i));
        scope.Delete(Store, KeyOf(_firstChunk++, stackalloc byte[sizeof(long)]));
        return count;
    }

    private void WriteChunk(DateTimeOffset now, int start, int count)
    {
        var chunk = new byte[ChunkHeaderSize + (count * EventIdentity.Size)];
        chunk[0] = Version;
        BinaryPrimitives.WriteInt64LittleEndian(chunk.AsSpan(1), now.ToUnixTimeMilliseconds());
        for (var i = 0; i < count; i++)
            BinaryPrimitives.WriteUInt128BigEndian(chunk.AsSpan(ChunkHeaderSize + (i * EventIdentity.Size)), _added[start + i]);
        scope.Put(Store, KeyOf(_nextChunk++, stackalloc byte[sizeof(long)]), chunk);
    }

    /// <summary>Reads everything once, in the life of this partition's processor.</summary>
    private void Load()
    {
        if (_isLoaded) return;
        _isLoaded = true;
        foreach (var (key, chunk) in scope.Scan(Store))
        {
            if (key.Length != sizeof(long)) throw Damaged($"a chunk's key has {key.Length} bytes");
            var number = BinaryPrimitives.ReadInt64BigEndian(key.Span);
            if (_firstChunk == _nextChunk) _firstChunk = _nextChunk = number;
            if (number != _nextChunk) throw Damaged($"chunk {_nextChunk} is missing before chunk {number}");
            _nextChunk++;
            Check(number, chunk.Span);
            for (var i = 0; i < (chunk.Length - ChunkHeaderSize) / EventIdentity.Size; i++) _identities.Add(IdentityAt(chunk.Span, i));
        }
    }

    private ReadOnlySpan<byte> ReadChunk(long number)
    {
        if (!scope.TryGet(Store, KeyOf(number, stackalloc byte[sizeof(long)]), out var chunk)) throw Damaged($"chunk {number} is missing");
        Check(number, chunk.Span);
        return chunk.Span;
    }

    private void Check(long number, ReadOnlySpan<byte> chunk)
    {
        if (chunk.Length < ChunkHeaderSize || (chunk.Length - ChunkHeaderSize) % EventIdentity.Size != 0)
            throw Damaged($"chunk {number} has {chunk.Length} bytes");
        if (chunk[0] == Version) return;
        throw new MillraceException(
            FailureCodes.UnknownVersion,
            $"The handled events of '{scope.Processor}', partition {scope.Partition}, were written in version {chunk[0]}; this program " +
            $"reads {Version}.");
    }

    private static ReadOnlySpan<byte> KeyOf(long chunk, Span<byte> key)
    {
        BinaryPrimitives.WriteInt64BigEndian(key, chunk);
        return key;
    }

    private static DateTimeOffset TimeOf(ReadOnlySpan<byte> chunk) =>
        DateTimeOffset.FromUnixTimeMilliseconds(BinaryPrimitives.ReadInt64LittleEndian(chunk[1..]));

    private static UInt128 IdentityAt(ReadOnlySpan<byte> chunk, int index) =>
        BinaryPrimitives.ReadUInt128BigEndian(chunk[(ChunkHeaderSize + (index * EventIdentity.Size))..]);

    private MillraceException Damaged(string what) => new(
        FailureCodes.Corrupt, $"The handled events of '{scope.Processor}', partition {scope.Partition}, are damaged: {what}.");

    /// <summary>An identity is the output of a cryptographic hash: any of its bits spread well.</summary>
    private sealed class HashedAlready : IEqualityComparer<UInt128>
    {
        public bool Equals(UInt128 x, UInt128 y) => x == y;

        public int GetHashCode(UInt128 obj) => (int)(uint)obj;
    }
}
