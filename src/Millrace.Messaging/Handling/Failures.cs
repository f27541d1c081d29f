namespace Millrace.Messaging;

/// <summary>Sorts what handlers throw.</summary>
internal static class Failures
{
    /// <summary>
    /// True when the event is not to blame, so that giving it up would lose it: the engine failed or refused, and the processor starts
    /// again from its last commit. The exceptions are about the event itself: it cannot be read, or what it leads to cannot be written.
    /// </summary>
    public static bool IsOfTheWorld(Exception failure) => failure is MillraceException
    {
        Code: not (FailureCodes.NotAnEvent or FailureCodes.DataMismatch or FailureCodes.UnknownEventType or FailureCodes.TooLarge)
    };
}
