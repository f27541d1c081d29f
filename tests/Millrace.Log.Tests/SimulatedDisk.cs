using System.Diagnostics.CodeAnalysis;
using Millrace.Log.Disk;

namespace Millrace.Log.Tests;

/// <summary>
/// A disk in memory that loses at power loss what a real one may lose: writes that were not synced vanish, survive or tear at sectors, in any
/// mixture; names that were not synced with their directory may be there or not. It can also lie about syncs, fail them, and be full.
/// </summary>
internal sealed class SimulatedDisk(int seed) : IStorage
{
    private const int SectorBytes = 512;

    private readonly Lock _gate = new(); // guards everything below
    private readonly Random _random = new(seed);
    private readonly Dictionary<string, SimulatedFile> _names = new(StringComparer.Ordinal);
    private readonly Dictionary<string, SimulatedFile> _durableNames = new(StringComparer.Ordinal);
    private readonly HashSet<string> _directories = new(StringComparer.Ordinal);
    private readonly HashSet<string> _locks = new(StringComparer.Ordinal);
    private int _boots;
    private bool _isOff;

    /// <summary>The power goes off at this many operations from now; negative is never.</summary>
    public int OperationsLeft { get; set; } = -1;

    /// <summary>Syncs return at once and do nothing: a disk that acknowledges before the data is safe.</summary>
    public bool LiesAboutSyncs { get; set; }

    /// <summary>How many bytes new data may still take before the disk is full; negative is without limit.</summary>
    public long BytesFree { get; set; } = -1;

    /// <summary>Which syncs fail with an I/O error: called with the path.</summary>
    public Func<string, bool> FailsSync { get; set; } = _ => false;

    /// <summary>Called with the path before a directory is synced, outside the disk's lock: a test may hold the caller there.</summary>
    public Action<string> BeforeDirectorySync { get; set; } = _ => { };

    /// <summary>Which operations meet a full disk, whatever room there is: called with what is done ("create", "write", "sync", "rename",
    /// "sync directory") and the path.</summary>
    public Func<string, string, bool> IsFullAt { get; set; } = (_, _) => false;

    public int Syncs { get; private set; }

    public void PowerOff()
    {
        lock (_gate) _isOff = true;
    }

    /// <summary>The process is killed, and the machine goes on: nothing is lost. Its files stay dead.</summary>
    public void Kill()
    {
        lock (_gate)
        {
            _locks.Clear();
            _boots++;
            (_isOff, OperationsLeft) = (false, -1);
        }
    }

    /// <summary>What is there after the power came back. The old process's files stay dead.</summary>
    public void PowerOn()
    {
        lock (_gate)
        {
            var survivors = new Dictionary<string, SimulatedFile>(_durableNames, StringComparer.Ordinal);
            foreach (var path in _names.Keys.Concat(_durableNames.Keys).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToList())
            {
                if (_names.GetValueOrDefault(path) == _durableNames.GetValueOrDefault(path) || _random.Next(2) == 0) continue;
                if (_names.TryGetValue(path, out var made)) survivors[path] = made;
                else survivors.Remove(path);
            }

            _names.Clear();
            _durableNames.Clear();
            foreach (var (path, file) in survivors.OrderBy(s => s.Key, StringComparer.Ordinal))
            {
                file.LosePower(_random);
                _names[path] = _durableNames[path] = file;
            }

            _locks.Clear();
            _boots++;
            (_isOff, OperationsLeft) = (false, -1);
        }
    }

    public void CreateDirectory(string path)
    {
        lock (_gate)
        {
            Work();
            for (var part = path; !string.IsNullOrEmpty(part); part = Path.GetDirectoryName(part)) _directories.Add(part);
        }
    }

    public bool FileExists(string path)
    {
        lock (_gate) return _names.ContainsKey(path);
    }

    public IReadOnlyList<string> ListFiles(string directory)
    {
        lock (_gate) return [.. _names.Keys.Where(p => Path.GetDirectoryName(p) == directory).Select(p => Path.GetFileName(p)).Order(StringComparer.Ordinal)];
    }

    public IReadOnlyList<string> ListDirectories(string directory)
    {
        lock (_gate) return [.. _directories.Where(p => Path.GetDirectoryName(p) == directory).Select(p => Path.GetFileName(p)).Order(StringComparer.Ordinal)];
    }

    public IStorageFile Open(string path, bool create)
    {
        lock (_gate)
        {
            Work();
            if (create) DemandRoom("create", path);
            if (create) _names[path] = new SimulatedFile();
            else if (!_names.ContainsKey(path)) throw new FileNotFoundException($"No file {path}.");
            return new Handle(this, path, _names[path], _boots);
        }
    }

    public void Rename(string from, string to)
    {
        lock (_gate)
        {
            Work();
            DemandRoom("rename", to);
            _names[to] = _names[from];
            _names.Remove(from);
        }
    }

    public void DeleteFile(string path)
    {
        lock (_gate)
        {
            Work();
            if (_names.Remove(path, out var gone) && BytesFree >= 0) BytesFree += Math.Max(gone.Reserved, gone.Length);
        }
    }

    public void DeleteDirectory(string path)
    {
        lock (_gate)
        {
            Work();
            foreach (var inside in _names.Keys.Where(p => p.StartsWith(path + Path.DirectorySeparatorChar, StringComparison.Ordinal)).ToList()) _names.Remove(inside);
            _directories.Remove(path);
        }
    }

    public void SyncDirectory(string path)
    {
        BeforeDirectorySync(path);
        lock (_gate)
        {
            Work();
            DemandRoom("sync directory", path);
            if (FailsSync(path)) throw new IOException($"fsync of {path} failed: Input/output error (error 5).");
            if (LiesAboutSyncs) return;
            foreach (var gone in _durableNames.Keys.Where(p => Path.GetDirectoryName(p) == path && !_names.ContainsKey(p)).ToList()) _durableNames.Remove(gone);
            foreach (var (name, file) in _names)
            {
                if (Path.GetDirectoryName(name) == path) _durableNames[name] = file;
            }
        }
    }

    public IDisposable Lock(string path)
    {
        lock (_gate)
        {
            if (!_locks.Add(path)) throw new IOException($"{path} is locked.");
            return new Unlocking(this, path, _boots);
        }
    }

    public Task RunBlocking(Func<Task> work) => DiskThread.Run(work);

    private void Work()
    {
        if (OperationsLeft > 0 && --OperationsLeft == 0) _isOff = true;
        if (_isOff) throw new IOException("The power is off.");
    }

    private void DemandRoom(string operation, string path)
    {
        if (IsFullAt(operation, path)) throw new DiskFullException($"No room: {operation} of {path}.");
    }

    private void TakeRoom(long bytes)
    {
        if (BytesFree < 0 || bytes <= 0) return;
        if (bytes > BytesFree) throw new DiskFullException($"No room for {bytes} bytes; {BytesFree} are free.");
        BytesFree -= bytes;
    }

    [SuppressMessage("Performance", "CA1812", Justification = "Made by Lock.")]
    private sealed class Unlocking(SimulatedDisk disk, string path, int boot) : IDisposable
    {
        public void Dispose()
        {
            lock (disk._gate)
            {
                if (disk._boots == boot) disk._locks.Remove(path);
            }
        }
    }

    private sealed class Handle(SimulatedDisk disk, string path, SimulatedFile file, int boot) : IStorageFile
    {
        public long Length
        {
            get
            {
                lock (disk._gate) return file.Length;
            }
        }

        public int Read(long position, Span<byte> bytes)
        {
            lock (disk._gate) return file.Read(position, bytes);
        }

        public void Write(long position, ReadOnlySpan<byte> bytes)
        {
            lock (disk._gate)
            {
                Work();
                disk.DemandRoom("write", path);
                disk.TakeRoom(position + bytes.Length - Math.Max(file.Reserved, file.Length));
                file.Write(position, bytes);
            }
        }

        public void SetLength(long length)
        {
            lock (disk._gate)
            {
                Work();
                if (disk.BytesFree >= 0) disk.BytesFree += Math.Max(0, Math.Max(file.Reserved, file.Length) - length);
                file.SetLength(length);
            }
        }

        public void Reserve(long length)
        {
            lock (disk._gate)
            {
                Work();
                disk.TakeRoom(length - Math.Max(file.Reserved, file.Length));
                file.Reserved = Math.Max(file.Reserved, length);
            }
        }

        public void Sync()
        {
            lock (disk._gate)
            {
                Work();
                disk.Syncs++;
                disk.DemandRoom("sync", path);
                if (disk.FailsSync(path)) throw new IOException($"fdatasync of {path} failed: Input/output error (error 5).");
                if (!disk.LiesAboutSyncs) file.Sync();
            }
        }

        public void DropCache()
        {
        }

        public void Dispose()
        {
        }

        private void Work()
        {
            disk.Work();
            if (disk._boots != boot) throw new IOException("This file was open before the power was lost.");
        }
    }

    private sealed class SimulatedFile
    {
        private readonly List<(long Position, byte[] Bytes)> _unsynced = [];
        private byte[] _bytes = [];
        private byte[] _durable = [];

        public long Length => _bytes.Length;

        public long Reserved { get; set; }

        public int Read(long position, Span<byte> bytes)
        {
            var count = (int)Math.Clamp(_bytes.Length - position, 0, bytes.Length);
            _bytes.AsSpan((int)Math.Min(position, _bytes.Length), count).CopyTo(bytes);
            return count;
        }

        public void Write(long position, ReadOnlySpan<byte> bytes)
        {
            Put(ref _bytes, position, bytes);
            _unsynced.Add((position, bytes.ToArray()));
        }

        public void SetLength(long length)
        {
            Array.Resize(ref _bytes, (int)length);
            Reserved = 0;
            // A cut is taken as ordered with the writes before it, as journalling file systems do: what was cut does not come back.
            _unsynced.RemoveAll(w => w.Position >= length);
            for (var i = 0; i < _unsynced.Count; i++)
            {
                var (position, bytes) = _unsynced[i];
                if (position + bytes.Length > length) _unsynced[i] = (position, bytes[..(int)(length - position)]);
            }

            if (_durable.Length > length) Array.Resize(ref _durable, (int)length);
        }

        public void Sync()
        {
            _durable = [.. _bytes];
            _unsynced.Clear();
        }

        public void LosePower(Random random)
        {
            foreach (var (position, bytes) in _unsynced.OrderBy(_ => random.Next()).ToList())
            {
                var fate = random.Next(3);
                if (fate == 0) continue;
                var kept = fate == 1 ? bytes.Length : random.Next((bytes.Length / SectorBytes) + 1) * SectorBytes;
                Put(ref _durable, position, bytes.AsSpan(0, Math.Min(kept, bytes.Length)));
            }

            _unsynced.Clear();
            _bytes = [.. _durable];
            Reserved = 0;
        }

        private static void Put(ref byte[] target, long position, ReadOnlySpan<byte> bytes)
        {
            if (bytes.Length == 0) return;
            if (position + bytes.Length > target.Length) Array.Resize(ref target, (int)position + bytes.Length);
            bytes.CopyTo(target.AsSpan((int)position));
        }
    }
}
