using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Millrace.Log.Disk;

/// <summary>
/// The system's calls that .NET hides or softens: RandomAccess.FlushToDisk and FileStream.Flush(true) return normally on EIO under Linux
/// (seen on .NET 10.0.12 with an injected error), so the sync calls are made here and their errno is read at once.
/// </summary>
internal static class SystemCalls
{
    private const int EInterrupted = 4, ENoSpace = 28, EQuotaLinux = 122, EQuotaMac = 69;
    private const int MacFullSync = 51;
    private const int AdviseDontNeed = 4;
    private const int KeepSize = 1;

    /// <summary>Data and what is needed to read it back are on the disk when this returns.</summary>
    public static void SyncData(SafeFileHandle file, string path)
    {
        if (OperatingSystem.IsWindows())
        {
            if (!FlushFileBuffers(file)) throw Failed("FlushFileBuffers", path, Marshal.GetLastPInvokeError());
            return;
        }

        // macOS's fsync leaves data in the drive's cache; F_FULLFSYNC does not (fcntl(2)).
        var call = OperatingSystem.IsMacOS() ? "fcntl(F_FULLFSYNC)" : "fdatasync";
        while ((OperatingSystem.IsMacOS() ? FullSync(file, MacFullSync, 0) : DataSync(file)) != 0)
        {
            var error = Marshal.GetLastPInvokeError();
            if (error != EInterrupted) throw Failed(call, path, error);
        }
    }

    /// <summary>
    /// The names in a directory are on the disk when this returns. Windows keeps them durable by itself and has no call for it.
    /// </summary>
    public static void SyncDirectory(string path)
    {
        if (OperatingSystem.IsWindows()) return;
        var descriptor = OpenDirectory(path, 0, 0);
        if (descriptor < 0) throw Failed("open", path, Marshal.GetLastPInvokeError());
        using var handle = new SafeFileHandle(descriptor, ownsHandle: true);
        while (FileSync(handle) != 0)
        {
            var error = Marshal.GetLastPInvokeError();
            if (error != EInterrupted) throw Failed("fsync", path, error);
        }
    }

    /// <summary>Takes room on the disk without changing the length. File systems that cannot are left alone.</summary>
    public static void Reserve(SafeFileHandle file, string path, long from, long to)
    {
        if (!OperatingSystem.IsLinux()) return;
        while (Allocate(file, KeepSize, from, to - from) != 0)
        {
            var error = Marshal.GetLastPInvokeError();
            if (error == EInterrupted) continue;
            if (error is ENoSpace or EQuotaLinux) throw new DiskFullException(
                $"No room for {to - from} bytes in {path} ({Reason(error)}).");
            return;
        }
    }

    public static void DropCache(SafeFileHandle file)
    {
        if (OperatingSystem.IsLinux()) _ = Advise(file, 0, 0, AdviseDontNeed);
    }

    /// <summary>
    /// Whether an exception of .NET's own write is a full disk: errno 28 (69 or 122 for quotas), or ERROR_DISK_FULL on Windows.
    /// </summary>
    public static bool IsDiskFull(IOException failure)
    {
        var code = failure.HResult & 0xFFFF;
        return OperatingSystem.IsWindows() ? code is 112 or 39 : code is ENoSpace or EQuotaLinux or EQuotaMac;
    }

    private static IOException Failed(string call, string path, int error) =>
        error is ENoSpace or EQuotaLinux
            ? new DiskFullException($"{call} of {path} failed: {Reason(error)}.")
            : new IOException($"{call} of {path} failed: {Reason(error)} (error {error}).", error);

    private static string Reason(int error) => Marshal.GetPInvokeErrorMessage(error);

    [DllImport("libc", EntryPoint = "fdatasync", SetLastError = true)]
    private static extern int DataSync(SafeFileHandle file);

    [DllImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static extern int FileSync(SafeFileHandle file);

    [DllImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static extern int FullSync(SafeFileHandle file, int command, int argument);

    [DllImport("libc", EntryPoint = "open", SetLastError = true, BestFitMapping = false, ThrowOnUnmappableChar = true)]
    private static extern int OpenDirectory([MarshalAs(UnmanagedType.LPUTF8Str)] string path, int flags, int mode);

    [DllImport("libc", EntryPoint = "fallocate", SetLastError = true)]
    private static extern int Allocate(SafeFileHandle file, int mode, long offset, long length);

    [DllImport("libc", EntryPoint = "posix_fadvise")]
    private static extern int Advise(SafeFileHandle file, long offset, long length, int advice);

    [DllImport("kernel32", SetLastError = true)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static extern bool FlushFileBuffers(SafeFileHandle file);
}
