using Millrace;
using Sensors.Alerts;
using Sensors.Devices;
using Sensors.Readings;

namespace Sensors.View;

/// <summary>
/// Feeds the view: reads descriptions, alerts and rejections from their start, readings from a while before their end, outside any group,
/// and follows them. Owned by the host; thread safe once started.
/// </summary>
internal sealed partial class ViewReader(
    Func<Engine> engine, EventRegistry registry, SensorsView view, ILogger<ViewReader> logger) : IHostedService, IDisposable
{
    /// <summary>
    /// The latest value of a device is found when it is among so many last readings of its partition; else it is shown when it sends again.
    /// </summary>
    public const long TailRecords = 20_000;

    private static readonly string[] Events = [DeviceTopics.Described, AlertTopics.Triggered, ReadingTopics.Rejected];

    private readonly ReadingCodec _codec = new(ReadingTypes.Validated);
    private readonly CancellationTokenSource _stopping = new();
    private readonly Dictionary<TopicPartition, PartitionFollower> _followers = [];
    private readonly List<Task> _loops = [];
    private readonly TaskCompletionSource _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Why the view follows no more, or null while it does.</summary>
    public string? Failure { get; private set; }

    /// <summary>Completes when what was there at the start is in the view.</summary>
    public Task Opened => _opened.Task;

    /// <inheritdoc/>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        foreach (var topic in await FindTopicsAsync([ReadingTopics.Validated, .. Events], cancellationToken))
        {
            foreach (var partition in topic.Partitions)
            {
                var source = new TopicPartition(topic.Name, partition.Partition);
                var isReadings = topic.Name == ReadingTopics.Validated;
                var from = isReadings ? Math.Max(partition.StartOffset, partition.EndOffset - TailRecords) : partition.StartOffset;
                _followers.Add(source, new PartitionFollower(source, from, isReadings ? TakeReadings : TakeEvents));
            }
        }

        foreach (var follower in _followers.Values) _loops.Add(Task.Run(() => FollowAsync(follower), CancellationToken.None));
        _loops.Add(OpenAsync());
    }

    /// <inheritdoc/>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stopping.CancelAsync();
        await Task.WhenAll(_loops);
    }

    /// <inheritdoc/>
    public void Dispose() => _stopping.Dispose();

    /// <summary>Completes when everything that is in the topics by now is in the view.</summary>
    public async Task CatchUpAsync(CancellationToken cancellation)
    {
        var topics = await FindTopicsAsync([ReadingTopics.Validated, .. Events], cancellation);
        await Task.WhenAll(
            from topic in topics
            from partition in topic.Partitions
            select WaitAsync(new TopicPartition(topic.Name, partition.Partition), partition.EndOffset, cancellation));
    }

    /// <summary>Completes when the view has taken in everything of a partition before an offset.</summary>
    public Task WaitAsync(TopicPartition source, long offset, CancellationToken cancellation) =>
        _followers[source].WaitAsync(offset, cancellation);

    private async Task<IReadOnlyList<TopicDescription>> FindTopicsAsync(IEnumerable<string> names, CancellationToken cancellation) =>
        await Task.WhenAll(names.Select(async name => await engine().FindTopicAsync(name, cancellation)
            ?? throw new MillraceException(FailureCodes.TopicNotFound, $"The topic '{name}' does not exist.")));

    private async Task OpenAsync()
    {
        try
        {
            await CatchUpAsync(_stopping.Token);
            _opened.TrySetResult();
        }
        catch (Exception)
        {
            // What ended a reading before its time is told by that reading.
            _opened.TrySetCanceled();
        }
    }

    private async Task FollowAsync(PartitionFollower follower)
    {
        if (await follower.RunAsync(engine(), _stopping.Token) is not { } failure) return;

        // The platform goes on, but is not ready any more, since its answers would be old.
        Failure = $"{follower.Source}: {failure.Message}";
        Stopped(logger, follower.Source, failure);
    }

    private void TakeReadings(FetchedRecords records)
    {
        var readings = new List<SensorReading>();
        foreach (var record in records)
        {
            if (_codec.TryRead(record, out var reading, out _, out _)) readings.Add(reading);
        }

        view.Apply(readings);
    }

    private void TakeEvents(FetchedRecords records)
    {
        foreach (var record in records)
        {
            if (!EventCodec.TryRead(record, out var read, out _) || registry.Find(read.Type.Span) is not { } contract) continue;
            object data;
            try
            {
                data = contract.Read(read);
            }
            catch (MillraceException failure) when (failure.Code == FailureCodes.DataMismatch)
            {
                continue;
            }

            switch (data)
            {
                case AlertEvent step: view.Apply(step); break;
                case DeviceDescribed described: view.Apply(described); break;
                case ReadingRejected rejected: view.Apply(rejected); break;
            }
        }
    }

    [LoggerMessage(EventId = 401, Level = LogLevel.Error, Message = "The view stopped following {Source}; restart the platform")]
    private static partial void Stopped(ILogger logger, TopicPartition source, Exception failure);
}
