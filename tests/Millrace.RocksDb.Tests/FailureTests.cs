using Millrace.RocksDb.Copies;

namespace Millrace.RocksDb.Tests;

/// <summary>Damage, full disks and other troubles, and what they are called.</summary>
public sealed class FailureTests : StoreRig
{
    /// <summary>Texts that RocksDB 11.12.0 gave, with what they mean and whether a copy that cannot be opened for it is thrown away.</summary>
    [Theory]
    [InlineData("Corruption: CURRENT file does not end with newline", FailureCodes.Corrupt, true)]
    [InlineData("Corruption: Sst file size mismatch between expected 41254 and file system 0 sstable: /x/000013.sst", FailureCodes.Corrupt, true)]
    [InlineData("IO error: No such file or directory: While open a file for random read: /x/000008.sst: No such file or directory", FailureCodes.Corrupt, true)]
    [InlineData("IO error: No space left on device: While appending to file: /x/000033.sst: No space left on device", FailureCodes.DiskFull, false)]
    [InlineData("Result incomplete: IO error: No space left on device: While appending to file: /x/000033.sst: No space left on device", FailureCodes.DiskFull, false)]
    [InlineData("IO error: lock hold by current process, acquire time 1795608514 acquiring thread 22377: /x/LOCK: No locks available", FailureCodes.DirectoryLocked, false)]
    [InlineData("IO error: While lock file: /x/LOCK: Resource temporarily unavailable", FailureCodes.DirectoryLocked, false)]
    [InlineData("IO error: While open a file for appending: /x/000009.sst: Too many open files", FailureCodes.StorageFailed, false)]
    [InlineData("IO error: while open a file for lock: /x/LOCK: Permission denied", FailureCodes.StorageFailed, false)]
    [InlineData("IO error: While pread offset 0 len 4096: /x/000008.sst: Input/output error", FailureCodes.StorageFailed, true)]
    [InlineData("Invalid argument: leveldb.BytewiseComparator: does not match existing comparator other", FailureCodes.StorageFailed, true)]
    public void A_failures_text_has_a_meaning(string text, string code, bool isOfTheCopy)
    {
        Assert.Equal(code, NativeFailure.CodeOf(text));
        Assert.Equal(isOfTheCopy, NativeFailure.IsOfTheCopy(text));
    }

    [Fact]
    public async Task Damage_that_a_read_meets_fails_the_read_and_empties_the_copy_at_the_next_opening()
    {
        await SaveManyAsync();
        var file = Assert.Single(Directory.GetFiles(Copy, "*.sst"));
        using (var stream = new FileStream(file, FileMode.Open))
        {
            stream.Position = stream.Length / 2;
            stream.Write(new byte[64]);
        }

        using (var stores = new RocksDbStateStores())
        using (var store = stores.Open(Source))
        {
            var scan = Assert.Throws<MillraceException>(() => store.Scan("totals"));
            var found = 0;
            var get = Assert.Throws<MillraceException>(() =>
            {
                for (; found < 2_000; found++) Assert.Equal($"value {found}", TextOf(store, "totals", $"{found:0000}"));
            });

            Assert.Equal((5, FailureCodes.Corrupt, FailureCodes.Corrupt), (store.Position, scan.Code, get.Code));
            Assert.Contains(Copy, get.Message, StringComparison.Ordinal);
            Assert.InRange(found, 1, 1_999);
        }

        AssertThrownAway("damage was found");
    }

    [Fact]
    public void A_change_that_the_disk_refuses_fails_by_name_and_moves_nothing()
    {
        using var stores = new RocksDbStateStores(new RocksDbOptions { WriteBufferBytesMax = 64 << 10 });
        using var store = stores.Open(Source);
        store.Apply([Put("totals", "key", "1")], 1);
        Directory.Delete(Copy, recursive: true);
        File.WriteAllText(Copy, "not a directory");
        var random = new Random(1);
        var value = new byte[20_000];
        random.NextBytes(value);

        var position = 1L;
        var failure = Assert.Throws<MillraceException>(() =>
        {
            for (; position < 10_000; position++) store.Apply([new StateChange("totals", BitConverter.GetBytes(position), value)], position + 1);
        });

        Assert.Equal(FailureCodes.StorageFailed, failure.Code);
        Assert.Contains(Copy, failure.Message, StringComparison.Ordinal);
        Assert.Equal(position, store.Position);
        Assert.False(store.TryGet("totals", BitConverter.GetBytes(position), out _));
        Assert.Equal("1", TextOf(store, "totals", "key"));
    }

    [Fact]
    public async Task Saving_that_the_disk_refuses_fails_by_name()
    {
        using var stores = new RocksDbStateStores();
        using var store = stores.Open(Source);
        store.Apply([Put("totals", "key", "1")], 1);
        Directory.Delete(Copy, recursive: true);

        var failure = await Assert.ThrowsAsync<MillraceException>(async () => await store.SaveAsync(Cancellation));

        Assert.Contains(Copy, failure.Message, StringComparison.Ordinal);
        Assert.Equal("1", TextOf(store, "totals", "key"));
    }

    [Fact]
    public void A_position_does_not_go_back()
    {
        using var stores = new RocksDbStateStores();
        using var store = stores.Open(Source);
        store.Apply([Put("totals", "key", "1")], 5);

        var failure = Assert.Throws<ArgumentOutOfRangeException>(() => store.Apply([Put("totals", "key", "2")], 4));
        store.Apply([], 5);

        Assert.Contains("position 5", failure.Message, StringComparison.Ordinal);
        Assert.Equal("1", TextOf(store, "totals", "key"));
    }

    private async Task SaveManyAsync()
    {
        using var stores = new RocksDbStateStores();
        using var store = stores.Open(Source);
        store.Apply([.. Enumerable.Range(0, 2_000).Select(number => Put("totals", $"{number:0000}", $"value {number}"))], 5);
        await store.SaveAsync(Cancellation);
    }
}
