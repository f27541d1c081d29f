using System.Data.Common;
using Npgsql;

namespace Millrace.Postgres;

/// <summary>What PostgreSQL's codes (https://www.postgresql.org/docs/15/errcodes-appendix.html) mean for a sink.</summary>
internal static class PostgresFailures
{
    /// <summary>Whether it is the row's fault, and another row would go in.</summary>
    public static bool IsRefusal(DbException failure) => failure is PostgresException known && known.SqlState switch
    {
        // A limit of the program, such as an index entry that is too large; what a trigger raised.
        "54000" or PostgresErrorCodes.RaiseException => true,

        // A key that is meant to exist in another table, a check, a number out of range, text that is not in the server's encoding.
        _ when IsPartitionMissing(known) => false,
        { } state => state.StartsWith("22", StringComparison.Ordinal) || state.StartsWith("23", StringComparison.Ordinal),
    };

    /// <summary>
    /// A row without a partition is told with the state of a violated check; the routine that tells is another one. Somebody dropped the
    /// partition.
    /// </summary>
    public static bool IsPartitionMissing(PostgresException failure) =>
        failure is { SqlState: PostgresErrorCodes.CheckViolation, Routine: "ExecFindPartition" };

    public static MillraceException Describe(NpgsqlException failure)
    {
        var state = (failure as PostgresException)?.SqlState;
        var code = state switch
        {
            PostgresErrorCodes.DiskFull => FailureCodes.DiskFull,
            PostgresErrorCodes.InsufficientPrivilege => FailureCodes.NotAuthorized,
            not null when state.StartsWith("28", StringComparison.Ordinal) => FailureCodes.NotAuthorized,
            _ => FailureCodes.Unreachable,
        };
        return new MillraceException(code,
            $"The PostgreSQL database does not do what it shall{(state is null ? "" : $" ({state})")}: {failure.Message} It is tried anew.",
            failure);
    }
}
