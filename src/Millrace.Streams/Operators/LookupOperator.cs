using Millrace.Streams.Definition;
using Millrace.Streams.Running;
using Millrace.Streams.States;

namespace Millrace.Streams.Operators;

/// <summary>An operator that finishes what it was given only after the call that gave it.</summary>
internal interface IDeferredOperator
{
    bool HasPending { get; }

    /// <summary>Finishes all that is pending; what comes of it has gone on when it returns.</summary>
    /// <param name="guard">Who is told of records that cannot be worked on; null where there is nobody.</param>
    /// <param name="cancellation">Ends what is under way.</param>
    ValueTask CompleteAsync(DeadLetterGuard? guard, CancellationToken cancellation);
}

/// <summary>What a lookup works by.</summary>
internal sealed record LookupWork<T, TOut>(Func<T, CancellationToken, ValueTask<TOut>> Find, LookupOptions Options);

/// <summary>
/// Asks the outside world for each record, several at a time, and goes on with the answers in the records' order; event time keeps its
/// place between them. Records gather while their batch is fed, and are finished before the call that fed them returns, so no commit has a
/// record whose answer has not come. It keeps nothing.
/// </summary>
internal sealed class LookupOperator<T, TOut>(
    TopologyNode node, LookupWork<T, TOut> work, TopologyInstance instance, Sink<TOut> output)
    : Sink<T>, IStatefulOperator, IDeferredOperator
{
    private readonly LookupOptions _options = work.Options;
    private readonly Queue<Item> _waiting = [];
    private readonly Queue<(Item Item, Task<TOut>? Answer)> _started = [];
    private int _underWay;

    private enum ItemKind
    {
        Record = 0,
        Time = 1,
        Idleness = 2,
    }

    public OperatorCounts Counts { get; } = new();

    public int Entries => 0;

    public long Watermark { get; private set; } = long.MinValue;

    public bool HasPending => _waiting.Count > 0;

    public override void Push(T value, long timestamp)
    {
        Counts.In++;
        // From here on the record cannot be left out as if it had never come.
        instance.HasActed = true;
        Wait(new Item(ItemKind.Record, value, timestamp, instance.Origin));
    }

    public override void Advance(long watermark)
    {
        if (HasPending) Wait(new Item(ItemKind.Time, default!, watermark, -1));
        else Move(watermark);
    }

    public override void SetIdle(bool isIdle)
    {
        if (HasPending) Wait(new Item(ItemKind.Idleness, default!, isIdle ? 1 : 0, -1));
        else output.SetIdle(isIdle);
    }

    public async ValueTask CompleteAsync(DeadLetterGuard? guard, CancellationToken cancellation)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        try
        {
            while (true)
            {
                Start(end.Token);
                if (!_started.TryDequeue(out var next)) return;
                if (next.Answer is null)
                {
                    Pass(next.Item);
                    continue;
                }

                await GoOnAsync(next.Item, next.Answer, guard, end.Token);
            }
        }
        finally
        {
            end.Cancel();
            await EndAsync();
        }
    }

    public void Restore(StateScope scope)
    {
    }

    public void Save(StateScope scope)
    {
    }

    private void Wait(Item item)
    {
        instance.HasDeferred = true;
        _waiting.Enqueue(item);
    }

    /// <summary>Starts what has room; what is no record only keeps its place.</summary>
    private void Start(CancellationToken cancellation)
    {
        while (_waiting.TryPeek(out var item) && (item.Kind != ItemKind.Record || _underWay < _options.Capacity))
        {
            _waiting.Dequeue();
            if (item.Kind != ItemKind.Record)
            {
                _started.Enqueue((item, null));
                continue;
            }

            _underWay++;
            _started.Enqueue((item, FindAsync(item.Value, cancellation)));
        }
    }

    private async ValueTask GoOnAsync(Item item, Task<TOut> answer, DeadLetterGuard? guard, CancellationToken cancellation)
    {
        TOut found;
        try
        {
            found = await answer;
            _underWay--;
            instance.Host.Tick();
        }
        catch (MillraceException failure) when (failure.Code == FailureCodes.LookupFailed && IsDeadLetter(item, guard))
        {
            _underWay--;
            await CondemnAsync(item, failure, guard!, cancellation);
            throw;
        }

        try
        {
            instance.Origin = item.Origin;
            Counts.Out++;
            output.Push(found, item.Time);
        }
        catch (Exception failure) when (item.Origin >= 0 && guard is not null && guard.Condemns(failure, item.Origin))
        {
            throw;
        }
    }

    private bool IsDeadLetter(Item item, DeadLetterGuard? guard) =>
        _options.OnFailure == LookupFailure.DeadLetter && item.Origin >= 0 && guard is not null;

    /// <summary>
    /// The instance ends, and the next one makes a dead letter of the record. The others are awaited before, so that all that fail of a
    /// batch cost one restart and not one each.
    /// </summary>
    private async ValueTask CondemnAsync(Item item, MillraceException failure, DeadLetterGuard guard, CancellationToken cancellation)
    {
        guard.Condemns(failure, item.Origin);
        while (true)
        {
            Start(cancellation);
            if (!_started.TryDequeue(out var next)) return;
            if (next.Answer is null) continue;
            try
            {
                await next.Answer;
            }
            catch (MillraceException other) when (other.Code == FailureCodes.LookupFailed && IsDeadLetter(next.Item, guard))
            {
                guard.Condemns(other, next.Item.Origin);
            }

            _underWay--;
        }
    }

    /// <summary>Everything that was started is awaited, whatever became of it: nothing of a lookup outlives the call.</summary>
    private async ValueTask EndAsync()
    {
        while (_started.TryDequeue(out var next))
        {
            if (next.Answer is not { } answer) continue;
            await Task.WhenAny(answer);
            _ = answer.Exception;
        }

        // Nothing is left after a good end; after another one the instance ends, or the test goes on without what failed.
        _waiting.Clear();
        _underWay = 0;
    }

    private void Pass(Item item)
    {
        instance.Origin = -1;
        if (item.Kind == ItemKind.Time) Move(item.Time);
        else output.SetIdle(item.Time == 1);
    }

    private void Move(long watermark)
    {
        Watermark = watermark;
        output.Advance(watermark);
    }

    /// <summary>The answer for a record: tried again after a pause until the attempts or the time are used up.</summary>
    private async Task<TOut> FindAsync(T value, CancellationToken cancellation)
    {
        using var deadline = new CancellationTokenSource(_options.Timeout, instance.Host.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, deadline.Token);
        for (var attempt = 1; ; attempt++)
        {
            Exception failure;
            try
            {
                var answer = work.Find(value, either.Token);
                // Whoever does not heed the token is not waited for when the time is up.
                return answer.IsCompletedSuccessfully ? answer.Result : await answer.AsTask().WaitAsync(either.Token);
            }
            catch (Exception one) when (!cancellation.IsCancellationRequested && one is not OutOfMemoryException)
            {
                failure = one;
            }

            if (deadline.IsCancellationRequested)
                throw Failed($"gave no answer within {_options.Timeout}, in {attempt} attempts", failure);
            if (attempt == _options.AttemptsMax || _options.RetryIf?.Invoke(failure) == false)
                throw Failed($"failed in {attempt} attempts: {failure.Message}", failure);
            Interlocked.Increment(ref Counts.Retried);
            await PauseAsync(deadline.Token, either.Token, cancellation);
        }
    }

    private async ValueTask PauseAsync(CancellationToken deadline, CancellationToken either, CancellationToken cancellation)
    {
        try
        {
            await Task.Delay(_options.RetryPause, instance.Host.Time, either);
        }
        catch (OperationCanceledException) when (deadline.IsCancellationRequested && !cancellation.IsCancellationRequested)
        {
            throw Failed($"gave no answer within {_options.Timeout}", null);
        }
    }

    private MillraceException Failed(string how, Exception? failure) => new(
        FailureCodes.LookupFailed, $"The lookup of operator '{node.Id}: {node.Title}' {how}.", failure);

    /// <param name="Kind">What it is.</param>
    /// <param name="Value">The record.</param>
    /// <param name="Time">Its event time; the watermark; 1 when it became idle.</param>
    /// <param name="Origin">The offset of the source's record that it came with; -1 when it came with none.</param>
    private readonly record struct Item(ItemKind Kind, T Value, long Time, long Origin);
}
