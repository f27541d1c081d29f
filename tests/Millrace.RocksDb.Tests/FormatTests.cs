using System.Buffers.Binary;
using System.Text;

namespace Millrace.RocksDb.Tests;

/// <summary>The bytes that FORMAT.md promises, looked at and written by RocksDB alone.</summary>
public sealed class FormatTests : StoreRig
{
    private static byte[] HeaderKey => [0xFF, 0xFF, .. "copy"u8];

    [Fact]
    public async Task Keys_and_header_are_as_the_format_says()
    {
        await SaveOneAsync();

        WithDatabase(database =>
        {
            using var iterator = database.NewIterator();
            var found = new List<(byte[] Key, byte[] Value)>();
            for (iterator.SeekToFirst(); iterator.Valid(); iterator.Next()) found.Add((iterator.Key(), iterator.Value()));

            Assert.Equal([[0, 6, .. "totalskey"u8], HeaderKey], found.Select(entry => entry.Key));
            Assert.Equal("1"u8.ToArray(), found[0].Value);
            Assert.Equal([0, 1, .. Source.ChangelogId.ToByteArray(bigEndian: true), 0, 0, 0, 0, 0, 0, 0, 7], found[1].Value);
        });
    }

    [Fact]
    public void A_copy_that_was_written_by_the_format_is_read()
    {
        var header = new byte[26];
        header[1] = 1;
        Source.ChangelogId.TryWriteBytes(header.AsSpan(2), bigEndian: true, out _);
        BinaryPrimitives.WriteInt64BigEndian(header.AsSpan(18), 42);
        Directory.CreateDirectory(Copy);
        using (var database = RocksDbSharp.RocksDb.Open(new RocksDbSharp.DbOptions().SetCreateIfMissing(), Copy))
        {
            database.Put(HeaderKey, header);
            database.Put((byte[])[0, 6, .. Encoding.UTF8.GetBytes("lägerk")], "v"u8.ToArray());
        }

        using var stores = new RocksDbStateStores();
        using var store = stores.Open(Source);

        Assert.Equal(42, store.Position);
        Assert.Equal("v", TextOf(store, "läger", "k"));
    }

    [Fact]
    public async Task Another_version_another_length_and_a_negative_position_are_thrown_away()
    {
        (Action<byte[]> Change, int Length, string Reason)[] cases =
        [
            (header => header[1] = 2, 26, "version 2"),
            (header => header[0] = 1, 26, "version 257"),
            (_ => { }, 25, "25 bytes"),
            (_ => { }, 1, "1 bytes"),
            (_ => { }, 0, "0 bytes"),
            (header => header[18] = 0x80, 26, "position is -"),
        ];

        foreach (var (change, length, reason) in cases)
        {
            await SaveOneAsync();
            WithDatabase(database =>
            {
                var header = database.Get(HeaderKey);
                change(header);
                database.Put(HeaderKey, header[..length]);
            });

            AssertThrownAway(reason);
        }
    }

    [Fact]
    public async Task Another_changelogs_copy_and_one_without_a_header_are_thrown_away_with_a_reason()
    {
        await SaveOneAsync();
        WithDatabase(database => database.Remove(HeaderKey));
        AssertThrownAway("no header");

        await SaveOneAsync();
        WithDatabase(database =>
        {
            var header = database.Get(HeaderKey);
            header[10]++;
            database.Put(HeaderKey, header);
        });
        AssertThrownAway($"this is {Source.ChangelogId}");
    }

    [Fact]
    public async Task What_is_nowhere_else_is_refused_with_a_reason_and_left_as_it_is()
    {
        (string Code, string Reason, Action<RocksDbSharp.RocksDb> Change)[] cases =
        [
            (FailureCodes.Corrupt, "no header", database => database.Remove(HeaderKey)),
            (FailureCodes.Corrupt, $"this is {Source.ChangelogId}", database => ChangeHeader(database, header => header[10]++)),
            (FailureCodes.UnknownVersion, "version 2", database => ChangeHeader(database, header => header[1] = 2)),
        ];
        using var stores = new RocksDbStateStores();
        foreach (var (code, reason, change) in cases)
        {
            await SaveOneAsync();
            WithDatabase(change);

            var failure = Assert.Throws<MillraceException>(() => stores.Open(Source with { IsOnlyCopy = true }));

            Assert.Equal(code, failure.Code);
            Assert.Contains(reason, failure.Message, StringComparison.Ordinal);
            Assert.Contains(Copy, failure.Message, StringComparison.Ordinal);
            WithDatabase(database => Assert.Equal("1"u8.ToArray(), database.Get((byte[])[0, 6, .. "totalskey"u8])));
        }

        Directory.Delete(Copy, recursive: true);
        Assert.Equal(FailureCodes.Corrupt,
            Assert.Throws<MillraceException>(() => stores.Open(Source with { IsOnlyCopy = true })).Code);
        Assert.False(Directory.Exists(Copy));

        static void ChangeHeader(RocksDbSharp.RocksDb database, Action<byte[]> change)
        {
            var header = database.Get(HeaderKey);
            change(header);
            database.Put(HeaderKey, header);
        }
    }

    [Fact]
    public void A_copy_whose_process_ended_before_the_first_file_is_empty_and_needs_no_word()
    {
        var lines = new Lines();
        using var stores = new RocksDbStateStores(new RocksDbOptions { Logger = lines });
        using (var store = stores.Open(Source)) store.Apply([Put("totals", "key", "1")], 1);

        using var reopened = stores.Open(Source);

        Assert.Equal(0, reopened.Position);
        Assert.Empty(reopened.Scan("totals"));
        Assert.Empty(lines.All);
    }

    [Fact]
    public void A_stores_name_that_cannot_be_written_is_refused_and_nothing_changes()
    {
        using var stores = new RocksDbStateStores();
        using var store = stores.Open(Source);

        var tooLong = Assert.Throws<ArgumentException>(() => store.Apply([Put("totals", "key", "1"), Put(new('a', 65_535), "key", "1")], 1));
        Assert.ThrowsAny<ArgumentException>(() => store.Apply([Put("totals", "key", "1"), Put("half \ud800", "key", "1")], 1));
        Assert.ThrowsAny<ArgumentException>(() => store.Scan("half \ud800"));

        Assert.Contains("65535 bytes", tooLong.Message, StringComparison.Ordinal);
        Assert.Equal(0, store.Position);
        Assert.Empty(store.Scan("totals"));
    }

    [Fact]
    public void The_longest_name_and_keys_of_ones_stay_apart_from_the_header()
    {
        using var stores = new RocksDbStateStores();
        using var store = stores.Open(Source);
        var name = new string('z', 65_534);

        store.Apply([new StateChange(name, [0xFF, 0xFF], [1]), new StateChange(name, [.. Enumerable.Repeat((byte)0xFF, 400)], [2])], 1);

        Assert.Equal([1, 2], store.Scan(name).Select(entry => entry.Value.Span[0]));
    }
}
