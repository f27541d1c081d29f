using System.Diagnostics;
using System.Diagnostics.Metrics;
using Millrace.Contract;
using static Millrace.Tests.Runtime.RuntimeRig;

namespace Millrace.Tests.Runtime;

/// <summary>Status, metrics and activities.</summary>
public sealed class TelemetryTests
{
    [Fact]
    public async Task A_status_tells_position_lag_restarts_and_timers()
    {
        await using var rig = await OpenAsync(2, "in");
        var (release, entered) = (new TaskCompletionSource(), new TaskCompletionSource());
        await rig.AppendAsync("in", 0, "a", "b", "c");
        await using var runtime = await rig.StartAsync(Scripted.Define("status", "in", scope => new Scripted
        {
            OnRecords = async (_, _) =>
            {
                entered.TrySetResult();
                await release.Task;
                scope.SetTimer("t", "k"u8, scope.Time.GetUtcNow().AddDays(1));
            },
        }));
        await entered.Task.WaitAsync(rig.Cancellation);
        await runtime.WaitUntilAsync(statuses => statuses[0].State == ProcessorState.Running, rig.Cancellation); // the other partition, too

        var during = runtime.Statuses[0];
        release.SetResult();
        await runtime.WaitUntilIdleAsync(rig.Cancellation);
        var after = runtime.Statuses[0];

        Assert.Equal(("status", ProcessorState.Running, 2), (during.Processor, during.State, during.Partitions.Count));
        Assert.Equal((0L, 3L, 0), (during.Partitions[0].Positions[0].NextOffset, during.Partitions[0].Lag, during.Partitions[0].Timers));
        Assert.Equal((3L, 0L, 1), (after.Partitions[0].Positions[0].NextOffset, after.Partitions[0].Lag, after.Partitions[0].Timers));
        Assert.Equal((0, 0), (after.Partitions[0].Restarts, after.Partitions[0].CommitsInFlight));
        Assert.Null(after.Failure);
    }

    [Fact]
    public async Task Instruments_measure_batches_commits_restarts_and_timers()
    {
        await using var rig = await OpenAsync(1, "in", "out");
        using var factory = new MeterFactory();
        using var heard = new Heard(factory);
        var hasFailed = false;
        var processor = Scripted.Define("measured", "in", scope => new Scripted
        {
            OnRecords = (fetched, _) =>
            {
                if (!hasFailed)
                {
                    hasFailed = true;
                    throw new InvalidOperationException("Once.");
                }

                foreach (var text in Texts(fetched)) Scripted.Count(scope, "out", text);
                scope.SetTimer("t", "k"u8, scope.Time.GetUtcNow());
                scope.SetTimer("later", "k"u8, scope.Time.GetUtcNow().AddDays(1));
                return ValueTask.CompletedTask;
            },
        });
        await rig.AppendAsync("in", 0, "a", "b", "c");
        await using var runtime = rig.Runtime(rig.Options with { MeterFactory = factory }, processor);
        await runtime.StartAsync(rig.Cancellation);
        await runtime.WaitUntilAsync(statuses => statuses[0].State == ProcessorState.BackingOff, rig.Cancellation);
        rig.Time.Advance(TimeSpan.FromMinutes(1));
        await runtime.WaitUntilIdleAsync(rig.Cancellation);

        heard.Collect();

        Assert.Equal(6, heard.Sum(TelemetryNames.ConsumedMessages));
        Assert.Equal(3, heard.Sum(TelemetryNames.SentMessages));
        Assert.Equal(1, heard.Sum(TelemetryNames.Restarts));
        Assert.Equal(1, heard.Sum(TelemetryNames.TimersFired));
        Assert.Equal(0, heard.Sum(TelemetryNames.CommitsInFlight));
        Assert.Equal(0, heard.Sum(TelemetryNames.Lag));
        Assert.Equal(1, heard.Sum(TelemetryNames.Timers));
        Assert.Equal(2, heard.Count(TelemetryNames.ProcessDuration));
        Assert.Equal(heard.Sum(TelemetryNames.Commits), heard.Count(TelemetryNames.CommitDuration));
        Assert.Contains(("messaging.system", "millrace"), heard.Tags(TelemetryNames.ConsumedMessages));
        Assert.Contains(("messaging.destination.name", "in"), heard.Tags(TelemetryNames.ConsumedMessages));
        Assert.Contains(("messaging.consumer.group.name", "measured"), heard.Tags(TelemetryNames.ConsumedMessages));
        Assert.Contains(("messaging.operation.type", "process"), heard.Tags(TelemetryNames.ProcessDuration));
        Assert.Contains(("error.type", "System.InvalidOperationException"), heard.Tags(TelemetryNames.ProcessDuration));
        Assert.Contains(("messaging.destination.name", "out"), heard.Tags(TelemetryNames.SentMessages));
    }

    [Fact]
    public async Task Each_call_is_an_activity_under_its_topic()
    {
        await using var rig = await OpenAsync(1, "traced-in");
        var activities = new List<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == TelemetryNames.ActivitySource,
            Sample = (ref _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = activity =>
            {
                lock (activities) activities.Add(activity);
            },
        };
        ActivitySource.AddActivityListener(listener);
        await rig.AppendAsync("traced-in", 0, "a", "b");

        await rig.RunUntilIdleAsync(Scripted.ForEach("traced", "traced-in", (_, _) => { }));

        Activity activity;
        lock (activities) activity = Assert.Single(activities, a => a.OperationName == "process traced-in");
        Assert.Equal(ActivityKind.Consumer, activity.Kind);
        Assert.Equal(2, activity.GetTagItem("messaging.batch.message_count"));
        Assert.Equal("traced", activity.GetTagItem("messaging.consumer.group.name"));
    }

    private sealed class MeterFactory : IMeterFactory
    {
        private readonly List<Meter> _meters = [];

        public Meter Create(MeterOptions options)
        {
            options.Scope = this;
            var meter = new Meter(options);
            _meters.Add(meter);
            return meter;
        }

        public void Dispose() => _meters.ForEach(meter => meter.Dispose());
    }

    /// <summary>What the meters of one factory measured.</summary>
    private sealed class Heard : IDisposable
    {
        private readonly MeterListener _listener = new();
        private readonly List<(string Name, double Value, (string, string)[] Tags)> _measured = [];

        public Heard(MeterFactory factory)
        {
            _listener.InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter.Scope == factory && instrument.Meter.Name == TelemetryNames.Meter) listener.EnableMeasurementEvents(instrument);
            };
            _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Add(instrument.Name, value, tags));
            _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Add(instrument.Name, value, tags));
            _listener.Start();
        }

        public void Collect() => _listener.RecordObservableInstruments();

        public double Sum(string name)
        {
            lock (_measured) return _measured.Where(m => m.Name == name).Sum(m => m.Value);
        }

        public int Count(string name)
        {
            lock (_measured) return _measured.Count(m => m.Name == name);
        }

        public IEnumerable<(string, string)> Tags(string name)
        {
            lock (_measured) return [.. _measured.Where(m => m.Name == name).SelectMany(m => m.Tags)];
        }

        public void Dispose() => _listener.Dispose();

        private void Add(string name, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            var kept = new List<(string, string)>();
            foreach (var tag in tags) kept.Add((tag.Key, $"{tag.Value}"));
            lock (_measured) _measured.Add((name, value, [.. kept]));
        }
    }
}
