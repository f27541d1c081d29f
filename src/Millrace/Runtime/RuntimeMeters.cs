using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Globalization;

namespace Millrace;

/// <summary>The runtime's instruments and activities. Thread safe; each is measured once per batch or commit.</summary>
internal sealed class RuntimeMeters : IDisposable
{
    private static readonly ActivitySource Activities = new(TelemetryNames.ActivitySource);

    private readonly TimeProvider _time;
    private readonly Meter? _ownMeter;
    private readonly Histogram<double> _processDuration;
    private readonly Counter<long> _consumed;
    private readonly Counter<long> _sent;
    private readonly Counter<long> _commits;
    private readonly Histogram<double> _commitDuration;
    private readonly UpDownCounter<long> _commitsInFlight;
    private readonly Counter<long> _restarts;
    private readonly Counter<long> _timersFired;

    /// <param name="options">The clock, and where the meter comes from.</param>
    /// <param name="lags">Asked when lags are collected.</param>
    /// <param name="timers">Asked when pending timers are collected.</param>
    public RuntimeMeters(
        ProcessorRuntimeOptions options, Func<IEnumerable<Measurement<long>>> lags, Func<IEnumerable<Measurement<long>>> timers)
    {
        _time = options.Time;
        if (options.MeterFactory is null) _ownMeter = new Meter(TelemetryNames.Meter);
        var meter = _ownMeter ?? options.MeterFactory!.Create(TelemetryNames.Meter);
        _processDuration = meter.CreateHistogram<double>(TelemetryNames.ProcessDuration, "s", "Duration of one call of a processor.");
        _consumed = meter.CreateCounter<long>(TelemetryNames.ConsumedMessages, "{message}", "Records given to processors.");
        _sent = meter.CreateCounter<long>(TelemetryNames.SentMessages, "{message}", "Records said by processors and durable.");
        _commits = meter.CreateCounter<long>(TelemetryNames.Commits, "{commit}", "Commits of processors.");
        _commitDuration = meter.CreateHistogram<double>(TelemetryNames.CommitDuration, "s", "From the call of a commit to its durability.");
        _commitsInFlight = meter.CreateUpDownCounter<long>(TelemetryNames.CommitsInFlight, "{commit}", "Commits under way.");
        _restarts = meter.CreateCounter<long>(TelemetryNames.Restarts, "{restart}", "Restarts of partitions after a failure.");
        _timersFired = meter.CreateCounter<long>(TelemetryNames.TimersFired, "{timer}", "Timers that fired.");
        meter.CreateObservableGauge(TelemetryNames.Lag, lags, "{message}", "Records between the committed position and the end.");
        meter.CreateObservableGauge(TelemetryNames.Timers, timers, "{timer}", "Timers pending.");
    }

    public static TagList Tags(string processor) =>
        [new(TelemetryNames.System, TelemetryNames.SystemMillrace), new(TelemetryNames.ConsumerGroup, processor)];

    public static TagList Tags(string processor, TopicPartition source)
    {
        var tags = Tags(processor);
        tags.Add(TelemetryNames.Destination, source.Topic);
        tags.Add(TelemetryNames.DestinationPartition, source.Partition.ToString(CultureInfo.InvariantCulture));
        return tags;
    }

    public ProcessCall BeginProcess(string processor, TopicPartition source, int records)
    {
        var activity = Activities.HasListeners() ? Activities.StartActivity($"process {source.Topic}", ActivityKind.Consumer) : null;
        activity?.SetTag(TelemetryNames.System, TelemetryNames.SystemMillrace)
            .SetTag(TelemetryNames.OperationType, TelemetryNames.OperationProcess)
            .SetTag(TelemetryNames.OperationName, TelemetryNames.OperationProcess)
            .SetTag(TelemetryNames.Destination, source.Topic)
            .SetTag(TelemetryNames.DestinationPartition, source.Partition.ToString(CultureInfo.InvariantCulture))
            .SetTag(TelemetryNames.ConsumerGroup, processor)
            .SetTag(TelemetryNames.BatchMessageCount, records);
        if (_consumed.Enabled)
        {
            var tags = Tags(processor, source);
            tags.Add(TelemetryNames.OperationName, TelemetryNames.OperationProcess);
            _consumed.Add(records, tags);
        }

        return new ProcessCall(this, processor, source, activity);
    }

    public void CommitLaunched(string processor) => _commitsInFlight.Add(1, Tags(processor));

    public void CommitDone(string processor, CommitUnit unit, Exception? failure)
    {
        _commitsInFlight.Add(-1, Tags(processor));
        var tags = Tags(processor);
        tags.Add(TelemetryNames.Outcome, failure is null ? "committed" : "failed");
        if (failure is not null) tags.Add(TelemetryNames.ErrorType, TypeOf(failure));
        _commits.Add(1, tags);
        if (_commitDuration.Enabled) _commitDuration.Record(_time.GetElapsedTime(unit.LaunchedAt).TotalSeconds, tags);
        if (failure is not null || !_sent.Enabled) return;
        foreach (var batch in unit.Commit.Batches)
        {
            var sent = Tags(processor, batch.Target);
            sent.Add(TelemetryNames.OperationName, TelemetryNames.OperationSend);
            _sent.Add(batch.Records.Count, sent);
        }
    }

    public void Restarted(string processor, Exception failure)
    {
        var tags = Tags(processor);
        tags.Add(TelemetryNames.ErrorType, TypeOf(failure));
        _restarts.Add(1, tags);
    }

    public void TimersFired(string processor, int count) => _timersFired.Add(count, Tags(processor));

    /// <summary>A meter made by a factory is the factory's to dispose.</summary>
    public void Dispose() => _ownMeter?.Dispose();

    private static string TypeOf(Exception failure) =>
        failure is MillraceException known ? known.Code : failure.GetType().FullName ?? "_OTHER";

    /// <summary>One call of a processor under way.</summary>
    internal readonly struct ProcessCall(RuntimeMeters meters, string processor, TopicPartition source, Activity? activity)
    {
        private readonly long _startedAt = meters._time.GetTimestamp();

        public void End(Exception? failure)
        {
            if (activity is not null)
            {
                if (failure is not null) activity.SetStatus(ActivityStatusCode.Error).SetTag(TelemetryNames.ErrorType, TypeOf(failure));
                activity.Dispose();
            }

            if (!meters._processDuration.Enabled) return;
            var tags = Tags(processor, source);
            tags.Add(TelemetryNames.OperationName, TelemetryNames.OperationProcess);
            tags.Add(TelemetryNames.OperationType, TelemetryNames.OperationProcess);
            if (failure is not null) tags.Add(TelemetryNames.ErrorType, TypeOf(failure));
            meters._processDuration.Record(meters._time.GetElapsedTime(_startedAt).TotalSeconds, tags);
        }
    }
}
