using System.Diagnostics;
using Millrace.Streams;
using Millrace.Streams.Definition;
using Millrace.Streams.Operators;

namespace Nexmark;

/// <summary>What a run has been asked for.</summary>
internal sealed record RunOptions
{
    public string Query { get; init; } = "q0";

    public long Events { get; init; } = 20_000_000;

    public int Parallelism { get; init; } = 2;

    /// <summary>Between checkpoints; null for none.</summary>
    public TimeSpan? Checkpoint { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Events a second of event time.</summary>
    public double Rate { get; init; } = 100_000;

    public long Seed { get; init; } = 1;

    public bool IsVerified { get; init; }

    /// <summary>Whether events come from the durable log, and what is kept is committed to it.</summary>
    public bool HasLog { get; init; }

    /// <summary>With the log: how many bytes of state stay in memory, the rest being in RocksDB; null for all of it.</summary>
    public long? StateBytesMax { get; init; }
}

/// <summary>
/// A thread with a generator and an instance of the whole topology. A checkpoint holds the generators, lets what is on its way arrive, and
/// then every worker writes what changed.
/// </summary>
internal sealed class Worker
{
    private const int PerTurn = 256, ParcelsMax = 64;
    private const long WatermarkEvery = 200, OutOfOrderness = 4_000;

    private readonly int _index;
    private readonly Generator _generator;
    private readonly Post _post;
    private readonly WorkerHost _host;
    private readonly SourceOperator<Event> _source;
    private readonly Event _event = new();
    private readonly Halt _halt;
    private long _next;
    private long _watermark = long.MinValue;
    private bool _hasEnded;

    public Worker(RunOptions options, StreamTopology topology, int index, IReadOnlyList<Worker> workers, Post post, Halt halt)
    {
        (_index, _post, _halt) = (index, post, halt);
        _generator = new Generator(options.Seed, options.Events, index, options.Parallelism, options.Rate);
        _host = new WorkerHost(index, options.Parallelism, workers, post);
        Instance = new TopologyInstance(topology, _host);
        _source = (SourceOperator<Event>)Instance.Sources[Queries.Source];
    }

    public TopologyInstance Instance { get; }

    /// <summary>Called when half of its events are made.</summary>
    public Action OnHalf { get; init; } = () => { };

    private bool IsDone => _hasEnded && Instance.Sources.Values.All(source => source.Watermark == long.MaxValue);

    public void Run()
    {
        while (true)
        {
            if (_halt.IsAsked) _halt.Take(this, _post, _index);
            var hasDelivered = _post.Deliver(_index);
            if (!_hasEnded && !IsAhead())
            {
                Make();
                continue;
            }

            if (hasDelivered) continue;
            if (IsDone)
            {
                _halt.Leave();
                return;
            }

            Thread.Yield();
        }
    }

    /// <summary>Sends what has gathered, so that it can arrive.</summary>
    public void Flush() => _host.Flushes.ForEach(flush => flush());

    private bool IsAhead()
    {
        for (var worker = 0; worker < _host.Count; worker++)
        {
            if (worker != _index && _post.WaitingFor(worker) > ParcelsMax) return true;
        }

        return false;
    }

    private void Make()
    {
        var end = Math.Min(_next + PerTurn, _generator.Size);
        var half = _generator.Size / 2;
        if (_next < half && end >= half) OnHalf();
        for (; _next < end; _next++)
        {
            _generator.Fill(_event, _next);
            var watermark = _event.Time - OutOfOrderness;
            if (watermark - WatermarkEvery >= _watermark)
            {
                if (_watermark != long.MinValue) _source.Advance(0, watermark);
                _watermark = watermark;
            }

            _source.Push(0, _event, _event.Time);
        }

        if (_next < _generator.Size) return;
        _hasEnded = true;
        _source.Advance(0, long.MaxValue);
    }
}

/// <summary>Makes all workers stand still at once.</summary>
internal sealed class Halt(int workers, string folder) : IDisposable
{
    private readonly FileState[] _files =
        [.. Enumerable.Range(0, workers).Select(worker => new FileState(Path.Combine(folder, $"worker-{worker}")))];

    private int _here;
    private int _left;
    private int _saved;
    private volatile bool _isAsked;
    private volatile int _round;

    public bool IsAsked => _isAsked;

    public int Checkpoints { get; private set; }

    /// <summary>Asks for a checkpoint, and waits until it is done or all have left.</summary>
    public void Ask()
    {
        (_here, _saved) = (0, 0);
        var round = _round;
        _isAsked = true;
        while (_round == round && Volatile.Read(ref _left) < workers) Thread.Sleep(1);
        if (_round != round) Checkpoints++;
        _isAsked = false;
    }

    public void Leave() => Interlocked.Increment(ref _left);

    public void Take(Worker worker, Post post, int index)
    {
        var round = _round;
        worker.Flush();
        Interlocked.Increment(ref _here);
        // Delivering may send again, so nothing is at rest before all are here and nothing is on its way.
        while (Volatile.Read(ref _here) + Volatile.Read(ref _left) < workers || post.OnTheWay > 0)
        {
            if (post.Deliver(index)) worker.Flush();
            else if (!_isAsked) return;
            else Thread.Yield();
        }

        worker.Instance.Save(_files[index]);
        _files[index].Sync();
        if (Interlocked.Increment(ref _saved) + Volatile.Read(ref _left) >= workers)
        {
            _isAsked = false;
            _round++;
        }

        while (_round == round && _isAsked) Thread.Yield();
    }

    public void Dispose()
    {
        foreach (var file in _files) file.Dispose();
    }
}

/// <summary>What a run gave.</summary>
internal sealed record RunResult(
    double WallSeconds, double CpuSeconds, double HalfWallSeconds, double HalfCpuSeconds,
    long Rows, ulong Checksum, int Checkpoints, long PeakBytes);

internal static class Run
{
    public static RunResult Of(RunOptions options)
    {
        var folder = Directory.CreateTempSubdirectory("nexmark-");
        try
        {
            return Of(options, folder.FullName);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static RunResult Of(RunOptions options, string folder)
    {
        var tally = new Tally();
        var topology = Queries.Build(options.Query, options.Parallelism, tally);
        var post = new Post(options.Parallelism);
        using var halt = new Halt(options.Parallelism, folder);
        var workers = new List<Worker>();
        var (halves, halfAt, halfCpu) = (0, 0L, TimeSpan.Zero);
        for (var index = 0; index < options.Parallelism; index++)
        {
            workers.Add(new Worker(options, topology, index, workers, post, halt)
            {
                OnHalf = () =>
                {
                    if (Interlocked.Increment(ref halves) < options.Parallelism) return;
                    (halfAt, halfCpu) = (Stopwatch.GetTimestamp(), Process.GetCurrentProcess().TotalProcessorTime);
                },
            });
        }

        var cpu = Process.GetCurrentProcess().TotalProcessorTime;
        var since = Stopwatch.GetTimestamp();
        var threads = workers.ConvertAll(worker => new Thread(worker.Run));
        threads.ForEach(thread => thread.Start());
        WaitFor(threads, halt, options.Checkpoint);
        var ended = Stopwatch.GetTimestamp();
        using var process = Process.GetCurrentProcess();
        var cpuEnd = process.TotalProcessorTime;
        return new RunResult(
            Stopwatch.GetElapsedTime(since, ended).TotalSeconds, (cpuEnd - cpu).TotalSeconds,
            Stopwatch.GetElapsedTime(halfAt, ended).TotalSeconds, (cpuEnd - halfCpu).TotalSeconds,
            tally.Rows, tally.Checksum, halt.Checkpoints, process.PeakWorkingSet64);
    }

    private static void WaitFor(List<Thread> threads, Halt halt, TimeSpan? checkpoint)
    {
        if (checkpoint is not { } every)
        {
            threads.ForEach(thread => thread.Join());
            return;
        }

        var last = Stopwatch.GetTimestamp();
        while (threads.Exists(thread => thread.IsAlive))
        {
            if (threads[0].Join(TimeSpan.FromMilliseconds(20)) && threads.TrueForAll(thread => !thread.IsAlive)) return;
            if (Stopwatch.GetElapsedTime(last) < every) continue;
            last = Stopwatch.GetTimestamp();
            halt.Ask();
        }
    }
}
