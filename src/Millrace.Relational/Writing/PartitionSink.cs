using System.Buffers.Binary;
using System.Text;
using Microsoft.Extensions.Logging;

namespace Millrace.Relational;

/// <summary>
/// A sink's work on one partition. Each call writes its records to the database before it returns, so the engine's position is never ahead
/// of the database's; what the engine gives again is known by its offset and passed over. Refusals are kept in the transaction of their
/// batch and said to the dead letters in the engine's commit: whichever of both is lost, the next instance says them then.
/// </summary>
internal sealed class PartitionSink(Sink sink, SinkDatabase database, ProcessorScope scope, ILogger log, SinkMeter meter)
    : IPartitionProcessor
{
    /// <summary>
    /// What the database's position was, by topic, kept in the commits of the engine's. The engine's own goes on past offsets without a
    /// record, such as the markers of Kafka's transactions, without a call here.
    /// </summary>
    private const string Store = "sink";

    private readonly Dictionary<string, Progress> _progress = new(StringComparer.Ordinal);
    private readonly Rows _rows = new(sink.Table);
    private DateTimeOffset? _upkeepDue;

    public async ValueTask ProcessAsync(FetchedRecords records, CancellationToken cancellation)
    {
        await KeepUpAsync(cancellation);
        var progress = await ProgressAsync(records, cancellation);
        if (records.NextOffset > progress.Position)
        {
            foreach (var batch in Batches(records, progress)) await WriteAsync(batch, progress, cancellation);
        }

        SayRefused(records, progress);
        Keep(records.Source.Topic, progress.Position);
    }

    public ValueTask OnTimerAsync(DueTimer timer, CancellationToken cancellation) => ValueTask.CompletedTask;

    private async ValueTask KeepUpAsync(CancellationToken cancellation)
    {
        var now = scope.Time.GetUtcNow();
        if (now < _upkeepDue) return;
        if (_upkeepDue is null) await database.PrepareAsync(sink.Table, now, cancellation);
        await database.KeepUpAsync(sink.Table, now, cancellation);
        _upkeepDue = now + sink.UpkeepInterval;
    }

    private async ValueTask<Progress> ProgressAsync(FetchedRecords records, CancellationToken cancellation)
    {
        if (_progress.TryGetValue(records.Source.Topic, out var known)) return known;
        var owner = new SinkOwner(sink.Name, records.Source, scope.Epoch);
        var claim = await database.ClaimAsync(owner, records.FromOffset, cancellation);
        var progress = new Progress(owner, claim.NextOffset);
        foreach (var refusal in claim.Refused) progress.Refused.Add(refusal.Offset, refusal.Reason);
        if (progress.Position < Kept(records)) SinkLog.Behind(log, sink.Name, records.Source, progress.Position, records.FromOffset);
        SinkLog.Claimed(log, sink.Name, records.Source, progress.Position, records.FromOffset);
        _progress.Add(records.Source.Topic, progress);
        return progress;
    }

    /// <summary>The records that the database does not have, in batches within the bounds; the last one moves to the call's end.</summary>
    private IEnumerable<SinkBatch> Batches(FetchedRecords fetched, Progress progress)
    {
        var records = new List<MappedRecord>();
        var unmapped = new List<Refusal>();
        var (rowCount, sizeBytes, skipped, floor) = (0, 0L, 0, progress.Position);
        foreach (var record in fetched)
        {
            if (record.Offset < floor)
            {
                skipped++;
                continue;
            }

            if (Map(fetched.Source, record) is { } reason) unmapped.Add(new Refusal(record.Offset, reason));
            sizeBytes += _rows.SizeBytes;
            rowCount += _rows.Count;
            if (_rows.Count > 0) records.Add(new MappedRecord(record.Offset, _rows.Take()));
            if (rowCount < sink.BatchRowsMax && sizeBytes < sink.BatchBytesMax) continue;
            yield return Batch(progress, record.Offset + 1, records, unmapped);
            (records, unmapped, rowCount, sizeBytes) = ([], [], 0, 0);
        }

        meter.Skipped(fetched.Source.Topic, skipped);
        if (progress.Position < fetched.NextOffset) yield return Batch(progress, fetched.NextOffset, records, unmapped);
    }

    private SinkBatch Batch(Progress progress, long nextOffset, List<MappedRecord> records, List<Refusal> unmapped) => new()
    {
        Owner = progress.Owner,
        Table = sink.Table,
        ExpectedOffset = progress.Position,
        NextOffset = nextOffset,
        Records = records,
        Unmapped = unmapped,
    };

    /// <summary>Why the record has no rows, or null; the rows are left in <see cref="_rows"/>.</summary>
    private string? Map(TopicPartition source, in Record record)
    {
        _rows.Clear();
        try
        {
            sink.Map(source, record, _rows);
            return null;
        }
        catch (MillraceException failure)
            when (failure.Code is FailureCodes.DataMismatch or FailureCodes.NotAnEvent or FailureCodes.UnknownEventType)
        {
            _rows.Clear();
            return failure.Message;
        }
    }

    private void Keep(string topic, long position)
    {
        Span<byte> value = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64BigEndian(value, position);
        scope.Put(Store, Encoding.UTF8.GetBytes(topic), value);
    }

    /// <summary>The position that the database must have; a sink that kept none yet takes the engine's.</summary>
    private long Kept(FetchedRecords records) => scope.TryGet(Store, Encoding.UTF8.GetBytes(records.Source.Topic), out var value)
        ? BinaryPrimitives.ReadInt64BigEndian(value.Span)
        : records.FromOffset;

    private async ValueTask WriteAsync(SinkBatch batch, Progress progress, CancellationToken cancellation)
    {
        var begun = scope.Time.GetTimestamp();
        var refused = await database.WriteAsync(batch, cancellation);
        progress.Position = batch.NextOffset;
        foreach (var refusal in refused) progress.Refused.Add(refusal.Offset, refusal.Reason);
        meter.Wrote(batch.Owner.Source.Topic, batch.Records.Sum(r => r.Rows.Length), scope.Time.GetElapsedTime(begun));
    }

    private void SayRefused(FetchedRecords fetched, Progress progress)
    {
        if (progress.Refused.Count == 0) return;
        var (said, first, topic) = (0, 0L, DeadLetters.TopicOf(fetched.Source.Topic));
        foreach (var record in fetched)
        {
            if (!progress.Refused.Remove(record.Offset, out var reason)) continue;
            DeadLetters.Say(scope, fetched.Source, record, reason, attempts: 0);
            if (said++ == 0) first = record.Offset;
        }

        if (said == 0) return;
        meter.DeadLettered(fetched.Source.Topic, said);
        SinkLog.DeadLettered(log, sink.Name, fetched.Source, said, first, topic);
    }

    /// <summary>Where one topic is in the database, and what was refused and not said yet.</summary>
    private sealed class Progress(SinkOwner owner, long position)
    {
        public SinkOwner Owner { get; } = owner;

        public long Position { get; set; } = position;

        public Dictionary<long, string> Refused { get; } = [];
    }
}
