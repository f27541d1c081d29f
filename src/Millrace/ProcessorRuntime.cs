using System.Diagnostics.Metrics;
using System.Globalization;
using Microsoft.Extensions.Logging;

namespace Millrace;

/// <summary>
/// Runs processors on an engine. It joins their groups, restores the state of each partition that it gets, and then reads, processes and
/// commits: one loop per partition, in order, exactly once. What failed starts again from its last commit after a pause, while others go
/// on. It owns all of this work: when <see cref="StopAsync"/> has returned, nothing of it runs any more. Thread safe. It does not own the
/// engine.
/// </summary>
public sealed class ProcessorRuntime : IAsyncDisposable
{
    private readonly IReadOnlyList<Processor> _processors;
    private readonly ProcessorRuntimeOptions _options;
    private readonly RuntimeContext _context;
    private readonly ProcessorMember[] _members;
    private readonly CancellationTokenSource _abandon = new();
    private readonly Lock _gate = new(); // guards _starting and _stopping
    private Task? _starting;
    private Task? _stopping;

    /// <summary>Makes a runtime; nothing happens before <see cref="StartAsync"/>.</summary>
    /// <param name="engine">The engine, which must outlive the runtime.</param>
    /// <param name="processors">The processors, each with a name of its own.</param>
    /// <param name="options">How to work; the defaults when null.</param>
    /// <exception cref="ArgumentException">An option breaks its limit, a processor has no name or topic, its name is another's, or it needs
    /// state on disk and the engine has none.</exception>
    public ProcessorRuntime(Engine engine, IReadOnlyList<Processor> processors, ProcessorRuntimeOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(engine);
        ArgumentNullException.ThrowIfNull(processors);
        _options = options ?? new ProcessorRuntimeOptions();
        _options.Validate();
        _processors = [.. processors];
        Validate(_processors, engine.Capabilities);
        _context = new RuntimeContext
        {
            Engine = engine,
            Options = _options,
            Topics = new TopicDirectory(engine),
            Meters = new RuntimeMeters(_options, MeasureLags, MeasureTimers),
            Watch = new RuntimeWatch(),
            Log = _options.LoggerFactory.CreateLogger<ProcessorRuntime>(),
        };
        _members = [.. _processors.Select(processor => new ProcessorMember(processor, _context))];
    }

    /// <summary>What each processor is doing now, in the order in which they were given.</summary>
    public IReadOnlyList<ProcessorStatus> Statuses => [.. _members.Select(member => member.Status())];

    /// <summary>
    /// Creates the processors' companion topics, joins the groups and starts the loops; returns when all groups are joined. When one cannot
    /// be joined, nothing is left running.
    /// </summary>
    /// <exception cref="MillraceException">A topic is missing (<see cref="FailureCodes.TopicNotFound"/>), or the engine failed.</exception>
    /// <exception cref="ArgumentException">A processor's topics break a rule of its group, such as unequal partition counts with
    /// state.</exception>
    /// <exception cref="InvalidOperationException">It was started or stopped before.</exception>
    public async ValueTask StartAsync(CancellationToken cancellation = default)
    {
        Task starting;
        lock (_gate)
        {
            if (_starting is not null || _stopping is not null)
                throw new InvalidOperationException("A runtime is started once; make another one.");
            starting = _starting = _context.Start(() => JoinAllAsync(cancellation));
        }

        try
        {
            await starting;
        }
        catch
        {
            await StopAsync(CancellationToken.None);
            throw;
        }

        _context.Log.Started(_members.Length);
    }

    /// <summary>
    /// Stops: nothing more is read, batches in hand are finished and committed, partitions given up, groups left. What is not done by <see
    /// cref="ProcessorRuntimeOptions.StopDeadline"/>, or when the token is cancelled, is cancelled and will be processed again by whoever
    /// gets the partition. Called again, it awaits the same stop.
    /// </summary>
    public async ValueTask StopAsync(CancellationToken cancellation = default)
    {
        Task stopping;
        lock (_gate)
        {
            if (_stopping is null)
            {
                // The deadline runs from the call, before the scheduler gets to it.
                var deadline = new CancellationTokenSource(_options.StopDeadline, _options.Time);
                var grace = new CancellationTokenSource(Timeout.InfiniteTimeSpan, _options.Time);
                var starting = _starting ?? Task.CompletedTask;
                _stopping = _context.Start(() => StopAllAsync(starting, deadline, grace));
            }

            stopping = _stopping;
        }

        await using var registration = cancellation.Register(_abandon.Cancel);
        await stopping;
    }

    /// <summary>
    /// Completes when the processors have nothing left to do: at one moment, for every partition that this runtime owns, all records of the
    /// processor's topics are processed and committed, including those that processors said to one another, no commit is under way and no
    /// timer is due. Timers that are due later do not count, nor do partitions that other members own; it waits until each group has said
    /// what this runtime owns, and a processor that has not been given a partition yet counts while its group has lag. It waits for as long
    /// as a partition fails and starts again, or the engine cannot be asked.
    /// </summary>
    /// <exception cref="MillraceException">A processor failed for good, or the runtime stopped (<see
    /// cref="FailureCodes.Stopped"/>).</exception>
    /// <exception cref="InvalidOperationException">It was not started.</exception>
    public async ValueTask WaitUntilIdleAsync(CancellationToken cancellation = default)
    {
        await DemandStarted();
        while (true)
        {
            var change = _context.Watch.NextChange();
            DemandRunning();
            try
            {
                if (await IsIdleAsync(cancellation)) return;
            }
            catch (MillraceException failure) when (failure.IsTransient)
            {
                // The engine has tried for as long as it does. It is asked again at once: no change may come by which to wait.
                continue;
            }

            await change.WaitAsync(cancellation);
        }
    }

    /// <summary>
    /// Completes when a condition on the statuses holds. It is looked at now and after each change of a state or of the assignment, and
    /// whenever a partition has run out of work; nothing polls.
    /// </summary>
    public async ValueTask WaitUntilAsync(Func<IReadOnlyList<ProcessorStatus>, bool> condition, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(condition);
        while (true)
        {
            var change = _context.Watch.NextChange();
            if (condition(Statuses)) return;
            await change.WaitAsync(cancellation);
        }
    }

    /// <summary>Stops, if that is not done.</summary>
    public ValueTask DisposeAsync() => StopAsync(CancellationToken.None);

    private async Task JoinAllAsync(CancellationToken cancellation)
    {
        foreach (var processor in _processors) await EnsureCompanionsAsync(processor, cancellation);
        foreach (var processor in _processors) await DemandGlobalsAsync(processor, cancellation);
        await _context.Topics.RefreshAsync(cancellation);
        foreach (var member in _members) await member.StartAsync(cancellation);
    }

    private async ValueTask EnsureCompanionsAsync(Processor processor, CancellationToken cancellation)
    {
        foreach (var companion in processor.Companions)
        {
            var topic = await _context.Engine.FindTopicAsync(companion.Of, cancellation);
            if (topic is null)
            {
                throw new MillraceException(FailureCodes.TopicNotFound,
                    $"Topic '{companion.Of}', which '{companion.Name}' of processor '{processor.Name}' goes with, does not exist.");
            }

            var like = new TopicSpecification { Name = companion.Name, Partitions = topic.Partitions.Count, Durability = topic.Durability };
            await _context.Engine.EnsureTopicAsync(like, cancellation);
        }
    }

    private async ValueTask DemandGlobalsAsync(Processor processor, CancellationToken cancellation)
    {
        foreach (var global in processor.GlobalTopics)
        {
            if (await _context.Engine.FindTopicAsync(global.Name, cancellation) is not null) continue;
            throw new MillraceException(FailureCodes.TopicNotFound,
                $"Topic '{global.Name}', which processor '{processor.Name}' has whole, does not exist. Create it before the start.");
        }
    }

    private async Task StopAllAsync(Task starting, CancellationTokenSource deadline, CancellationTokenSource grace)
    {
        using var deadlineOwner = deadline;
        using var graceOwner = grace;
        await Task.WhenAny(starting); // whatever a start that failed threw is its caller's
        await using var passed = deadline.Token.Register(() =>
        {
            _context.Log.StopDeadlinePassed(_options.StopDeadline);
            _abandon.Cancel();
        });
        await using var abandoned = _abandon.Token.Register(() =>
        {
            foreach (var member in _members) member.Abandon();
            grace.CancelAfter(_options.CancelGrace);
        });

        try
        {
            await Task.WhenAll(_members.Select(member => member.DrainAsync())).WaitAsync(grace.Token);
        }
        catch (OperationCanceledException) when (grace.IsCancellationRequested)
        {
            _context.Log.LeftBehind(_options.CancelGrace);
        }

        foreach (var member in _members) await member.LeaveAsync();
        _context.Meters.Dispose();
        _context.Watch.Changed();
        _context.Log.Stopped();
    }

    private Task DemandStarted()
    {
        lock (_gate) return _starting ?? throw new InvalidOperationException("The runtime is not started.");
    }

    private void DemandRunning()
    {
        foreach (var member in _members)
        {
            if (member.EngineFailure is { } failure)
                throw new MillraceException(FailureCodes.Stopped, $"Processor '{member.Name}' failed and will not go on: {failure}");
        }

        lock (_gate)
        {
            if (_stopping is not null)
                throw new MillraceException(FailureCodes.Stopped, "The runtime was stopped, so it will not catch up.");
        }
    }

    /// <summary>
    /// Looks twice, with the engine's account of what is unread in between. If nobody worked between the looks, all answers of the engine
    /// hold for one moment; a record that one processor says to another is either still unread there, or its writer was at work.
    /// </summary>
    private async ValueTask<bool> IsIdleAsync(CancellationToken cancellation)
    {
        var awakenings = _context.Watch.Awakenings;
        if (!AreIdle()) return false;
        foreach (var member in _members)
        {
            if (!await member.HasCaughtUpAsync(cancellation)) return false;
        }

        return AreIdle() && awakenings == _context.Watch.Awakenings;
    }

    private bool AreIdle()
    {
        var now = _options.Time.GetUtcNow();
        return Array.TrueForAll(_members, member => member.IsIdleAt(now));
    }

    private IEnumerable<Measurement<long>> MeasureLags()
    {
        foreach (var member in _members)
        {
            foreach (var lag in member.Lags.Latest())
            {
                if (!member.Owns(lag.Source.Partition)) continue;
                yield return new Measurement<long>(lag.Lag, RuntimeMeters.Tags(member.Name, lag.Source));
            }
        }
    }

    private IEnumerable<Measurement<long>> MeasureTimers()
    {
        foreach (var member in _members)
        {
            foreach (var partition in member.Status().Partitions)
            {
                var tags = RuntimeMeters.Tags(member.Name);
                tags.Add(TelemetryNames.DestinationPartition, partition.Partition.ToString(CultureInfo.InvariantCulture));
                yield return new Measurement<long>(partition.Timers, tags);
            }
        }
    }

    private static void Validate(IReadOnlyList<Processor> processors, EngineCapabilities capabilities)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var processor in processors)
        {
            ArgumentNullException.ThrowIfNull(processor);
            ArgumentException.ThrowIfNullOrEmpty(processor.Name);
            if (!names.Add(processor.Name))
                throw new ArgumentException($"Two processors are called '{processor.Name}'; each needs a name of its own.");
            if (processor.Topics.Count == 0)
                throw new ArgumentException($"Processor '{processor.Name}' reads no topic; it needs at least one.");
            if (processor.NeedsStateOnDisk && !capabilities.HasStateOnDisk)
            {
                throw new ArgumentException(
                    $"Processor '{processor.Name}' limits how much of its state is in memory, and the engine keeps all of it there. Set "
                    + "OpenStateStore in the engine's options to what keeps it on disk, such as RocksDbStateStores.Open.");
            }
        }
    }
}
