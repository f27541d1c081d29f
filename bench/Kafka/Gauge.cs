using System.Diagnostics;

namespace KafkaFigures;

/// <summary>What a piece of work took: by the clock, and in processor time of this process and of the broker.</summary>
internal readonly record struct Cost(double Seconds, double ProcessorSeconds, double BrokerSeconds);

/// <summary>
/// Measures one piece of work, from its first record on: joining a group and connecting are not part of it on any side. Beginning is thread
/// safe, and only the first one counts.
/// </summary>
internal sealed class Gauge : IDisposable
{
    private readonly Process _here = Process.GetCurrentProcess();
    private readonly Process? _broker;
    private int _isBegun;
    private long _since;
    private (TimeSpan Here, TimeSpan Broker) _before;

    /// <param name="broker">The broker's process id; null when no broker takes part.</param>
    public Gauge(int? broker)
    {
        _broker = broker is { } id ? Process.GetProcessById(id) : null;
        GC.Collect(); // what the side before left is not this one's to clear away
    }

    public void Begin()
    {
        if (_isBegun != 0 || Interlocked.Exchange(ref _isBegun, 1) != 0) return;
        _before = Used();
        _since = Stopwatch.GetTimestamp();
    }

    public Cost End()
    {
        var seconds = Stopwatch.GetElapsedTime(_since).TotalSeconds;
        var after = Used();
        return new Cost(seconds, (after.Here - _before.Here).TotalSeconds, (after.Broker - _before.Broker).TotalSeconds);
    }

    public void Dispose()
    {
        _here.Dispose();
        _broker?.Dispose();
    }

    private (TimeSpan Here, TimeSpan Broker) Used()
    {
        _here.Refresh();
        _broker?.Refresh();
        return (_here.TotalProcessorTime, _broker?.TotalProcessorTime ?? TimeSpan.Zero);
    }
}
