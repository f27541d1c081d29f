using System.Buffers.Binary;
using System.Text;

namespace Millrace.Kafka.State;

/// <summary>
/// A copy of a partition's state in one file; FORMAT.md has its layout. It is derived from the changelog, so it needs no sync: a file that
/// a power loss tore fails its checksum and is thrown away.
/// </summary>
internal static class Snapshot
{
    private const uint Magic = 0x4D52_5353; // "MRSS"
    private const int Version = 1, HeaderBytes = 4 + 4 + 16 + 8 + 8, BlockBytes = 1 << 16;

    public static string FileIn(string directory) => Path.Combine(directory, "state.snapshot");

    public static void Write(
        string directory, Guid changelogId, long position, IReadOnlyList<(string Store, KeyValuePair<byte[], byte[]>[] Entries)> stores)
    {
        Directory.CreateDirectory(directory);
        var file = FileIn(directory);
        var unfinished = $"{file}.tmp";
        using (var stream = new FileStream(unfinished, FileMode.Create, FileAccess.Write, FileShare.None, BlockBytes))
        {
            var output = new Output(stream);
            Span<byte> header = stackalloc byte[HeaderBytes];
            BinaryPrimitives.WriteUInt32BigEndian(header, Magic);
            BinaryPrimitives.WriteInt32BigEndian(header[4..], Version);
            changelogId.TryWriteBytes(header[8..], bigEndian: true, out _);
            BinaryPrimitives.WriteInt64BigEndian(header[24..], position);
            BinaryPrimitives.WriteInt64BigEndian(header[32..], stores.Sum(store => (long)store.Entries.Length));
            output.Write(header);
            foreach (var (store, entries) in stores)
            {
                var name = Encoding.UTF8.GetBytes(store);
                foreach (var (key, value) in entries)
                {
                    output.Write(name.Length);
                    output.Write(key.Length);
                    output.Write(value.Length);
                    output.Write(name);
                    output.Write(key);
                    output.Write(value);
                }
            }

            output.Finish();
        }

        File.Move(unfinished, file, overwrite: true);
    }

    /// <summary>Reads a file whole and returns its position.</summary>
    /// <exception cref="MillraceException">It is damaged, of another version or of another changelog.</exception>
    public static long Read(string file, Guid changelogId, Action<string, byte[], byte[]> put)
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.Read, BlockBytes);
        var input = new Input(stream, file);
        Span<byte> header = stackalloc byte[HeaderBytes];
        input.Read(header);
        if (BinaryPrimitives.ReadUInt32BigEndian(header) != Magic) throw Damaged(file, "it does not begin as a snapshot does");
        if (BinaryPrimitives.ReadInt32BigEndian(header[4..]) is var version and not Version)
            throw new MillraceException(FailureCodes.UnknownVersion, $"{file} has version {version}; this program knows {Version}.");
        if (new Guid(header.Slice(8, 16), bigEndian: true) != changelogId) throw Damaged(file, "it is a copy of another changelog");
        var names = new StoreNames();
        for (var left = BinaryPrimitives.ReadInt64BigEndian(header[32..]); left > 0; left--)
        {
            var (nameBytes, keyBytes, valueBytes) = (input.ReadLength(), input.ReadLength(), input.ReadLength());
            var name = names.Of(input.Read(nameBytes));
            put(name, input.Read(keyBytes), input.Read(valueBytes));
        }

        input.Finish();
        return BinaryPrimitives.ReadInt64BigEndian(header[24..]);
    }

    private static MillraceException Damaged(string file, string how) => new(FailureCodes.Corrupt, $"{file}: {how}.");

    /// <summary>Writes, and keeps the checksum of what it wrote.</summary>
    private sealed class Output(Stream stream)
    {
        private uint _crc;

        public void Write(int number)
        {
            Span<byte> bytes = stackalloc byte[4];
            BinaryPrimitives.WriteInt32BigEndian(bytes, number);
            Write(bytes);
        }

        public void Write(ReadOnlySpan<byte> bytes)
        {
            _crc = Crc32C.Append(_crc, bytes);
            stream.Write(bytes);
        }

        public void Finish()
        {
            var crc = _crc;
            Write((int)crc);
            stream.Flush();
        }
    }

    /// <summary>Reads, checks lengths before it allocates, and compares the checksum at the end.</summary>
    private sealed class Input(FileStream stream, string file)
    {
        private uint _crc;

        public int ReadLength()
        {
            Span<byte> bytes = stackalloc byte[4];
            Read(bytes);
            return BinaryPrimitives.ReadInt32BigEndian(bytes);
        }

        public byte[] Read(int length)
        {
            if (length < 0 || length > stream.Length - stream.Position) throw Damaged(file, $"a length of {length} is impossible");
            var bytes = new byte[length];
            Read(bytes);
            return bytes;
        }

        public void Read(Span<byte> bytes)
        {
            if (stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false) < bytes.Length) throw Damaged(file, "it is cut off");
            _crc = Crc32C.Append(_crc, bytes);
        }

        public void Finish()
        {
            var expected = _crc;
            if ((uint)ReadLength() != expected || stream.Position != stream.Length) throw Damaged(file, "its checksum does not match");
        }
    }
}
