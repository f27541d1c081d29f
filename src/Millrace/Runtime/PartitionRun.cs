namespace Millrace;

/// <summary>
/// One life of a processor on one partition: restore, then read, process and commit until it is drained, abandoned or fails. A failure
/// throws out of <see cref="RunAsync"/>; what was not committed is dropped with this object, whose disposal awaits the commits that are
/// under way. One loop, never two calls at a time.
/// </summary>
internal sealed class PartitionRun : IAsyncDisposable
{
    private readonly PartitionLoop _loop;
    private readonly Processor _processor;
    private readonly OwnedPartition _owned;
    private readonly RuntimeContext _context;
    private readonly ProcessorRuntimeOptions _options;
    private readonly StateOverlay _state;
    private readonly TimerQueue _timers = new();
    private readonly PartitionScope _scope;
    private readonly Intake _intake;
    private readonly CommitPipeline _commits;
    private readonly UncommittedBytes.Share _uncommitted;
    private readonly Alarm _alarm;
    private readonly CancellationToken _abandon; // cancelled when what is not committed shall be thrown away
    private readonly CancellationTokenSource _end;
    private IPartitionProcessor? _instance;
    private CommitUnit _unit = new(0, []);
    private bool _isReadNext; // timers filled a commit by themselves: records have their turn before the next ones

    public PartitionRun(
        PartitionLoop loop, Processor processor, RuntimeContext context, UncommittedBytes uncommitted, CancellationToken abandon)
    {
        var owned = loop.Owned;
        (_loop, _processor, _owned, _context, _options) = (loop, processor, owned, context, context.Options);
        _state = new StateOverlay(owned);
        _intake = new Intake(loop.Wake);
        _scope = new PartitionScope(processor, owned, context, _state, _timers, _intake);
        _commits = new CommitPipeline(owned, context, loop.Wake);
        _uncommitted = uncommitted.Join(loop.Wake.Set);
        _alarm = new Alarm(_options.Time, loop.Wake);
        _abandon = abandon;
        _end = CancellationTokenSource.CreateLinkedTokenSource(abandon);
    }

    /// <summary>How much was done that is not durable.</summary>
    private long Bytes => _commits.Bytes + _unit.Bytes;

    public async Task RunAsync()
    {
        await BeginAsync();
        while (!_loop.IsDraining) await TurnAsync();
        await FinishAsync();
    }

    /// <summary>Ends what this run began, after a failure as after a good end.</summary>
    public async ValueTask DisposeAsync()
    {
        using var uncommitted = _uncommitted; // given back when nothing of it is in memory, however that ends
        _scope.Enter(null);
        _end.Cancel();
        await _intake.EndWaitsAsync();
        _intake.Dispose();
        _alarm.Dispose();
        _unit.Dispose();
        await DisposeInstanceAsync();
        await _commits.SettleAsync();
        _loop.Launched(0);
        _end.Dispose();
    }

    private async Task BeginAsync()
    {
        await _owned.RestoreAsync(_abandon);
        if (_processor.HasState) _timers.Load(_owned.Scan(TimerQueue.Store));
        var positions = _owned.Positions;
        foreach (var (topic, offset) in positions) _intake.Add(topic, offset, _owned.OpenReader(topic, offset));
        _loop.Restored(positions, _timers.Count);
        if (_processor.OffsetReset == OffsetReset.Latest) await PinAsync(positions);

        _scope.Enter(_unit);
        _instance = _processor.Create(_scope)
            ?? throw new InvalidOperationException($"Processor '{_processor.Name}' made null instead of a partition's processor.");
        _loop.Running();
    }

    /// <summary>
    /// Commits where "latest" is before anything is read. Without a position, a restart would begin at the latest of then and pass over the
    /// records that this run had read and not committed.
    /// </summary>
    private async Task PinAsync(IReadOnlyList<TopicPosition> positions)
    {
        using var commit = new Commit();
        foreach (var (topic, offset) in positions) commit.SetPosition(topic, offset);
        if (!commit.IsEmpty) _ = (await _owned.CommitAsync(commit, _abandon)).RequireCommitted();
    }

    /// <summary>
    /// Once around: what is durable, timers that are due, one batch, one commit; then straight on, or a wait for whatever comes first.
    /// </summary>
    private async Task TurnAsync()
    {
        _abandon.ThrowIfCancellationRequested();
        TakeDurable();
        var isMoreDue = false;
        FetchedRecords? fetched = null;
        if (HasRoom())
        {
            isMoreDue = _isReadNext || await FireDueTimersAsync();
            _isReadNext = IsFull();
            Intake.Source? source = null;
            if (!_isReadNext) fetched = _intake.TryRead(_options.FetchBytesMax, out source);
            if (fetched is not null) await ProcessAsync(fetched, source!);
        }

        var hasMore = fetched is not null || isMoreDue;
        if (_unit.HasWork && (!hasMore || IsFull()) && _commits.HasRoom) Launch();
        _uncommitted.Hold(Bytes);
        if (hasMore && HasRoom()) await Task.Yield(); // partitions take turns on the scheduler
        else await WaitAsync();
    }

    /// <summary>
    /// Fires timers in order until none is due; true when some are left because records have to be read or a commit made first. The clock
    /// is read again at the end, so a timer that a firing set for a time already past still fires now.
    /// </summary>
    private async ValueTask<bool> FireDueTimersAsync()
    {
        if (_timers.First is null) return false;
        var now = _options.Time.GetUtcNow().UtcTicks;
        var fired = 0;
        while (_timers.First is { } timer)
        {
            if (timer.Due > now && timer.Due > (now = _options.Time.GetUtcNow().UtcTicks)) break;
            if (fired == _options.TimersPerRoundMax || IsFull())
            {
                _context.Meters.TimersFired(_processor.Name, fired);
                return true;
            }

            _timers.Remove(timer.Id);
            _state.Change(_unit, TimerQueue.Store, timer.Id, null);
            _unit.CountTimer();
            fired++;
            await _instance!.OnTimerAsync(new DueTimer(timer.Name, timer.Key, new DateTimeOffset(timer.Due, TimeSpan.Zero)), _abandon);
        }

        _loop.TimersPending = _timers.Count;
        if (fired > 0) _context.Meters.TimersFired(_processor.Name, fired);
        return false;
    }

    private async ValueTask ProcessAsync(FetchedRecords fetched, Intake.Source source)
    {
        using (fetched)
        {
            var records = CountOf(fetched);
            if (records == 0)
            {
                // Only the position moves: past what a log keeps between records, such as the marker of a transaction.
                _unit.CountBatch(source, 0, 0);
                source.NextOffset = fetched.NextOffset;
                return;
            }

            var call = _context.Meters.BeginProcess(_processor.Name, fetched.Source, records);
            try
            {
                await _instance!.ProcessAsync(fetched, _abandon);
            }
            catch (Exception failure)
            {
                call.End(failure);
                throw;
            }

            call.End(null);
            _unit.CountBatch(source, records, fetched.Batches.Length);
            source.NextOffset = fetched.NextOffset;
            _loop.TimersPending = _timers.Count;
        }
    }

    private void Launch()
    {
        _instance!.BeforeCommit();
        _unit.Seal(_intake.Positions());
        var sizes = _unit.Commit.Sizes(); // the next one's batches begin as large: they grow to about that, again and again
        _commits.Launch(_unit, _abandon);
        _loop.Launched(_commits.Count);
        _unit = new CommitUnit(_unit.Sequence + 1, sizes);
        _scope.Enter(_unit);
    }

    private void TakeDurable()
    {
        while (_commits.TryTake(out var durable))
        {
            _state.Uncover(durable);
            _loop.Committed(durable.PositionsAfter, _commits.Count);
            durable.Dispose();
        }

        _uncommitted.Hold(Bytes);
    }

    private async ValueTask WaitAsync()
    {
        if (HasRoom())
        {
            if (!_intake.TryWait(_end.Token)) return;
            if (!_alarm.TryArm(_timers.NextDue)) return;
            if (!_unit.HasWork && _commits.Count == 0) _loop.FallIdle(_timers.NextDue);
        }

        await _loop.Wake.WaitAsync();
        _loop.Awake();
    }

    /// <summary>The batch in hand is done; commits what is left and awaits all commits.</summary>
    private async ValueTask FinishAsync()
    {
        while (true)
        {
            _abandon.ThrowIfCancellationRequested();
            TakeDurable();
            if (_unit.HasWork && _commits.HasRoom) Launch();
            if (!_unit.HasWork && _commits.Count == 0) return;
            await _loop.Wake.WaitAsync();
        }
    }

    private async ValueTask DisposeInstanceAsync()
    {
        try
        {
            if (_instance is IAsyncDisposable asynchronous) await asynchronous.DisposeAsync();
            else if (_instance is IDisposable synchronous) synchronous.Dispose();
        }
        catch (Exception failure)
        {
            _context.Log.DisposeFailed(_processor.Name, _owned.Partition, failure);
        }
    }

    /// <summary>Whether the unit is to be committed though more is ready. After a failure each call is committed by itself, so that those
    /// before the
    /// failing one are done once and not with each restart.</summary>
    private bool IsFull() => _unit.HasWork
        && (_unit.Calls >= _options.CommitRecordsMax || _unit.Bytes >= _options.CommitBytesMax || _loop.IsRecovering);

    private bool HasRoom() => !IsFull()
        && (_commits.Count == 0 || Bytes < _options.UncommittedBytesMax)
        && (_unit.HasWork || _uncommitted.MayBegin());

    /// <summary>
    /// How many records were fetched, from the batches' headers. A batch that begins earlier than was asked counts from there.
    /// </summary>
    private static int CountOf(FetchedRecords fetched)
    {
        var count = 0L;
        var rest = fetched.Batches.Span;
        while (RecordBatchHeader.TryRead(rest, out var header))
        {
            if (!header.IsControl) count += header.Count;
            rest = rest[header.SizeBytes..];
        }

        return (int)Math.Min(count, fetched.NextOffset - fetched.FromOffset);
    }
}
