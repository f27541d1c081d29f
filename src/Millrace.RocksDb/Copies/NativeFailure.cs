using RocksDbSharp;

namespace Millrace.RocksDb.Copies;

/// <summary>
/// What a failure of RocksDB means. Its C interface hands out the text of a status and nothing else, so the text is what must be looked at:
/// it begins with the kind ("Corruption: ", "IO error: ") and ends with the system's own words.
/// </summary>
internal static class NativeFailure
{
    private static readonly string[] Locked = ["lock file: ", "lock hold by current process"];

    private static readonly string[] Full =
        ["No space left on device", "Disk quota exceeded", "Space limit reached", "not enough space on the disk"];

    /// <summary>Checksums that do not match, or a file of the database that is gone.</summary>
    private static readonly string[] Damage = ["Corruption: ", "IO error: No such file or directory: "];

    /// <summary>Troubles of the process or the system, which leave a copy as good as it was.</summary>
    private static readonly string[] OfTheSystem =
        ["Too many open files", "Permission denied", "Operation not permitted", "Read-only file system", "Cannot allocate memory"];

    /// <summary>Whether a database that could not be opened is to be thrown away for it.</summary>
    public static bool IsOfTheCopy(string text) => !Has(text, Locked) && !Has(text, Full) && !Has(text, OfTheSystem);

    /// <summary>The stable code.</summary>
    public static string CodeOf(string text)
    {
        if (Has(text, Locked)) return FailureCodes.DirectoryLocked;
        if (Has(text, Full)) return FailureCodes.DiskFull;
        return Has(text, Damage) ? FailureCodes.Corrupt : FailureCodes.StorageFailed;
    }

    /// <summary>The failure as callers see it.</summary>
    /// <param name="doing">What could not be done, as in "could not be read".</param>
    /// <param name="directory">Where.</param>
    /// <param name="cause">What RocksDB said.</param>
    public static MillraceException Of(string doing, string directory, RocksDbException cause)
    {
        var code = CodeOf(cause.Message);
        var hint = code switch
        {
            FailureCodes.DirectoryLocked => "Another store has it open: give each process a state directory of its own.",
            FailureCodes.DiskFull => "Make room; nothing is lost, since the changelog holds it all.",
            FailureCodes.Corrupt => "The copy is thrown away at the next opening and read from the changelog again.",
            _ => "Nothing is lost, since the changelog holds it all; look after the disk and the permissions.",
        };
        return new MillraceException(code, $"The copy of state in {directory} {doing} ({cause.Message}). {hint}", cause);
    }

    /// <summary>Whether a write was refused only because RocksDB has to catch up.</summary>
    public static bool IsStall(string text) => text == "Result incomplete: Write stall";

    /// <summary>The failure of a write that was refused for too long.</summary>
    public static MillraceException Stalled(string directory, TimeSpan waited, RocksDbException cause) =>
        new(FailureCodes.Throttled, $"The copy of state in {directory} took no change for {waited} ({cause.Message}). " +
            "The disk is too slow for what changes, or too full to sort files; nothing is lost, since the changelog holds it all.", cause);

    private static bool Has(string text, string[] words) => Array.Exists(words, word => text.Contains(word, StringComparison.Ordinal));
}
