namespace Millrace.RocksDb.Tests;

/// <summary>What stands in the way of a directory, and what is left of it.</summary>
public sealed class DirectoryTests : StoreRig
{
    [Fact]
    public void A_directory_is_made_however_deep()
    {
        using var stores = new RocksDbStateStores();
        var deep = PathOf("state/payments/3 and ä");

        using (var store = stores.Open(Source with { Directory = deep })) store.Apply([Put("totals", "key", "1")], 1);

        Assert.True(File.Exists(Path.Combine(deep, "CURRENT")));
    }

    [Fact]
    public async Task A_directory_that_is_open_is_refused_until_it_is_closed()
    {
        await SaveOneAsync();
        using var stores = new RocksDbStateStores();
        using var others = new RocksDbStateStores();
        var store = stores.Open(Source);

        var failure = Assert.Throws<MillraceException>(() => others.Open(Source));
        var another = Assert.Throws<MillraceException>(() => others.Open(Source with { ChangelogId = Guid.NewGuid() }));
        var text = TextOf(store, "totals", "key");
        store.Dispose();
        using var reopened = others.Open(Source);

        Assert.Equal(FailureCodes.DirectoryLocked, failure.Code);
        Assert.Equal(FailureCodes.DirectoryLocked, another.Code);
        Assert.Contains(Copy, failure.Message, StringComparison.Ordinal);
        Assert.Equal("1", text);
        Assert.Equal(7, reopened.Position);
    }

    [Fact]
    public void A_file_in_the_directorys_place_is_a_failure_that_names_it()
    {
        File.WriteAllText(Copy, "not a directory");
        using var stores = new RocksDbStateStores();

        var failure = Assert.Throws<MillraceException>(() => stores.Open(Source));

        Assert.Equal(FailureCodes.StorageFailed, failure.Code);
        Assert.Contains(Copy, failure.Message, StringComparison.Ordinal);
        Assert.Equal("not a directory", File.ReadAllText(Copy));
    }

    [Fact]
    public async Task Files_that_are_not_RocksDBs_stay_when_a_copy_is_thrown_away()
    {
        await SaveOneAsync();
        File.WriteAllText(Path.Combine(Copy, "notes.txt"), "mine");
        File.WriteAllText(Path.Combine(Copy, "CURRENT"), "garbage\n");

        AssertThrownAway("CURRENT");

        Assert.Equal("mine", File.ReadAllText(Path.Combine(Copy, "notes.txt")));
        Assert.Empty(Directory.GetFiles(Copy, "*.sst"));
    }

    [Fact]
    public async Task A_condemned_copy_is_thrown_away_once()
    {
        await SaveOneAsync();
        File.WriteAllText(Path.Combine(Copy, "condemned"), "");

        AssertThrownAway("damage");

        await SaveOneAsync();
        using var stores = new RocksDbStateStores();
        using var store = stores.Open(Source);
        Assert.Equal(7, store.Position);
    }
}
