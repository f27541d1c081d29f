using System.Text;
using Millrace;
using Shop.Api;
using Shop.Live;

namespace Shop.View;

/// <summary>
/// Feeds the view: reads every partition of the shop's topics from its start, outside any group, and follows it. Owned by the host; thread
/// safe once started.
/// </summary>
internal sealed partial class ViewReader(
    Func<Engine> engine, EventRegistry registry, ShopView view, LiveFeed feed, ILogger<ViewReader> logger) : IHostedService, IDisposable
{
    private const string SourcePrefix = "/services/";

    private readonly CancellationTokenSource _stopping = new();
    private readonly Dictionary<TopicPartition, PartitionFollower> _followers = [];
    private readonly List<Task> _loops = [];

    /// <summary>Why the view follows no more, or null while it does.</summary>
    public string? Failure { get; private set; }

    /// <summary>The topics that the view is made of.</summary>
    public IReadOnlyList<string> Topics { get; } =
        [.. registry.Contracts.Select(contract => contract.Topic).Distinct().Order(StringComparer.Ordinal)];

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var topics = await FindTopicsAsync(cancellationToken);
        foreach (var topic in topics)
        {
            view.AddTopic(topic.Name);
            foreach (var partition in topic.Partitions)
            {
                var source = new TopicPartition(topic.Name, partition.Partition);
                _followers.Add(source, new PartitionFollower(source, partition.StartOffset, Take));
            }
        }

        foreach (var follower in _followers.Values) _loops.Add(Task.Run(() => FollowAsync(follower), CancellationToken.None));
        _loops.Add(OpenAsync(topics));
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stopping.CancelAsync();
        await Task.WhenAll(_loops);
    }

    public void Dispose() => _stopping.Dispose();

    /// <summary>The shop's topics as they are now.</summary>
    public async ValueTask<IReadOnlyList<TopicDescription>> FindTopicsAsync(CancellationToken cancellation) =>
        await Task.WhenAll(Topics.Select(async name => await engine().FindTopicAsync(name, cancellation)
            ?? throw new MillraceException(FailureCodes.TopicNotFound, $"The topic '{name}' does not exist.")));

    /// <summary>Completes once the view has taken in everything of a partition before an offset.</summary>
    public Task WaitAsync(TopicPartition source, long offset, CancellationToken cancellation) =>
        _followers[source].WaitAsync(offset, cancellation);

    /// <summary>Completes once the view has taken in everything that those topics held.</summary>
    public Task WaitAsync(IReadOnlyList<TopicDescription> topics, CancellationToken cancellation) => Task.WhenAll(
        from topic in topics
        from partition in topic.Partitions
        select WaitAsync(new TopicPartition(topic.Name, partition.Partition), partition.EndOffset, cancellation));

    private async Task OpenAsync(IReadOnlyList<TopicDescription> topics)
    {
        try
        {
            await WaitAsync(topics, CancellationToken.None);
            view.Open();
        }
        catch (Exception)
        {
            // What ended a reading before its time is told by that reading.
        }
    }

    private async Task FollowAsync(PartitionFollower follower)
    {
        if (await follower.RunAsync(engine(), _stopping.Token) is not { } failure) return;

        // The shop goes on, but is not ready any more, since its answers would be old.
        Failure = $"{follower.Source}: {failure.Message}";
        Stopped(logger, follower.Source, failure);
    }

    private void Take(FetchedRecords records)
    {
        var changes = feed.HasSubscribers ? new ViewChanges() : null;
        var events = new List<ViewedEvent>();
        var count = 0;
        foreach (var record in records)
        {
            count++;
            if (TryView(record, out var viewed)) events.Add(viewed);
        }

        view.Apply(records.Source.Topic, events, count, changes);
        if (changes is not null) feed.Post(changes);
    }

    /// <summary>Records that are no event, or of another's type, are counted but not shown.</summary>
    private bool TryView(in Record record, out ViewedEvent viewed)
    {
        viewed = default;
        if (!EventCodec.TryRead(record, out var read, out _) || registry.Find(read.Type.Span) is not { } contract) return false;
        object data;
        try
        {
            data = contract.Read(read);
        }
        catch (MillraceException failure) when (failure.Code == FailureCodes.DataMismatch)
        {
            return false;
        }

        var source = Encoding.UTF8.GetString(read.Source.Span);
        viewed = new ViewedEvent(data, record.Offset, new TimelineEntry
        {
            Id = Encoding.UTF8.GetString(read.Id.Span),
            Time = read.Time ?? DateTimeOffset.FromUnixTimeMilliseconds(record.Timestamp),
            Type = contract.Type,
            Causation = read.CausationId.IsEmpty ? null : Encoding.UTF8.GetString(read.CausationId.Span),
            Service = string.Intern(source.StartsWith(SourcePrefix, StringComparison.Ordinal) ? source[SourcePrefix.Length..] : source),
        });
        return true;
    }

    [LoggerMessage(EventId = 401, Level = LogLevel.Error, Message = "The view stopped following {Source}; restart the shop")]
    private static partial void Stopped(ILogger logger, TopicPartition source, Exception failure);
}
