using System.Data.Common;
using Microsoft.Data.Sqlite;

namespace Millrace.Sqlite;

/// <summary>What SQLite's result codes (https://www.sqlite.org/rescode.html) mean for a sink.</summary>
internal static class SqliteFailures
{
    private const int Error = 1;
    private const int Full = 13;
    private const int TooBig = 18;
    private const int Constraint = 19;
    private const int Mismatch = 20;

    /// <summary>Whether it is the row's fault, and another row would go in.</summary>
    public static bool IsRefusal(DbException failure) => failure is SqliteException { SqliteErrorCode: TooBig or Constraint or Mismatch };

    /// <summary>
    /// Whether only the statement failed, as one on a missing table does. What SQLite undoes a whole transaction for has other codes
    /// (https://www.sqlite.org/lang_transaction.html, section 3).
    /// </summary>
    public static bool IsOfStatement(SqliteException failure) => failure.SqliteErrorCode == Error;

    public static MillraceException Describe(SqliteException failure) => new(
        failure.SqliteErrorCode == Full ? FailureCodes.DiskFull : FailureCodes.Unreachable,
        $"The SQLite file does not do what it shall (result code {failure.SqliteExtendedErrorCode}): {failure.Message} It is tried again.",
        failure);
}
