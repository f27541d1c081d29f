using Shop.Api;
using Shop.View;

namespace Shop.Live;

/// <summary>
/// Tells all open pages what changed. A page that falls behind loses changes and gets a fresh snapshot instead. Thread safe.
/// </summary>
internal sealed class LiveFeed
{
    /// <summary>How many pages may listen at once.</summary>
    public const int SubscribersMax = 100;

    /// <summary>Guards the array's replacement; readers take the array as it is.</summary>
    private readonly Lock _lock = new();
    private volatile LiveSubscriber[] _subscribers = [];

    /// <summary>Whether anyone listens: if not, changes need not be gathered.</summary>
    public bool HasSubscribers => _subscribers.Length > 0;

    /// <summary>Adds a listener; null when there are too many. Dispose it to leave.</summary>
    public LiveSubscriber? Subscribe()
    {
        lock (_lock)
        {
            if (_subscribers.Length == SubscribersMax) return null;
            var added = new LiveSubscriber(Leave);
            _subscribers = [.. _subscribers, added];
            return added;
        }
    }

    /// <summary>Tells what some events changed.</summary>
    public void Post(ViewChanges changes)
    {
        foreach (var subscriber in _subscribers) subscriber.Post(changes);
    }

    private void Leave(LiveSubscriber leaving)
    {
        lock (_lock) _subscribers = Array.FindAll(_subscribers, subscriber => subscriber != leaving);
    }
}

/// <summary>What one page has not been told yet.</summary>
internal sealed class LiveSubscriber(Action<LiveSubscriber> leave) : IDisposable
{
    /// <summary>How many changes wait for one page; beyond it a snapshot is smaller than they are.</summary>
    public const int ChangesMax = 500;

    /// <summary>Guards everything below.</summary>
    private readonly Lock _lock = new();
    private LiveUpdate _waiting = new();
    private TaskCompletionSource _signal = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes when something changed since the last <see cref="Take"/>.</summary>
    public Task Changed
    {
        get
        {
            lock (_lock) return _signal.Task;
        }
    }

    /// <summary>Takes what has gathered.</summary>
    public LiveUpdate Take()
    {
        lock (_lock)
        {
            var taken = _waiting;
            _waiting = new LiveUpdate();
            if (_signal.Task.IsCompleted) _signal = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return taken;
        }
    }

    public void Post(ViewChanges changes)
    {
        lock (_lock)
        {
            if (!_waiting.IsOverrun)
            {
                _waiting.Orders.UnionWith(changes.Orders);
                foreach (var (sku, level) in changes.Stock) _waiting.Stock[sku] = level;
                _waiting.Timeline.AddRange(changes.Timeline);
                _waiting.Mails.AddRange(changes.Mails);
            }

            if (_waiting.Count > ChangesMax) _waiting.Overrun();
            _signal.TrySetResult();
        }
    }

    public void Dispose() => leave(this);
}

/// <summary>Changes that were gathered for one page. Not thread safe.</summary>
internal sealed class LiveUpdate
{
    public HashSet<string> Orders { get; } = new(StringComparer.Ordinal);

    public List<LiveTimelineEntry> Timeline { get; } = [];

    public Dictionary<string, StockView> Stock { get; } = new(StringComparer.Ordinal);

    public List<LiveMail> Mails { get; } = [];

    /// <summary>True when more gathered than is kept: only a snapshot tells it all.</summary>
    public bool IsOverrun { get; private set; }

    public int Count => Orders.Count + Timeline.Count + Stock.Count + Mails.Count;

    /// <summary>Drops what was gathered in favour of a snapshot.</summary>
    public void Overrun()
    {
        IsOverrun = true;
        Orders.Clear();
        Timeline.Clear();
        Stock.Clear();
        Mails.Clear();
    }
}
