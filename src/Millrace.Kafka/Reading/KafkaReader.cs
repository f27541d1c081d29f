using System.Text;
using Confluent.Kafka;

namespace Millrace.Kafka.Reading;

/// <summary>
/// Reads one partition from what a <see cref="Fetcher"/> hands it. The fetcher's thread adds, the reader's owner takes; both under one
/// lock. Above a limit of bytes the partition is paused and the broker asked no more, until half is taken.
/// </summary>
internal sealed class KafkaReader(Fetcher fetcher, TopicPartition source, long offset, int bytesMax) : PartitionReader
{
    // What a record costs in the queue beside its bytes: the objects that the client makes for it. It bounds memory, so about right will
    // do.
    private const int RecordOverheadBytes = 200;

    private readonly Lock _gate = new(); // guards everything below
    private readonly Queue<ConsumeResult<byte[]?, byte[]?>> _fetched = new();
    private int _ready; // how many of those may be taken: what comes together is taken together
    private long _bytes;
    private long _offset = offset;
    private long _end = offset; // up to here nothing is left to come before what is queued
    private long _endReached = offset; // the same, of those that may not be taken yet
    private MillraceException? _failure;
    private TaskCompletionSource? _waiting;
    private bool _isClosed;

    public override TopicPartition Source { get; } = source;

    public override long Offset
    {
        get
        {
            lock (_gate) return _offset;
        }
    }

    /// <summary>Whether the fetcher shall stop asking for it. The fetcher's thread only.</summary>
    public bool IsPaused { get; set; }

    public bool IsClosed
    {
        get
        {
            lock (_gate) return _isClosed;
        }
    }

    public override FetchedRecords? TryRead(int bytesMax)
    {
        FetchedRecords? taken = null;
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_isClosed, this);
            if (_ready > 0)
            {
                taken = Take(bytesMax);
            }
            else if (_offset < _end)
            {
                taken = new FetchedRecords(Source, _offset, _end, [], 0, isPooled: false);
                _offset = _end;
            }
            else if (_failure is not null)
            {
                throw new MillraceException(_failure.Code, _failure.Message, _failure);
            }
        }

        fetcher.Wake(this);
        return taken;
    }

    public override ValueTask WaitAsync(CancellationToken cancellation = default)
    {
        if (cancellation.IsCancellationRequested) return ValueTask.FromCanceled(cancellation);
        Task waiting;
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_isClosed, this);
            if (_ready > 0 || _offset < _end) return ValueTask.CompletedTask;
            if (_failure is not null) throw new MillraceException(_failure.Code, _failure.Message, _failure);
            _waiting ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            waiting = _waiting.Task;
        }

        return new ValueTask(AwaitAsync(waiting, cancellation));
    }

    public override void Dispose()
    {
        TaskCompletionSource? waiting;
        lock (_gate)
        {
            if (_isClosed) return;
            _isClosed = true;
            Clear();
            waiting = TakeWaiting();
        }

        waiting?.TrySetResult();
        fetcher.Close(this);
    }

    /// <summary>A record came. Returns whether the reader holds more than its limit now. <see cref="Show"/> follows.</summary>
    public bool Add(ConsumeResult<byte[]?, byte[]?> record)
    {
        lock (_gate)
        {
            if (_isClosed) return false;
            _fetched.Enqueue(record);
            _bytes += SizeOf(record);
            return _bytes > bytesMax;
        }
    }

    /// <summary>Nothing but what is no record lies before that offset any more. <see cref="Show"/> follows.</summary>
    public void ReachEnd(long end)
    {
        lock (_gate) _endReached = Math.Max(_endReached, end);
    }

    /// <summary>
    /// What came can be taken now, all of it at once: a read between two records of one answer would tear a transaction into two batches.
    /// Whoever waits looks again.
    /// </summary>
    public void Show()
    {
        TaskCompletionSource? waiting = null;
        lock (_gate)
        {
            (_ready, _end) = (_fetched.Count, Math.Max(_end, _endReached));
            if (_ready > 0 || _offset < _end) waiting = TakeWaiting();
        }

        waiting?.TrySetResult();
    }

    /// <summary>No record comes any more; those that are here can still be taken.</summary>
    public void Fail(MillraceException failure)
    {
        TaskCompletionSource? waiting;
        lock (_gate)
        {
            _failure ??= failure;
            if (failure.Code == FailureCodes.Stopped)
            {
                Clear();
                (_end, _endReached) = (_offset, _offset);
            }

            waiting = TakeWaiting();
        }

        waiting?.TrySetResult();
    }

    /// <summary>Whether so much was taken that the broker can be asked again.</summary>
    public bool HasRoom()
    {
        lock (_gate) return _bytes <= bytesMax / 2;
    }

    private static async Task AwaitAsync(Task waiting, CancellationToken cancellation) => await waiting.WaitAsync(cancellation);

    private void Clear()
    {
        _fetched.Clear();
        _ready = 0;
    }

    private TaskCompletionSource? TakeWaiting()
    {
        var waiting = _waiting;
        _waiting = null;
        return waiting;
    }

    /// <summary>Makes one batch of what may be taken: whole records, up to a size, at least one.</summary>
    private FetchedRecords Take(int bytesMax)
    {
        var batch = new RecordBatchBuilder((int)Math.Min(_bytes + 256, Math.Clamp(bytesMax, 256, 1 << 20)));
        var first = _fetched.Peek();
        var (from, next) = (_offset, first.Offset.Value);
        while (_ready > 0)
        {
            var record = _fetched.Peek();
            var gap = record.Offset.Value - next;
            if (batch.Count > 0 && (batch.SizeBytes + SizeOf(record) - RecordOverheadBytes > bytesMax || gap > int.MaxValue / 2)) break;
            if (batch.Count > 0 && gap > 0) batch.Skip((int)gap);
            Add(batch, record.Message);
            next = record.Offset.Value + 1;
            _bytes -= SizeOf(record);
            _fetched.Dequeue();
            _ready--;
        }

        if (_ready == 0) next = Math.Max(next, _end);
        _offset = next;
        return batch.ToFetched(Source, first.Offset.Value, next, first.LeaderEpoch ?? 0, from);
    }

    private static void Add(RecordBatchBuilder batch, Message<byte[]?, byte[]?> record)
    {
        var headers = record.Headers is { Count: > 0 } some ? Convert(some) : [];
        batch.Add(
            record.Timestamp.UnixTimestampMs, record.Key is not null, record.Key, record.Value is not null, record.Value, headers.AsSpan());
    }

    private static RecordHeader[] Convert(Headers headers)
    {
        var converted = new RecordHeader[headers.Count];
        for (var i = 0; i < converted.Length; i++)
        {
            var value = headers[i].GetValueBytes();
            converted[i] = new RecordHeader(Encoding.UTF8.GetBytes(headers[i].Key), value is not null, value);
        }

        return converted;
    }

    private static int SizeOf(ConsumeResult<byte[]?, byte[]?> record) =>
        RecordOverheadBytes + (record.Message.Key?.Length ?? 0) + (record.Message.Value?.Length ?? 0);
}
