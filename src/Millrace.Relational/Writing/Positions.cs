using System.Data.Common;
using System.Globalization;

namespace Millrace.Relational;

/// <summary>
/// The sinks' own tables, written down in FORMAT.md. The statements are the same for both databases; what changes a row asks in the same
/// statement whether it may.
/// </summary>
internal static class Positions
{
    public const int Version = 1;

    public const string CreateTables = """
        CREATE TABLE IF NOT EXISTS millrace_format (version bigint NOT NULL PRIMARY KEY);
        CREATE TABLE IF NOT EXISTS millrace_positions (
            sink text NOT NULL, topic text NOT NULL, partition bigint NOT NULL, next_offset bigint NOT NULL, epoch bigint NOT NULL,
            PRIMARY KEY (sink, topic, partition));
        CREATE TABLE IF NOT EXISTS millrace_refused (
            sink text NOT NULL, topic text NOT NULL, partition bigint NOT NULL, record_offset bigint NOT NULL, reason text NOT NULL,
            PRIMARY KEY (sink, topic, partition, record_offset));
        INSERT INTO millrace_format (version) SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM millrace_format);
        """;

    /// <summary>Refuses a database that a newer version has written.</summary>
    public static async ValueTask DemandVersionAsync(DbConnection connection, DbTransaction? transaction, CancellationToken cancellation)
    {
        await using var command = Command(connection, transaction, "SELECT max(version) FROM millrace_format");
        var version = Convert.ToInt64(await command.ExecuteScalarAsync(cancellation), CultureInfo.InvariantCulture);
        if (version == Version) return;
        throw new MillraceException(FailureCodes.UnknownVersion,
            $"The sinks' tables in this database are of version {version}; this program knows version {Version}. Use a newer program.");
    }

    /// <summary>Takes the partition from whoever had it with a smaller epoch, and fences that one.</summary>
    public static async ValueTask<Claim> ClaimAsync(
        DbConnection connection, DbTransaction transaction, SinkOwner owner, long from, CancellationToken cancellation)
    {
        const string sql = """
            INSERT INTO millrace_positions AS held (sink, topic, partition, next_offset, epoch)
            VALUES (@sink, @topic, @partition, @from, @epoch)
            ON CONFLICT (sink, topic, partition) DO UPDATE SET epoch = excluded.epoch WHERE held.epoch <= excluded.epoch
            RETURNING next_offset
            """;
        await using var claim = OwnerCommand(connection, transaction, sql, owner);
        Add(claim, "from", from);
        Add(claim, "epoch", owner.Epoch);
        if (await claim.ExecuteScalarAsync(cancellation) is not { } position)
            throw await RefusedAsync(connection, transaction, owner, from, cancellation);
        return new Claim((long)position, await ReadRefusedAsync(connection, transaction, owner, from, cancellation));
    }

    /// <summary>Moves the position on, if the owner is still the owner and the position is where it left it.</summary>
    public static async ValueTask AdvanceAsync(
        DbConnection connection, DbTransaction transaction, SinkBatch batch, CancellationToken cancellation)
    {
        const string sql = """
            UPDATE millrace_positions SET next_offset = @next, epoch = @epoch
            WHERE sink = @sink AND topic = @topic AND partition = @partition AND epoch <= @epoch AND next_offset = @expected
            """;
        await using var update = OwnerCommand(connection, transaction, sql, batch.Owner);
        Add(update, "next", batch.NextOffset);
        Add(update, "epoch", batch.Owner.Epoch);
        Add(update, "expected", batch.ExpectedOffset);
        if (await update.ExecuteNonQueryAsync(cancellation) == 1) return;
        throw await RefusedAsync(connection, transaction, batch.Owner, batch.ExpectedOffset, cancellation);
    }

    /// <summary>Keeps what was refused until the next owner knows that the dead letters are in the log.</summary>
    public static async ValueTask KeepRefusedAsync(
        DbConnection connection, DbTransaction transaction, SinkOwner owner, IReadOnlyList<Refusal> refused, CancellationToken cancellation)
    {
        const string sql = """
            INSERT INTO millrace_refused (sink, topic, partition, record_offset, reason)
            VALUES (@sink, @topic, @partition, @offset, @reason)
            """;
        foreach (var refusal in refused)
        {
            await using var insert = OwnerCommand(connection, transaction, sql, owner);
            Add(insert, "offset", refusal.Offset);
            Add(insert, "reason", refusal.Reason);
            await insert.ExecuteNonQueryAsync(cancellation);
        }
    }

    public static DbCommand Command(DbConnection connection, DbTransaction? transaction, string sql)
    {
        var command = connection.CreateCommand();
        command.CommandText = sql;
        command.Transaction = transaction;
        return command;
    }

    public static void Add(DbCommand command, string name, object value)
    {
        var parameter = command.CreateParameter();
        (parameter.ParameterName, parameter.Value) = (name, value);
        command.Parameters.Add(parameter);
    }

    private static async ValueTask<IReadOnlyList<Refusal>> ReadRefusedAsync(
        DbConnection connection, DbTransaction transaction, SinkOwner owner, long from, CancellationToken cancellation)
    {
        const string which = "sink = @sink AND topic = @topic AND partition = @partition";
        await using var forget = OwnerCommand(
            connection, transaction, $"DELETE FROM millrace_refused WHERE {which} AND record_offset < @from", owner);
        Add(forget, "from", from);
        await forget.ExecuteNonQueryAsync(cancellation);
        await using var read = OwnerCommand(
            connection, transaction, $"SELECT record_offset, reason FROM millrace_refused WHERE {which} ORDER BY record_offset", owner);
        var refused = new List<Refusal>();
        await using var reader = await read.ExecuteReaderAsync(cancellation);
        while (await reader.ReadAsync(cancellation)) refused.Add(new Refusal(reader.GetInt64(0), reader.GetString(1)));
        return refused;
    }

    private static async ValueTask<MillraceException> RefusedAsync(
        DbConnection connection, DbTransaction transaction, SinkOwner owner, long expected, CancellationToken cancellation)
    {
        const string sql = """
            SELECT next_offset, epoch FROM millrace_positions WHERE sink = @sink AND topic = @topic AND partition = @partition
            """;
        await using var read = OwnerCommand(connection, transaction, sql, owner);
        await using var reader = await read.ExecuteReaderAsync(cancellation);
        if (!await reader.ReadAsync(cancellation))
        {
            return new MillraceException(FailureCodes.CommitAborted,
                $"The position of sink '{owner.Sink}' for {owner.Source} is gone from the database. " +
                "Who deleted it wants the sink to begin anew.");
        }

        var (position, epoch) = (reader.GetInt64(0), reader.GetInt64(1));
        if (epoch > owner.Epoch)
        {
            return new MillraceException(FailureCodes.Fenced,
                $"Sink '{owner.Sink}' has epoch {owner.Epoch} on {owner.Source}; in the database an owner with epoch {epoch} took over. " +
                "If the log was begun anew since, delete the sink's rows in millrace_positions.");
        }

        return new MillraceException(FailureCodes.CommitAborted,
            $"Sink '{owner.Sink}' expected its position for {owner.Source} to be {expected}; the database has {position}. " +
            "It is read again.");
    }

    private static DbCommand OwnerCommand(DbConnection connection, DbTransaction transaction, string sql, SinkOwner owner)
    {
        var command = Command(connection, transaction, sql);
        Add(command, "sink", owner.Sink);
        Add(command, "topic", owner.Source.Topic);
        Add(command, "partition", (long)owner.Source.Partition);
        return command;
    }
}
