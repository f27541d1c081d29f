using System.Diagnostics;
using System.Runtime.ExceptionServices;
using System.Threading.Channels;

namespace Millrace.Messaging;

/// <summary>
/// Handles the events of one partition. A handler that ends at once runs straight through the loop. One that waits leaves the loop free for
/// other keys, up to the group's parallelism; the events of its own key queue behind it. Outcomes enter the scope in the order of the
/// records, whatever the order in which they end. A call of the runtime ends when all of its events have. Everything here runs in the
/// partition's one loop, but <see cref="WatchAsync"/>, which only hands ended steps back to it.
/// </summary>
internal sealed class PartitionHandlers : IPartitionProcessor, IDisposable
{
    /// <summary>How many events may be under way or wait for others before the loop takes no further ones from the batch.</summary>
    public const int PendingMax = 4_096;

    private const int IdleMax = 256;

    private readonly HandlerGroup _group;
    private readonly ProcessorScope _scope;
    private readonly EventPublisher? _publisher;
    private readonly SeenEvents _seen;
    private readonly KeyEntries _entries;
    private readonly StateWriter _writer = new();
    private readonly Stack<HandlerCall> _idle = [];
    private HandlerCounts _counts;

    // In the order of the records: every event from the first that has not ended on.
    private readonly Queue<HandlerCall> _pending = [];
    private readonly HashSet<UInt128> _pendingIdentities = [];

    // Those of them that only wait for a place among the running ones.
    private readonly Queue<HandlerCall> _ready = [];

    // Steps that have ended, for the loop to take up; as many as can be under way.
    private readonly Channel<HandlerCall> _ended;
    private int _running;

    public PartitionHandlers(HandlerGroup group, ProcessorScope scope)
    {
        (_group, _scope) = (group, scope);
        _publisher = group.Source is null ? null : new EventPublisher(group.Registry, group.Source, scope.Time);
        _seen = new SeenEvents(scope, group);
        _entries = new KeyEntries(group.Stores.Count);
        _ended = Channel.CreateBounded<HandlerCall>(new BoundedChannelOptions(group.Parallelism) { SingleReader = true });
    }

    public async ValueTask ProcessAsync(FetchedRecords records, CancellationToken cancellation)
    {
        // Ends what is under way when the call fails; its handlers work on memory that is the runtime's again afterwards.
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        try
        {
            foreach (var record in records)
            {
                stop.Token.ThrowIfCancellationRequested();
                Take(record, records.Source, stop.Token);
                while (_pending.Count >= PendingMax) await TakeUpEndedAsync();
            }

            while (_pending.Count > 0) await TakeUpEndedAsync();
        }
        catch
        {
            stop.Cancel();
            await AbandonRunningAsync();
            throw;
        }

        _group.Meter.Count(records.Source.Topic, ref _counts);
    }

    public ValueTask OnTimerAsync(DueTimer timer, CancellationToken cancellation)
    {
        if (timer.Name == SeenEvents.Timer) _seen.OnTimer();
        return default;
    }

    public void BeforeCommit()
    {
        _entries.WriteTo(_scope);
        _seen.BeforeCommit();
    }

    /// <summary>Called by the runtime when it is done with the partition.</summary>
    public void Dispose()
    {
        while (_idle.TryPop(out var call)) call.Dispose();
    }

    private void Take(in Record record, TopicPartition source, CancellationToken cancellation)
    {
        if (!EventCodec.TryRead(record, out var view, out var reason))
        {
            var unreadable = Rent(record, source, cancellation);
            unreadable.DeadLetterReason = new MillraceException(FailureCodes.NotAnEvent, $"The record is not an event: {reason}.");
            unreadable.HasEnded = true;
            if (_pending.Count == 0) Settle(unreadable);
            else _pending.Enqueue(unreadable);
            return;
        }

        if (_group.Registry.Find(view.Type.Span) is not { } contract || _group.Find(contract) is not { } handler) return;
        var identity = EventIdentity.Of(view.Source.Span, view.Id.Span);
        if (_pendingIdentities.Contains(identity) || _seen.Contains(identity))
        {
            _counts.Duplicates++;
            return;
        }

        var call = Rent(record, source, cancellation);
        call.Begin(view, contract, handler, identity);
        if (_pending.Count == 0) RunThrough(call);
        else Line(call);
    }

    /// <summary>Nothing is ahead of the event: if its handler ends at once, so does the event.</summary>
    private void RunThrough(HandlerCall call)
    {
        Start(call);
        if (call.HasEnded)
        {
            Settle(call);
            return;
        }

        call.Entry ??= _entries.Find(call.Record);
        call.Entry.Last = call;
        Append(call);
    }

    private void Line(HandlerCall call)
    {
        Append(call);
        call.Entry = _entries.Find(call.Record);
        if (call.Entry.Last is { } ahead) ahead.Next = call;
        else _ready.Enqueue(call);
        call.Entry.Last = call;
        StartReady();
        SettleEnded();
    }

    private void Append(HandlerCall call)
    {
        _pending.Enqueue(call);
        _pendingIdentities.Add(call.Identity);
    }

    private void StartReady()
    {
        while (_running < _group.Parallelism && _ready.TryDequeue(out var call)) Start(call);
    }

    private void Start(HandlerCall call)
    {
        var handler = call.Handler!;
        var current = Activity.Current;
        ValueTask step;
        try
        {
            call.Data ??= call.Contract!.Read(call.View);
            OpenStates(call, handler);
            call.Attempt++;
            call.Activity = HandlerActivity.Start(call, _group);
            call.StartedAt = _group.Meter.MeasuresDuration ? _scope.Time.GetTimestamp() : 0;
            step = handler.Invoke(call);
            if (!step.IsCompleted)
            {
                Watch(call, step);
                return;
            }

            step.GetAwaiter().GetResult();
        }
        catch (Exception failure)
        {
            call.StepFailure = failure;
        }
        finally
        {
            if (call.Activity is not null) Activity.Current = current;
        }

        EndAttempt(call);
    }

    private void OpenStates(HandlerCall call, HandlerMethod handler)
    {
        if (handler.Stores.Length == 0) return;
        if (!call.Record.HasKey)
        {
            throw new MillraceException(
                FailureCodes.DataMismatch, $"The record has no key, so there is nowhere to keep the state that handler {handler.Name} " +
                    "asks for.");
        }

        call.Entry ??= _entries.Find(call.Record);
        foreach (var store in handler.Stores)
            call.SetState(store, call.Entry.Slot(store, _group.Stores[store]).Open(_scope, call.Entry.Key));
    }

    private void EndAttempt(HandlerCall call)
    {
        if (call.StartedAt != 0) _group.Meter.Attempted(call.Source.Topic, _scope.Time.GetElapsedTime(call.StartedAt));
        if (call.StepFailure is null) Keep(call);
        HandlerActivity.Stop(call.Activity, call.StepFailure);
        call.Activity = null;
        if (call.StepFailure is { } failure && !EndFailed(call, failure)) return;

        call.HasEnded = true;
        if (call.Entry is not { } entry) return;
        if (entry.Last == call) entry.Last = null;
        if (call.Next is { } next) _ready.Enqueue(next);
        call.Next = null;
    }

    /// <summary>
    /// Keeps what a handler did. What can fail comes first: writing states and events as bytes; so a failure leaves nothing behind.
    /// </summary>
    private void Keep(HandlerCall call)
    {
        var stores = call.Handler!.Stores;
        var current = Activity.Current;
        try
        {
            foreach (var store in stores) call.Entry!.Slot(store).Prepare(_writer);
            if (call.Activity is not null) Activity.Current = call.Activity;
            Say(call);
        }
        catch (Exception failure)
        {
            call.StepFailure = failure;
            return;
        }
        finally
        {
            if (call.Activity is not null) Activity.Current = current;
        }

        foreach (var store in stores) call.Entry!.Slot(store).Accept();
    }

    private void Say(HandlerCall call)
    {
        var said = call.Said;
        if (said.Count == 0) return;
        // A single event with nothing ahead of it is written at once: if that fails, the publisher has added nothing.
        var isDirect = said.Count == 1 && _pending.Count == 0;
        var target = isDirect ? _scope : call.Staged ??= new StagedRecords(_scope);
        for (var i = 0; i < said.Count; i++) _publisher!.Say(target, said[i], call.View, i);
    }

    /// <summary>Returns whether the event has ended; else the failure is thrown on, or another attempt follows.</summary>
    private bool EndFailed(HandlerCall call, Exception failure)
    {
        call.StepFailure = null;
        call.ForgetAttempt();
        if (call.Cancellation.IsCancellationRequested && failure is OperationCanceledException || Failures.IsOfTheWorld(failure))
            ExceptionDispatchInfo.Throw(failure);
        foreach (var store in call.Handler!.Stores) call.Entry?.Abandon(store);
        if (call.Attempt == 0 || call.Attempt >= _group.Attempts)
        {
            call.DeadLetterReason = failure;
            return true;
        }

        _counts.Retries++;
        var delay = _group.DelayAfter(call.Attempt);
        HandlerLog.Retrying(_group.Logger, call.Handler!.Name, failure, call.Attempt, call.Record.Offset, call.Source, delay);
        call.IsPausing = true;
        Watch(call, new ValueTask(Task.Delay(delay, _scope.Time, call.Cancellation)));
        return false;
    }

    /// <summary>Puts the outcome of the oldest event into the scope.</summary>
    private void Settle(HandlerCall call)
    {
        if (call.DeadLetterReason is { } reason)
        {
            DeadLetters.Say(_scope, call.Source, call.Record, reason, call.Attempt);
            HandlerLog.DeadLettered(_group.Logger, reason, call.Record.Offset, call.Source, call.Attempt);
            _counts.DeadLetters++;
        }
        else
        {
            call.Staged?.MoveToScope();
            _counts.Handled++;
        }

        if (call.Handler is not null) _seen.Add(call.Identity);
        call.Reset();
        if (_idle.Count < IdleMax) _idle.Push(call);
        else call.Dispose();
    }

    private void SettleEnded()
    {
        while (_pending.TryPeek(out var call) && call.HasEnded)
        {
            _pending.Dequeue();
            if (call.Handler is not null) _pendingIdentities.Remove(call.Identity);
            Settle(call);
        }
    }

    private HandlerCall Rent(in Record record, TopicPartition source, CancellationToken cancellation)
    {
        if (!_idle.TryPop(out var call)) call = new HandlerCall(_group.Stores.Count);
        call.Begin(record, source);
        call.Surround(_group.Name, _scope.Time, cancellation);
        return call;
    }

    private async ValueTask TakeUpEndedAsync()
    {
        // Not cancelled: every step ends, and a cancelled one ends with that.
        var call = await _ended.Reader.ReadAsync(CancellationToken.None);
        _running--;
        call.Cancellation.ThrowIfCancellationRequested();
        if (call.IsPausing)
        {
            call.IsPausing = false;
            Start(call);
        }
        else
        {
            EndAttempt(call);
        }

        StartReady();
        SettleEnded();
    }

    /// <summary>The call has failed and this instance ends; nothing of it may run on.</summary>
    private async ValueTask AbandonRunningAsync()
    {
        while (_running > 0)
        {
            var call = await _ended.Reader.ReadAsync(CancellationToken.None);
            HandlerActivity.Stop(call.Activity, call.StepFailure);
            _running--;
        }
    }

    private void Watch(HandlerCall call, ValueTask step)
    {
        _running++;
        _ = WatchAsync(call, step);
    }

    /// <summary>Owned by the loop: it counts the steps under way and takes up the end of each. Never fails.</summary>
    private async Task WatchAsync(HandlerCall call, ValueTask step)
    {
        try
        {
            await step;
        }
        catch (Exception failure)
        {
            call.StepFailure = failure;
        }

        if (!_ended.Writer.TryWrite(call)) throw new InvalidOperationException("More steps have ended than were under way.");
    }
}
