namespace Millrace.RocksDb.Tests;

/// <summary>State that is many times larger than what memory is given to it.</summary>
public sealed class MemoryTests : StoreRig
{
    private const int Keys = 5_000, ValueBytes = 4_000, BufferBytes = 1 << 20, CacheBytes = 2 << 20;

    [Fact]
    public void State_larger_than_the_cache_is_kept_whole_within_its_limits()
    {
        using var stores = new RocksDbStateStores(new RocksDbOptions
        {
            BlockCacheBytesMax = CacheBytes, WriteBufferBytesMax = BufferBytes, Compression = RocksDbCompression.None,
        });
        using var store = (Copies.RocksDbStateStore)stores.Open(Source);
        var (cacheMost, buffersMost) = (0L, 0L);

        for (var first = 0; first < Keys; first += 20)
        {
            store.Apply([.. Enumerable.Range(first, 20).Select(number => new StateChange("totals", KeyOf(number), ValueOf(number)))], first + 20);
            buffersMost = Math.Max(buffersMost, store.BufferBytes);
        }

        var random = new Random(5);
        for (var read = 0; read < Keys; read++)
        {
            var number = random.Next(Keys);
            Assert.True(store.TryGet("totals", KeyOf(number), out var value));
            Assert.Equal(ValueOf(number), value.ToArray());
            cacheMost = Math.Max(cacheMost, stores.BlockCacheBytes);
        }

        var onDisk = new DirectoryInfo(Copy).GetFiles("*.sst").Sum(file => file.Length);
        Assert.True(onDisk > 5L * (CacheBytes + BufferBytes), $"{onDisk} bytes on disk");
        Assert.InRange(cacheMost, CacheBytes / 2, CacheBytes + (256 << 10));
        Assert.InRange(buffersMost, BufferBytes / 2, 3 * BufferBytes);
    }

    private static byte[] KeyOf(int number) => BitConverter.GetBytes(number);

    /// <summary>Bytes that cannot be compressed and follow from the number.</summary>
    private static byte[] ValueOf(int number)
    {
        var value = new byte[ValueBytes];
        new Random(number).NextBytes(value);
        return value;
    }
}
