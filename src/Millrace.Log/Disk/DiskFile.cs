using Microsoft.Win32.SafeHandles;

namespace Millrace.Log.Disk;

/// <summary>A file of the operating system.</summary>
internal sealed class DiskFile : IStorageFile
{
    private readonly SafeFileHandle _handle;
    private readonly string _path;
    private long _reserved;

    public DiskFile(string path, bool create)
    {
        _path = path;
        try
        {
            _handle =
                File.OpenHandle(
                    path, create ? FileMode.Create : FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        }
        catch (IOException failure) when (SystemCalls.IsDiskFull(failure))
        {
            throw new DiskFullException($"No room to create {path}.", failure);
        }
    }

    public long Length => RandomAccess.GetLength(_handle);

    public int Read(long position, Span<byte> bytes)
    {
        var total = 0;
        while (total < bytes.Length)
        {
            var count = RandomAccess.Read(_handle, bytes[total..], position + total);
            if (count == 0) break;
            total += count;
        }

        return total;
    }

    public void Write(long position, ReadOnlySpan<byte> bytes)
    {
        try
        {
            RandomAccess.Write(_handle, bytes, position);
        }
        catch (IOException failure) when (SystemCalls.IsDiskFull(failure))
        {
            throw new DiskFullException($"No room for {bytes.Length} bytes at {position} of {_path}.", failure);
        }
    }

    public void SetLength(long length)
    {
        try
        {
            RandomAccess.SetLength(_handle, length);
        }
        catch (IOException failure) when (SystemCalls.IsDiskFull(failure))
        {
            throw new DiskFullException($"No room to set the length of {_path} to {length}.", failure);
        }

        _reserved = 0;
    }

    public void Reserve(long length)
    {
        if (length <= _reserved) return;
        SystemCalls.Reserve(_handle, _path, _reserved, length);
        _reserved = length;
    }

    public void Sync() => SystemCalls.SyncData(_handle, _path);

    public void DropCache() => SystemCalls.DropCache(_handle);

    public void Dispose() => _handle.Dispose();
}
