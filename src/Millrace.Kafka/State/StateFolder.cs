using System.Security.Cryptography;

namespace Millrace.Kafka.State;

/// <summary>The engine's folder: locked for one process, and the keeper of the instance's name.</summary>
internal sealed class StateFolder : IDisposable
{
    private readonly FileStream? _lock;

    private StateFolder(FileStream? @lock, string instanceId) => (_lock, InstanceId) = (@lock, instanceId);

    public string InstanceId { get; }

    /// <summary>Opens the folder, if there is to be one, and makes it where it is missing.</summary>
    /// <exception cref="MillraceException"><see cref="FailureCodes.DirectoryLocked"/>, or <see
    /// cref="FailureCodes.StorageFailed"/>.</exception>
    public static StateFolder Open(KafkaOptions options)
    {
        if (options.StateDirectory is not { } directory) return new StateFolder(null, options.InstanceId ?? Draw());
        try
        {
            Directory.CreateDirectory(directory);
            var file = Lock(directory);
            return new StateFolder(file, options.InstanceId ?? Known(directory));
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new MillraceException(
                FailureCodes.StorageFailed, $"The state directory '{directory}' cannot be used: {failure.Message}", failure);
        }
    }

    public void Dispose() => _lock?.Dispose();

    private static FileStream Lock(string directory)
    {
        try
        {
            // An advisory lock on Unix, a share lock on Windows; both end with the process, however it ends.
            return new FileStream(Path.Combine(directory, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException failure) when (failure is not (DirectoryNotFoundException or FileNotFoundException or PathTooLongException))
        {
            throw new MillraceException(FailureCodes.DirectoryLocked,
                $"The state directory '{directory}' is in use by another process: end it, or give this one a directory of its own.",
                failure);
        }
    }

    private static string Known(string directory)
    {
        var file = Path.Combine(directory, "instance-id");
        if (File.Exists(file) && File.ReadAllText(file).Trim() is var known && TopicSpecification.IsValidName(known)) return known;
        var drawn = Draw();
        File.WriteAllText(file, drawn);
        return drawn;
    }

    private static string Draw() => RandomNumberGenerator.GetHexString(16, lowercase: true);
}
