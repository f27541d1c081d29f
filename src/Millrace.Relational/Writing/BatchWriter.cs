using System.Data.Common;

namespace Millrace.Relational;

/// <summary>Writes the rows of a range of records, a later one of a key over an earlier one, within a transaction.</summary>
internal delegate ValueTask Upsert(IReadOnlyList<MappedRecord> records, int start, int count, CancellationToken cancellation);

/// <summary>
/// One batch within a transaction that the caller begins and commits: position first, which locks it against other owners, then the rows.
/// When the database refuses rows the batch is halved until each refused record stands alone; the halves go in from left to right, so that
/// a later record still wins. A failure that is no refusal goes to the caller, who gives the transaction up.
/// </summary>
internal sealed class BatchWriter(DbConnection connection, DbTransaction transaction, Upsert upsert, Func<DbException, bool> isRefusal)
{
    private const string Savepoint = "millrace_part";

    public async ValueTask<IReadOnlyList<Refusal>> WriteAsync(SinkBatch batch, CancellationToken cancellation)
    {
        await Positions.AdvanceAsync(connection, transaction, batch, cancellation);
        var refused = new List<Refusal>(batch.Unmapped);
        await ApplyAsync(batch.Records, 0, batch.Records.Count, refused, cancellation);
        await Positions.KeepRefusedAsync(connection, transaction, batch.Owner, refused, cancellation);
        return refused;
    }

    // As deep as the logarithm of the batch's records.
    private async ValueTask ApplyAsync(
        IReadOnlyList<MappedRecord> records, int start, int count, List<Refusal> refused, CancellationToken cancellation)
    {
        if (count == 0) return;
        if (await TryAsync(records, start, count, cancellation) is not { } reason) return;
        if (count == 1)
        {
            refused.Add(new Refusal(records[start].Offset, reason));
            return;
        }

        var half = count / 2;
        await ApplyAsync(records, start, half, refused, cancellation);
        await ApplyAsync(records, start + half, count - half, refused, cancellation);
    }

    private async ValueTask<string?> TryAsync(
        IReadOnlyList<MappedRecord> records, int start, int count, CancellationToken cancellation)
    {
        await transaction.SaveAsync(Savepoint, cancellation);
        try
        {
            await upsert(records, start, count, cancellation);
            await transaction.ReleaseAsync(Savepoint, cancellation);
            return null;
        }
        catch (DbException failure) when (isRefusal(failure))
        {
            await transaction.RollbackAsync(Savepoint, cancellation);
            await transaction.ReleaseAsync(Savepoint, cancellation);
            return failure.Message;
        }
    }
}
