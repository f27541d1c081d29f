using System.Diagnostics;
using System.Diagnostics.Metrics;
using Millrace.Streams.Definition;

namespace Millrace.Streams.Running;

/// <summary>A topology's counters. Thread safe.</summary>
internal sealed class StreamsMeter : IDisposable
{
    private readonly Meter _meter;
    private readonly bool _isOwn;

    public StreamsMeter(IMeterFactory? factory)
    {
        _isOwn = factory is null;
        _meter = factory?.Create(TelemetryNames.Meter) ?? new Meter(TelemetryNames.Meter);
        Late = _meter.CreateCounter<long>(StreamsTelemetryNames.Late, "{record}", "Records that were late for each of their windows.");
        Keyless = _meter.CreateCounter<long>(StreamsTelemetryNames.Keyless, "{record}", "Records that were left out as they have no key.");
        DeadLetters = _meter.CreateCounter<long>(
            StreamsTelemetryNames.DeadLetters, "{record}", "Records that could not be read or worked on.");
        AlignmentHolds = _meter.CreateCounter<long>(
            StreamsTelemetryNames.AlignmentHolds, "{hold}", "How often a source's partition was held as it ran ahead.");
        LookupRetries = _meter.CreateCounter<long>(
            StreamsTelemetryNames.LookupRetries, "{lookup}", "Lookups that failed and were tried again.");
        TableRefused = _meter.CreateCounter<long>(
            StreamsTelemetryNames.TableRefused, "{record}", "Records of global tables that cannot be read.");
    }

    public Counter<long> Late { get; }

    public Counter<long> Keyless { get; }

    public Counter<long> DeadLetters { get; }

    public Counter<long> AlignmentHolds { get; }

    public Counter<long> LookupRetries { get; }

    public Counter<long> TableRefused { get; }

    public void Dispose()
    {
        if (_isOwn) _meter.Dispose();
    }
}

/// <summary>Counts what an instance has added since the last time.</summary>
internal sealed class StageCounts(StreamsMeter meter, string stage, TopologyInstance instance, DeadLetterGuard guard)
{
    private readonly TagList _tags = new() { { TelemetryNames.ConsumerGroup, stage } };

    private long _late;
    private long _keyless;
    private long _deadLetters;
    private long _retried;
    private long _held;

    public void Count()
    {
        var (late, keyless, retried, held) = (0L, 0L, 0L, 0L);
        foreach (var (_, one) in instance.Operators)
        {
            late += one.Counts.Late;
            keyless += one.Counts.Keyless;
            held += one.Counts.Held;
            retried += Interlocked.Read(ref one.Counts.Retried);
        }

        Add(meter.Late, late, ref _late);
        Add(meter.Keyless, keyless, ref _keyless);
        Add(meter.AlignmentHolds, held, ref _held);
        Add(meter.LookupRetries, retried, ref _retried);
        Add(meter.DeadLetters, guard.Count, ref _deadLetters);
    }

    private void Add(Counter<long> counter, long now, ref long before)
    {
        if (now > before) counter.Add(now - before, _tags);
        before = now;
    }
}
