using System.Text;
using Microsoft.Extensions.Logging;
using Database = RocksDbSharp.RocksDb;

namespace Millrace.RocksDb.Tests;

/// <summary>A directory of a test's own, and what is done with stores in it again and again.</summary>
public abstract class StoreRig : IDisposable
{
    private readonly DirectoryInfo _root = Directory.CreateTempSubdirectory("millrace-rocksdb-");

    protected StateStoreSource Source { get; }

    protected StoreRig() =>
        Source = new StateStoreSource { Group = "payments", Partition = 3, ChangelogId = Guid.NewGuid(), Directory = PathOf("copy") };

    protected string Copy => PathOf("copy");

    protected string Root => _root.FullName;

    protected static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _root.Delete(recursive: true);
        GC.SuppressFinalize(this);
    }

    protected string PathOf(string name) => Path.Combine(_root.FullName, name);

    protected static StateChange Put(string store, string key, string value) =>
        new(store, Encoding.UTF8.GetBytes(key), Encoding.UTF8.GetBytes(value));

    protected static string? TextOf(StateStore store, string name, string key) =>
        store.TryGet(name, Encoding.UTF8.GetBytes(key), out var value) ? Encoding.UTF8.GetString(value.Span) : null;

    /// <summary>A saved copy that holds one value, at position 7.</summary>
    protected async Task SaveOneAsync()
    {
        using var stores = new RocksDbStateStores();
        using var store = stores.Open(Source);
        store.Apply([Put("totals", "key", "1")], 7);
        await store.SaveAsync(Cancellation);
    }

    /// <summary>Opens what is in the directory as RocksDB sees it.</summary>
    protected void WithDatabase(Action<Database> use)
    {
        using var database = Database.Open(new RocksDbSharp.DbOptions(), Copy);
        use(database);
    }

    /// <summary>Opens the copy in a process of its own, as it were, and demands that it begins from nothing, for a reason that is said.</summary>
    protected void AssertThrownAway(string reason)
    {
        var lines = new Lines();
        using var stores = new RocksDbStateStores(new RocksDbOptions { Logger = lines });
        using var store = stores.Open(Source);

        Assert.Equal(0, store.Position);
        Assert.Empty(store.Scan("totals"));
        var line = Assert.Single(lines.All);
        Assert.Contains(Copy, line, StringComparison.Ordinal);
        Assert.Contains(reason, line, StringComparison.Ordinal);
    }

    /// <summary>A logger that keeps what it is told.</summary>
    protected sealed class Lines : ILogger
    {
        private readonly List<string> _lines = [];

        public IReadOnlyList<string> All => _lines;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            _lines.Add(formatter(state, exception));
    }
}
