using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Logging;
using Millrace.Mqtt.Intake;
using Millrace.Mqtt.Links;
using Millrace.Mqtt.Mapping;
using Millrace.Mqtt.Telemetry;

namespace Millrace.Mqtt;

/// <summary>
/// Takes messages of MQTT into topics and acknowledges them when they are durable, not before. Its clients are the partitions of a
/// consumer group, so that members in several processes share them, each has one owner, and what it remembers of packet ids is in the same
/// commit as the messages. Thread safe.
/// </summary>
public sealed class MqttSource : IAsyncDisposable
{
    private readonly Engine _engine;
    private readonly MqttSourceOptions _options;
    private readonly ILogger _log;
    private readonly MqttMeters _meters;
    private readonly CancellationTokenSource _stop = new();
    private readonly Dictionary<int, SourceClient> _clients = []; // the following loop only, and the stop after it
    private readonly TaskCompletionSource<int> _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private SourceParts? _parts;
    private GroupMember? _member;
    private Task _following = Task.CompletedTask;
    private bool _isDisposed;

    /// <summary>Makes a source; <see cref="StartAsync"/> starts it.</summary>
    /// <param name="engine">The engine, which the caller disposes after the source.</param>
    /// <param name="options">What is taken, and the limits.</param>
    /// <exception cref="ArgumentException">An option is outside of its limits; the message names it and its value.</exception>
    public MqttSource(Engine engine, MqttSourceOptions options)
    {
        ArgumentNullException.ThrowIfNull(engine);
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        (_engine, _options) = (engine, options);
        _log = options.LoggerFactory.CreateLogger("Millrace.Mqtt");
        _meters = new MqttMeters(options.Name, options.MeterFactory);
    }

    /// <summary>
    /// Completes when the first client of this member is subscribed, with 0, or when the embedded broker listens, with its port. That may
    /// take until another member has given up what it owns. Before, a broker that does not know the session keeps nothing for it.
    /// </summary>
    public Task<int> Ready => _ready.Task;

    /// <summary>Looks for the topics, makes the source's own, joins the group and begins.</summary>
    /// <exception cref="MillraceException">
    /// <see cref="FailureCodes.TopicNotFound"/>: a route's topic is missing. <see cref="FailureCodes.TopicExists"/>: the number of clients
    /// is another one than before. Whatever the engine fails with.
    /// </exception>
    public async Task StartAsync(CancellationToken cancellation = default)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        if (_member is not null) throw new InvalidOperationException($"The source '{_options.Name}' is started already.");
        var partitions = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var route in _options.Routes) partitions[route.Target] = await PartitionsOfAsync(route.Target, cancellation);
        if (await _engine.FindTopicAsync(_options.DeadLetters, cancellation) is null)
            await _engine.EnsureTopicAsync(new TopicSpecification { Name = _options.DeadLetters, Partitions = 1 }, cancellation);
        partitions[_options.DeadLetters] = await PartitionsOfAsync(_options.DeadLetters, cancellation);
        await _engine.EnsureTopicAsync(new TopicSpecification { Name = OwnTopic, Partitions = _options.Clients }, cancellation);
        _parts = new SourceParts(_engine, _options, [.. _options.Routes.Select(route => new MessageMapping(route))], partitions, _meters)
        {
            Ready = port => _ready.TrySetResult(port),
        };
        _member = await JoinAsync(cancellation);
        _following = Task.Factory.StartNew(
            FollowAsync, CancellationToken.None, TaskCreationOptions.DenyChildAttach, _options.Scheduler).Unwrap();
    }

    /// <summary>
    /// Stops: connections end, what had arrived and is not acknowledged comes again later, the clients are given up. Again has no effect.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        if (_isDisposed) return;
        _isDisposed = true;
        await _stop.CancelAsync();
        await _following;
        foreach (var client in _clients.Values) await client.DisposeAsync();
        if (_member is { } member) await LeaveAsync(member);
        _ready.TrySetCanceled(CancellationToken.None);
        _meters.Dispose();
        _stop.Dispose();
    }

    /// <summary>
    /// The topic whose partitions are the clients. Nothing is written to it; a group owns partitions of topics, and this is one that nobody
    /// else has.
    /// </summary>
    private string OwnTopic => _options.Name + ".clients";

    private async ValueTask<int> PartitionsOfAsync(string topic, CancellationToken cancellation) =>
        (await _engine.FindTopicAsync(topic, cancellation) ?? throw new MillraceException(FailureCodes.TopicNotFound,
            $"The topic '{topic}' does not exist: create it before the MQTT source '{_options.Name}' starts.")).Partitions.Count;

    private ValueTask<GroupMember> JoinAsync(CancellationToken cancellation) =>
        _engine.JoinAsync(new GroupSubscription { Group = _options.Name, Topics = [OwnTopic] }, cancellation);

    /// <summary>The edge of the membership's loop: everything is caught here.</summary>
    [SuppressMessage("Design", "CA1031", Justification = "The edge of a loop.")]
    private async Task FollowAsync()
    {
        var pause = _options.RestartBackoffMin;
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                _member ??= await JoinAsync(_stop.Token);
                while (true)
                {
                    await ApplyAsync(_member, await _member.NextChangeAsync(_stop.Token));
                    pause = _options.RestartBackoffMin;
                }
            }
            catch (Exception) when (_stop.IsCancellationRequested)
            {
                return;
            }
            catch (MillraceException failure) when (failure.Code is FailureCodes.Stopped or FailureCodes.StorageFailed)
            {
                _log.EngineFailed(_options.Name, failure);
                return;
            }
            catch (Exception failure)
            {
                await EndAsync([.. _clients.Keys]);
                if (_member is { } lost) await LeaveAsync(lost);
                _member = null;
                _log.Rejoins(_options.Name, pause, failure);
                if (!await TryPauseAsync(pause)) return;
                pause = Later(pause);
            }
        }
    }

    private async Task ApplyAsync(GroupMember member, AssignmentChange change)
    {
        switch (change)
        {
            case AssignmentChange.Assigned assigned:
                foreach (var owned in assigned.Partitions)
                {
                    _log.Assigned(_options.Name, owned.Partition, owned.Epoch);
                    await EndAsync([owned.Partition]);
                    _clients[owned.Partition] = new SourceClient(_parts!, owned, _log);
                }

                break;
            case AssignmentChange.Revoked revoked:
                await EndAsync([.. revoked.Partitions.Select(owned => owned.Partition)]);
                foreach (var owned in revoked.Partitions)
                {
                    await member.ReleaseAsync(owned, _stop.Token);
                    _log.Released(_options.Name, owned.Partition);
                }

                break;
            case AssignmentChange.Lost lost:
                await EndAsync([.. lost.Partitions.Select(owned => owned.Partition)]);
                break;
            default:
                throw new InvalidOperationException($"Unknown change of an assignment: {change.GetType().Name}.");
        }
    }

    private async Task EndAsync(IReadOnlyList<int> partitions)
    {
        foreach (var partition in partitions)
        {
            if (_clients.Remove(partition, out var client)) await client.DisposeAsync();
        }
    }

    private async Task LeaveAsync(GroupMember member)
    {
        try
        {
            await member.DisposeAsync();
        }
        catch (MillraceException failure)
        {
            _log.EngineFailed(_options.Name, failure);
        }
    }

    private TimeSpan Later(TimeSpan pause) => pause * 2 < _options.RestartBackoffMax ? pause * 2 : _options.RestartBackoffMax;

    private async Task<bool> TryPauseAsync(TimeSpan pause)
    {
        try
        {
            await Task.Delay(pause, _options.Time, _stop.Token);
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }
}
