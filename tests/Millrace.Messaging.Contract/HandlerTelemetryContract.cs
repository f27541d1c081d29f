using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Millrace.Messaging.Contract;

public abstract class HandlerTelemetryContract : HandlerContract
{
    [Fact]
    public async Task Everything_that_happens_is_counted()
    {
        await using var rig = await OpenAsync();
        var sums = new ConcurrentDictionary<string, double>();
        var tags = new ConcurrentDictionary<string, string?>();
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (instrument.Meter.Name == TelemetryNames.Meter && instrument.Name.StartsWith("millrace.handlers.", StringComparison.Ordinal))
                l.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, given, _) => Add(instrument, value, given));
        listener.SetMeasurementEventCallback<double>((instrument, _, given, _) => Add(instrument, 1, given));
        listener.Start();
        await rig.PublishAsync(("1", new Placed("a", 1m)), ("2", new Placed("b", 1m)), ("2", new Placed("b", 1m)), ("3", new Placed("c", 1m)));

        await rig.HandleAllAsync(rig.Define(
            h => h.Handle((Placed placed) => { if (placed.Order == "a") throw new InvalidOperationException(); }), name: "counted"));

        Assert.Equal(2, sums[HandlerTelemetryNames.Handled]);
        Assert.Equal(1, sums[HandlerTelemetryNames.Duplicates]);
        Assert.Equal(2, sums[HandlerTelemetryNames.Retries]);
        Assert.Equal(1, sums[HandlerTelemetryNames.DeadLetters]);
        Assert.Equal(5, sums[HandlerTelemetryNames.Duration]);
        Assert.Equal(rig.Name("orders"), tags[TelemetryNames.Destination]);

        void Add(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> given)
        {
            var isOurs = false;
            foreach (var (key, text) in given) isOurs |= key == TelemetryNames.ConsumerGroup && (text as string) == rig.Name("counted");
            if (!isOurs) return;
            foreach (var (key, text) in given) tags[key] = text as string;
            sums.AddOrUpdate(instrument.Name, value, (_, sum) => sum + value);
        }
    }

    [Fact]
    public async Task Each_attempt_is_an_activity_within_the_events_trace_and_the_cause_of_what_is_said()
    {
        const string TraceId = "4bf92f3577b34da6a3ce929d0e0e4736";
        await using var rig = await OpenAsync();
        var stopped = new ConcurrentQueue<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == TelemetryNames.ActivitySource,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = activity =>
            {
                if (Equals(activity.GetTagItem(HandlerTelemetryNames.EventId), "traced")) stopped.Enqueue(activity);
            },
        };
        ActivitySource.AddActivityListener(listener);
        await rig.AppendAsync(b => EventCodec.Write(
            new CloudEvent
            {
                Id = "traced",
                Source = "/else",
                Type = "test.placed",
                TraceParent = $"00-{TraceId}-00f067aa0ba902b7-01",
                Data = """{"Order":"a","Amount":1}"""u8.ToArray(),
            },
            EventMode.Structured, "a"u8, 0, b));
        Activity? inside = null;

        await rig.HandleAllAsync(rig.Define(h => h.Handle(async Task<Paid> (Placed placed, MessageContext context) =>
        {
            await Task.Yield();
            inside = Activity.Current;
            if (context.Attempt == 1) throw new InvalidOperationException();
            return new Paid(placed.Order, 1m);
        })));

        var attempts = stopped.ToArray();
        Assert.Equal(2, attempts.Length);
        Assert.All(attempts, a => Assert.Equal((TraceId, "00f067aa0ba902b7"), (a.TraceId.ToString(), a.ParentSpanId.ToString())));
        Assert.Equal(ActivityStatusCode.Error, attempts[0].Status);
        Assert.Equal(ActivityStatusCode.Unset, attempts[1].Status);
        Assert.Same(attempts[1], inside);
        Assert.Equal(attempts[1].Id, Assert.Single(await rig.EventsOfAsync("payments")).TraceParent);
    }

    [Fact]
    public async Task Without_a_listener_the_trace_context_passes_through()
    {
        const string TraceParent = "00-aaf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        await using var rig = await OpenAsync();
        await rig.AppendAsync(b => EventCodec.Write(
            new CloudEvent
            {
                Id = "1", Source = "/else", Type = "test.placed", TraceParent = TraceParent, Data = """{"Order":"a","Amount":1}"""u8.ToArray(),
            },
            EventMode.Structured, "a"u8, 0, b));

        await rig.HandleAllAsync(rig.Define(h => h.Handle((Placed placed) => new Paid(placed.Order, 1m))));

        Assert.Equal(TraceParent[3..35], Assert.Single(await rig.EventsOfAsync("payments")).TraceParent![3..35]);
    }
}
