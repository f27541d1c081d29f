using Millrace.Contract;

namespace Millrace.RocksDb.Tests;

/// <summary>The contract of stores, with the defaults.</summary>
public sealed class DefaultStoreTests : StateStoreContract
{
    private readonly ManyStores _stores = new(new RocksDbOptions());

    protected override StateStore Open(StateStoreSource source) => _stores.Open(source);

    protected override void Dispose(bool isDisposing)
    {
        _stores.Dispose();
        base.Dispose(isDisposing);
    }
}

/// <summary>The contract of stores with everything as small as it goes.</summary>
public sealed class SmallStoreTests : StateStoreContract
{
    private readonly ManyStores _stores = new(new RocksDbOptions
    {
        BlockCacheBytesMax = 1 << 20, WriteBufferBytesMax = 64 << 10, OpenFilesMax = 20, Compression = RocksDbCompression.None,
    });

    protected override StateStore Open(StateStoreSource source) => _stores.Open(source);

    protected override void Dispose(bool isDisposing)
    {
        _stores.Dispose();
        base.Dispose(isDisposing);
    }
}

/// <summary>A cache of its own for each store, as each process has: else a copied directory's blocks would come from the cache.</summary>
internal sealed class ManyStores(RocksDbOptions options) : IDisposable
{
    private readonly List<RocksDbStateStores> _opened = [];

    public StateStore Open(StateStoreSource source)
    {
        var stores = new RocksDbStateStores(options);
        _opened.Add(stores);
        return stores.Open(source);
    }

    public void Dispose() => _opened.ForEach(stores => stores.Dispose());
}
