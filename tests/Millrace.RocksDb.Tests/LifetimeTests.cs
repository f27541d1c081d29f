using System.Text;
using Millrace.Contract;

namespace Millrace.RocksDb.Tests;

/// <summary>Closed stores say so, whatever their users are about; native memory that was freed is never touched.</summary>
public sealed class LifetimeTests : StoreRig
{
    [Fact]
    public async Task A_closed_store_refuses_everything_but_to_be_closed_again()
    {
        using var stores = new RocksDbStateStores();
        var store = stores.Open(Source);
        store.Apply([Put("totals", "key", "1")], 1);

        store.Dispose();
        store.Dispose();

        Assert.Throws<ObjectDisposedException>(() => store.TryGet("totals", [1], out _));
        Assert.Throws<ObjectDisposedException>(() => store.Scan("totals"));
        Assert.Throws<ObjectDisposedException>(() => store.Apply([], 2));
        Assert.Throws<ObjectDisposedException>(store.Clear);
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await store.SaveAsync(Cancellation));
    }

    [Fact]
    public async Task A_store_may_be_closed_while_it_is_read_and_saved()
    {
        using var stores = new RocksDbStateStores(new RocksDbOptions { WriteBufferBytesMax = 64 << 10 });
        for (var round = 0; round < 8; round++)
        {
            var store = stores.Open(Source);
            store.Apply([.. Enumerable.Range(0, 500).Select(number => Put("totals", $"{number}", new string('x', 50)))], store.Position + 1);
            var begun = new CountdownEvent(3);
            var users = new[]
            {
                Use(begun, () => store.TryGet("totals", "77"u8, out _)),
                Use(begun, () => store.Scan("totals")),
                UseAsync(begun, async () => await store.SaveAsync(Cancellation)),
            };

            begun.Wait(Cancellation);
            store.Dispose();

            await Task.WhenAll(users);
        }
    }

    [Fact]
    public async Task A_store_may_be_cleared_while_it_is_read()
    {
        using var stores = new RocksDbStateStores();
        using var store = stores.Open(Source);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var reader = Task.Run(() =>
        {
            while (!stop.IsCancellationRequested) Assert.True(store.Scan("totals").Count is 0 or 3);
        }, Cancellation);

        for (var round = 0; round < 30; round++)
        {
            store.Apply([Put("totals", "a", "1"), Put("totals", "b", "1"), Put("totals", "c", "1")], 1);
            store.Clear();
        }

        await stop.CancelAsync();
        await reader;
        Assert.Equal(0, store.Position);
    }

    [Fact]
    public async Task A_scan_sees_changes_whole_while_a_store_changes()
    {
        using var stores = new RocksDbStateStores(new RocksDbOptions { WriteBufferBytesMax = 64 << 10 });
        using var store = stores.Open(Source);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        store.Apply([Put("totals", "a", "0"), Put("totals", "z", "0")], 1);
        var reader = Task.Run(() =>
        {
            while (!stop.IsCancellationRequested) Assert.Single(store.Scan("totals").Select(entry => Encoding.UTF8.GetString(entry.Value.Span)).Distinct());
        }, Cancellation);

        for (var number = 1; number <= 2_000; number++)
            store.Apply([Put("totals", "a", $"{number}"), Put("totals", "z", $"{number}"), Put("other", $"{number}", new string('x', 90))], number + 1);

        await stop.CancelAsync();
        await reader;
    }

    [Fact]
    public async Task What_is_saved_between_any_two_writes_is_whole()
    {
        var seed = Random.Shared.Next();
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        var model = new StateStoreModel(new Random(seed));
        using var stores = new RocksDbStateStores();
        for (var round = 0; round < 30; round++)
        {
            using var store = stores.Open(Source);
            model.GoBackTo(store, 0);
            var saver = store.SaveAsync(Cancellation).AsTask();

            // The save ends the file somewhere in here, and what comes after it is lost.
            for (var left = 500; left > 0 && !saver.IsCompleted; left--) model.Apply(store, changesMax: 3);
            await saver;
        }

        using var last = stores.Open(Source);
        model.AssertIsPrefix(last, 0);
    }

    [Fact]
    public async Task Stores_outlive_what_opened_them_and_nothing_more_is_opened()
    {
        var stores = new RocksDbStateStores(new RocksDbOptions { WriteBufferBytesMax = 64 << 10 });
        using var store = stores.Open(Source);
        store.Apply([.. Enumerable.Range(0, 1_000).Select(number => Put("totals", $"{number:0000}", new string('x', 200)))], 1);
        await store.SaveAsync(Cancellation);
        for (var number = 0; number < 1_000; number++) Assert.NotNull(TextOf(store, "totals", $"{number:0000}"));
        var before = (stores.BlockCacheBytes, TextOf(store, "totals", "0500"));

        stores.Dispose();

        Assert.True(before.BlockCacheBytes > stores.BlockCacheBytes, $"{before.BlockCacheBytes} bytes, then {stores.BlockCacheBytes}");
        Assert.Equal(before.Item2, TextOf(store, "totals", "0500"));
        store.Apply([Put("totals", "0500", "new")], 2);
        Assert.Equal("new", TextOf(store, "totals", "0500"));
        Assert.Throws<ObjectDisposedException>(() => stores.Open(Source with { Directory = PathOf("other") }));
    }

    [Fact]
    public async Task Saving_does_not_begin_when_it_is_cancelled()
    {
        using var stores = new RocksDbStateStores();
        using var store = stores.Open(Source);
        store.Apply([Put("totals", "key", "1")], 1);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await store.SaveAsync(new CancellationToken(canceled: true)));

        Assert.Empty(Directory.GetFiles(Copy, "*.sst"));
    }

    private static Task Use(CountdownEvent begun, Action use) => UseAsync(begun, () =>
    {
        use();
        return Task.CompletedTask;
    });

    /// <summary>Does it again and again until the store says that it is closed.</summary>
    private static Task UseAsync(CountdownEvent begun, Func<Task> use) => Task.Run(async () =>
    {
        for (var number = 0; ; number++)
        {
            try
            {
                await use();
            }
            catch (ObjectDisposedException)
            {
                break;
            }
            finally
            {
                if (number == 0) begun.Signal();
            }
        }
    }, Cancellation);
}
