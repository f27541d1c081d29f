using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Millrace.Whole;

/// <summary>A file written as plainly as can be: pwrite and fdatasync, nothing else.</summary>
internal sealed partial class RawFile(string path) : IDisposable
{
    private readonly SafeFileHandle _handle = File.OpenHandle(path, FileMode.Create, FileAccess.ReadWrite);

    /// <summary>Gives the file its final length and its room on the disk.</summary>
    public void LayOut(long bytes)
    {
        var zeros = new byte[1 << 20];
        for (long at = 0; at < bytes; at += zeros.Length)
            RandomAccess.Write(_handle, zeros.AsSpan(0, (int)Math.Min(zeros.Length, bytes - at)), at);
        Sync();
    }

    public void Write(ReadOnlySpan<byte> bytes, long at) => RandomAccess.Write(_handle, bytes, at);

    public void Sync()
    {
        if (!OperatingSystem.IsLinux()) RandomAccess.FlushToDisk(_handle);
        else if (FdataSync(_handle) != 0) throw new Win32Exception(Marshal.GetLastPInvokeError(), $"fdatasync of {path} failed.");
    }

    public void Dispose()
    {
        _handle.Dispose();
        File.Delete(path);
    }

    [LibraryImport("libc", EntryPoint = "fdatasync", SetLastError = true)]
    private static partial int FdataSync(SafeFileHandle file);
}
