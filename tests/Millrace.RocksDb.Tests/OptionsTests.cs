namespace Millrace.RocksDb.Tests;

public sealed class OptionsTests : StoreRig
{
    [Fact]
    public void An_option_outside_of_its_limits_is_refused_by_name_and_value()
    {
        var good = new RocksDbOptions();
        (RocksDbOptions Options, string Name, string Value)[] bad =
        [
            (good with { BlockCacheBytesMax = (1 << 20) - 1 }, "BlockCacheBytesMax", "1048575"),
            (good with { BlockCacheBytesMax = (1L << 40) + 1 }, "BlockCacheBytesMax", "1099511627777"),
            (good with { WriteBufferBytesMax = (64 << 10) - 1 }, "WriteBufferBytesMax", "65535"),
            (good with { WriteBufferBytesMax = -1 }, "WriteBufferBytesMax", "-1"),
            (good with { OpenFilesMax = 19 }, "OpenFilesMax", "19"),
            (good with { OpenFilesMax = 1_000_001 }, "OpenFilesMax", "1000001"),
            (good with { Compression = (RocksDbCompression)99 }, "Compression", "99"),
            (good with { StallTimeout = TimeSpan.Zero }, "StallTimeout", "00:00:00"),
            (good with { StallTimeout = TimeSpan.FromDays(1) }, "StallTimeout", "1.00:00:00"),
        ];

        foreach (var (options, name, value) in bad)
        {
            var failure = Assert.Throws<ArgumentException>(() => new RocksDbStateStores(options));
            Assert.Contains($"RocksDbOptions.{name} is {value};", failure.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_source_without_a_directory_is_refused_and_told_what_is_missing()
    {
        using var stores = new RocksDbStateStores();

        var failure = Assert.Throws<ArgumentException>(() => stores.Open(Source with { Directory = null }));

        Assert.Contains("partition 3 of group 'payments'", failure.Message, StringComparison.Ordinal);
        Assert.Contains("KafkaOptions.StateDirectory", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Opening_fits_the_engines_delegate()
    {
        using var stores = new RocksDbStateStores();

        OpenStateStore open = stores.Open;

        using var store = open(Source);
        Assert.Equal(0, store.Position);
    }

    [Theory]
    [InlineData(RocksDbCompression.Lz4)]
    [InlineData(RocksDbCompression.Zstd)]
    public async Task Files_are_compressed_as_the_option_says_and_read_whatever_it_says(RocksDbCompression compression)
    {
        var plain = await FillAsync("plain", RocksDbCompression.None);
        var compressed = await FillAsync("compressed", compression);

        Assert.True(compressed < plain / 2, $"{compressed} bytes compressed and {plain} plain");
        using var stores = new RocksDbStateStores(new RocksDbOptions { Compression = RocksDbCompression.None });
        using var store = stores.Open(Source with { Directory = PathOf("compressed") });
        Assert.Equal(2_000, store.Scan("totals").Count);
    }

    private async Task<long> FillAsync(string directory, RocksDbCompression compression)
    {
        using var stores = new RocksDbStateStores(new RocksDbOptions { Compression = compression });
        using var store = stores.Open(Source with { Directory = PathOf(directory) });
        var changes = Enumerable.Range(0, 2_000)
            .Select(number => Put("totals", $"customer-{number:00000}", $$"""{"customerId":"CUST-{{number}}","orders":{{number % 7}},"currency":"USD"}"""));
        store.Apply([.. changes], 1);
        await store.SaveAsync(Cancellation);
        return new DirectoryInfo(PathOf(directory)).GetFiles("*.sst").Sum(file => file.Length);
    }
}
