using System.Collections.Concurrent;
using System.Globalization;
using Millrace.Kafka.Clients;

namespace Millrace.Kafka.State;

/// <summary>
/// Who has the local copy of which partition's state: one at a time, so that a member which takes a partition over from another in this
/// process opens the copy only when that one has saved it. Thread safe.
/// </summary>
internal sealed class StateLeases(KafkaOptions options, ClientLog log)
{
    private readonly ConcurrentDictionary<(string Group, int Partition), SemaphoreSlim> _taken = new();

    /// <summary>Waits until nobody has the copy, and opens it.</summary>
    public async ValueTask<StateLease> OpenAsync(string group, int partition, Guid changelogId, CancellationToken cancellation)
    {
        var taken = TakenOf(group, partition);
        await taken.WaitAsync(cancellation);
        return await OpenAsync(group, partition, changelogId, taken);
    }

    /// <summary>Opens the copy unless somebody has it.</summary>
    public async ValueTask<StateLease?> TryOpenAsync(string group, int partition, Guid changelogId)
    {
        var taken = TakenOf(group, partition);
        return taken.Wait(0) ? await OpenAsync(group, partition, changelogId, taken) : null;
    }

    private async ValueTask<StateLease> OpenAsync(string group, int partition, Guid changelogId, SemaphoreSlim taken)
    {
        try
        {
            var source = new StateStoreSource
            {
                Group = group,
                Partition = partition,
                ChangelogId = changelogId,
                Directory = options.StateDirectory is null ? null
                    : Path.Combine(options.StateDirectory, "groups", group, partition.ToString(CultureInfo.InvariantCulture)),
            };
            var store = await Requests.BlockingAsync(() => options.OpenStateStore?.Invoke(source) ?? SnapshotStateStore.Open(source, log));
            return new StateLease(source, store, taken, log);
        }
        catch
        {
            taken.Release();
            throw;
        }
    }

    private SemaphoreSlim TakenOf(string group, int partition) => _taken.GetOrAdd((group, partition), static _ => new SemaphoreSlim(1, 1));
}

/// <summary>The local copy of a partition's state, open and nobody else's.</summary>
internal sealed class StateLease(StateStoreSource source, StateStore store, SemaphoreSlim taken, ClientLog log) : IAsyncDisposable
{
    private Task _saving = Task.CompletedTask;
    private bool _isClosed;

    public WatchedStore Store { get; } = new(store);

    /// <summary>Begins to save what there is, unless that is under way. On the thread that changes the store.</summary>
    public void Save()
    {
        if (_saving.IsCompleted) _saving = SaveAsync();
    }

    /// <summary>Saves and closes the copy. Once; nobody changes the store any more.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_isClosed) return;
        _isClosed = true;
        await _saving;
        await SaveAsync();
        Store.Dispose();
        taken.Release();
    }

    private async Task SaveAsync()
    {
        try
        {
            await Store.SaveAsync();
        }
        catch (Exception failure)
        {
            // A copy that is not saved costs a longer restore and nothing else.
            log.NotSaved(source.Group, source.Partition, failure);
        }
    }
}
