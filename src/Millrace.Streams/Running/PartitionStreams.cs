using Millrace.Streams.Definition;
using Millrace.Streams.Operators;

namespace Millrace.Streams.Running;

/// <summary>
/// A stage of a topology on one partition: records go through its chains, and what operators keep becomes state before each commit. One
/// timer of the runtime serves all that waits for the clock.
/// </summary>
internal sealed class PartitionStreams : IPartitionProcessor, IDisposable
{
    private const string Clock = "clock";

    private readonly StageRun _run;
    private readonly ProcessorScope _scope;
    private readonly TopologyInstance _instance;
    private readonly DeadLetterGuard _guard;
    private readonly StageCounts _counted;
    private long _armedFor = long.MaxValue;
    private SourceOperator? _fed; // whose records are in hand, since when
    private long _begun;

    public PartitionStreams(StageRun run, ProcessorScope scope)
    {
        _run = run;
        _scope = scope;
        _guard = new DeadLetterGuard(scope, run.Condemned);
        _instance = new TopologyInstance(run.Topology, new ScopeHost(run, scope));
        _instance.Restore(new ScopeState(scope));
        _counted = new StageCounts(run.Meter, run.Stage.Name, _instance, _guard);
        Align();
        Arm();
        Show();
        run.State.Join();
    }

    public ValueTask ProcessAsync(FetchedRecords records, CancellationToken cancellation)
    {
        _instance.Host.Tick();
        _guard.Begin(records);
        _fed = _instance.Sources[records.Source.Topic];
        _begun = _instance.Host.Now;
        _fed.Feed(records, _guard);
        return AfterCallAsync(cancellation);
    }

    public ValueTask OnTimerAsync(DueTimer timer, CancellationToken cancellation)
    {
        _armedFor = long.MaxValue;
        _instance.Host.Tick();
        _instance.AdvanceClock(_instance.Host.Now);
        return AfterCallAsync(cancellation);
    }

    public void BeforeCommit()
    {
        _instance.Host.Tick();
        _instance.Save(new ScopeState(_scope));
    }

    public void Dispose()
    {
        foreach (var source in _instance.Sources.Values)
        {
            if (source.Alignment is { } alignment) _run.Alignments[alignment.Group].Leave(source);
        }

        _run.Hide(_scope.Partition, this);
        _run.State.Leave();
    }

    private ValueTask AfterCallAsync(CancellationToken cancellation)
    {
        if (_instance.HasDeferred) return CompleteAsync(cancellation);
        AfterCall();
        return ValueTask.CompletedTask;
    }

    private async ValueTask CompleteAsync(CancellationToken cancellation)
    {
        await _instance.CompleteAsync(_guard, cancellation);
        AfterCall();
    }

    private void AfterCall()
    {
        if (_fed is not null)
        {
            _instance.Host.Tick();
            _fed.Heard(_begun, _instance.Host.Now);
            _fed = null;
        }

        Align();
        Arm();
        _counted.Count();
        Show();
    }

    /// <summary>Tells where sources that are to stay with others are, and holds those that are too far ahead.</summary>
    private void Align()
    {
        foreach (var (topic, source) in _instance.Sources)
        {
            if (source.Alignment is not { } alignment) continue;
            var hold = _run.Alignments[alignment.Group].Report(
                source, source.Watermark, source.IsActive, EventTime.Milliseconds(alignment.MaxDrift));
            if (hold is null) continue;
            if (hold != source.HeldUntil) source.Counts.Held++;
            source.HeldUntil = hold;
            _scope.Hold(topic, hold);
        }
    }

    /// <summary>A setting that is too early costs a firing, one that is too late a result: so it only ever moves forward in
    /// firing.</summary>
    private void Arm()
    {
        var due = _instance.NextDue;
        if (due >= _armedFor) return;
        _armedFor = due;
        _scope.SetTimer(Clock, [], DateTimeOffset.FromUnixTimeMilliseconds(Math.Min(due, TimeMax)));
    }

    private static long TimeMax { get; } = DateTimeOffset.MaxValue.ToUnixTimeMilliseconds();

    private void Show() => _run.Show(_scope.Partition, this, StatusView.Of(_instance));
}
