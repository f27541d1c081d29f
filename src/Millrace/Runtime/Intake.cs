using System.Runtime.ExceptionServices;

namespace Millrace;

/// <summary>
/// Several readers, as those of one partition of each topic, read in turn so that a busy topic does not starve a quiet one. A reader at
/// its end is left waiting for the engine to wake it; nothing is asked again before that. Used by one loop only.
/// </summary>
internal sealed class Intake(Signal wake) : IDisposable
{
    private readonly List<Source> _sources = [];
    private int _next;

    public void Add(string topic, long offset, PartitionReader reader) => _sources.Add(new Source(topic, offset, reader));

    /// <summary>Where processing stands now, all topics.</summary>
    public IReadOnlyList<TopicPosition> Positions()
    {
        var positions = new TopicPosition[_sources.Count];
        for (var i = 0; i < positions.Length; i++) positions[i] = new TopicPosition(_sources[i].Topic, _sources[i].NextOffset);
        return positions;
    }

    /// <summary>Reads nothing more of a topic until a task has ended, however it does.</summary>
    public void Hold(string topic, Task until)
    {
        foreach (var source in _sources)
        {
            if (source.Topic == topic) source.Hold(until, wake);
        }
    }

    /// <summary>Takes what the next topic in turn has; null when none has anything now.</summary>
    public FetchedRecords? TryRead(int bytesMax, out Source? source)
    {
        for (var tried = 0; tried < _sources.Count; tried++)
        {
            source = _sources[_next];
            _next = (_next + 1) % _sources.Count;
            if (source.IsHeld || !source.TryEndWait()) continue;
            if (source.Reader.TryRead(bytesMax) is { } fetched) return fetched;
        }

        source = null;
        return null;
    }

    /// <summary>Lets every reader wait; false when one has something already.</summary>
    public bool TryWait(CancellationToken cancellation)
    {
        var isEmpty = true;
        foreach (var source in _sources) isEmpty &= source.TryBeginWait(wake, cancellation);
        return isEmpty;
    }

    /// <summary>Awaits the readers that wait; their token has to be cancelled before.</summary>
    public async Task EndWaitsAsync()
    {
        foreach (var source in _sources) await source.Waiting;
    }

    public void Dispose()
    {
        foreach (var source in _sources) source.Reader.Dispose();
    }

    /// <summary>One topic.</summary>
    internal sealed class Source(string topic, long nextOffset, PartitionReader reader)
    {
        private bool _isWaiting;
        private volatile bool _isAwake;
        private Exception? _failure;
        private Task _heldUntil = Task.CompletedTask;

        public string Topic { get; } = topic;

        public PartitionReader Reader { get; } = reader;

        /// <summary>The offset after the last record processed.</summary>
        public long NextOffset { get; set; } = nextOffset;

        /// <summary>The wait that is under way; never fails.</summary>
        public Task Waiting { get; private set; } = Task.CompletedTask;

        public bool IsHeld => !_heldUntil.IsCompleted;

        public void Hold(Task until, Signal wake)
        {
            if (until == _heldUntil) return;
            _heldUntil = until;
            if (!until.IsCompleted) _ = WakeAfterAsync(until, wake);
        }

        /// <summary>False while the reader still waits; throws what its wait ended with.</summary>
        public bool TryEndWait()
        {
            if (!_isWaiting) return true;
            if (!_isAwake) return false;
            _isWaiting = false;
            if (_failure is { } failure) ExceptionDispatchInfo.Throw(failure);
            return true;
        }

        /// <summary>False when there is something to read at once.</summary>
        public bool TryBeginWait(Signal wake, CancellationToken cancellation)
        {
            if (IsHeld) return true;
            if (_isWaiting) return !_isAwake;
            var wait = Reader.WaitAsync(cancellation);
            if (wait.IsCompletedSuccessfully) return false;
            (_isWaiting, _isAwake, _failure) = (true, false, null);
            Waiting = WatchAsync(wait, wake);
            return true;
        }

        private static async Task WakeAfterAsync(Task until, Signal wake)
        {
            await Task.WhenAny(until);
            wake.Set();
        }

        private async Task WatchAsync(ValueTask wait, Signal wake)
        {
            try
            {
                await wait;
            }
            catch (Exception failure)
            {
                _failure = failure;
            }

            _isAwake = true;
            wake.Set();
        }
    }
}
