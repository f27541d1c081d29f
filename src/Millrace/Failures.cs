namespace Millrace;

/// <summary>What the world did to us: a failure with a stable code that programs may match and a message that people can act on.</summary>
public class MillraceException : Exception
{
    /// <summary>Creates the failure.</summary>
    /// <param name="code">One of <see cref="FailureCodes"/>.</param>
    /// <param name="message">What failed, with which value, and what to do.</param>
    /// <param name="inner">The cause, if another exception was it.</param>
    public MillraceException(string code, string message, Exception? inner = null)
        : base(message, inner) => Code = code;

    /// <summary>The stable code, one of <see cref="FailureCodes"/>.</summary>
    public string Code { get; }

    /// <summary>True when the same call may succeed later without anyone mending anything.</summary>
    public bool IsTransient => Code is FailureCodes.DiskFull or FailureCodes.Throttled or FailureCodes.Unreachable;
}

/// <summary>The stable codes of <see cref="MillraceException.Code"/>. They never change their meaning.</summary>
public static class FailureCodes
{
    /// <summary>The topic does not exist.</summary>
    public const string TopicNotFound = "topic-not-found";

    /// <summary>A topic of that name exists with other settings.</summary>
    public const string TopicExists = "topic-exists";

    /// <summary>An offset outside the partition was asked for.</summary>
    public const string OffsetOutOfRange = "offset-out-of-range";

    /// <summary>The member, partition owner or producer was replaced by a newer one; it may write nothing more.</summary>
    public const string Fenced = "fenced";

    /// <summary>
    /// An earlier commit of the same partition owner failed or conflicted, so this one did not happen: restore, then work on.
    /// </summary>
    public const string CommitAborted = "commit-aborted";

    /// <summary>A producer's sequence has a gap: records before this batch were never received.</summary>
    public const string SequenceGap = "sequence-gap";

    /// <summary>Stored bytes do not match their checksum or shape. The message names file and offset.</summary>
    public const string Corrupt = "corrupt";

    /// <summary>Stored bytes were written by a newer version than this one.</summary>
    public const string UnknownVersion = "unknown-version";

    /// <summary>The disk refused a write or sync. The engine stopped; the next start reads from disk again.</summary>
    public const string StorageFailed = "storage-failed";

    /// <summary>The disk is full. Reads go on, writes are refused until there is room.</summary>
    public const string DiskFull = "disk-full";

    /// <summary>Another process has the directory open.</summary>
    public const string DirectoryLocked = "directory-locked";

    /// <summary>The engine is stopping or stopped.</summary>
    public const string Stopped = "stopped";

    /// <summary>A limit of the engine was met; try later.</summary>
    public const string Throttled = "throttled";

    /// <summary>A record or commit is larger than the engine takes.</summary>
    public const string TooLarge = "too-large";

    /// <summary>The engine's servers did not answer in time. Nothing happened; the same call may succeed later.</summary>
    public const string Unreachable = "unreachable";

    /// <summary>The engine's servers refused the credentials, or the permission to do this. The message names what was refused.</summary>
    public const string NotAuthorized = "not-authorized";

    /// <summary>
    /// Nobody can say whether it happened: the answer was lost and what it would have left cannot be looked up. A partition's owner
    /// restores and goes on from what is there; whoever else gets this looks for what it wrote before it writes it again.
    /// </summary>
    public const string UnknownResult = "unknown-result";

    /// <summary>The engine cannot do this; the message says which can.</summary>
    public const string NotSupported = "not-supported";

    /// <summary>What a stream asked the outside world for did not come, in all of its attempts and its time.</summary>
    public const string LookupFailed = "lookup-failed";

    /// <summary>Bytes that should be an event are not one.</summary>
    public const string NotAnEvent = "not-an-event";

    /// <summary>An event's type is not in the registry.</summary>
    public const string UnknownEventType = "unknown-event-type";

    /// <summary>An event's data does not fit its type. The message names the event and the JSON path.</summary>
    public const string DataMismatch = "data-mismatch";
}
