using System.Text;
using Millrace;
using Shop.Api;
using Shop.Live;

namespace Shop.View;

/// <summary>
/// Feeds the view: reads every partition of the shop's topics from its start, outside any group, and follows it. Owned by the host.
/// </summary>
internal sealed partial class ViewReader(
    Func<Engine> engine, EventRegistry registry, ShopView view, LiveFeed feed, ILogger<ViewReader> logger) : IHostedService, IDisposable
{
    private const int ReadBytesMax = 1 << 20;
    private const string SourcePrefix = "/services/";

    private readonly CancellationTokenSource _stopping = new();
    private readonly List<Task> _loops = [];
    private int _behind;

    /// <summary>Why the view follows no more, or null while it does.</summary>
    public string? Failure { get; private set; }

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var sources = new List<(TopicPartition Source, long From, long Until)>();
        foreach (var name in registry.Contracts.Select(contract => contract.Topic).Distinct().Order(StringComparer.Ordinal))
        {
            var topic = await engine().FindTopicAsync(name, cancellationToken)
                ?? throw new MillraceException(FailureCodes.TopicNotFound, $"The topic '{name}' does not exist.");
            view.AddTopic(name);
            foreach (var partition in topic.Partitions)
                sources.Add((new TopicPartition(name, partition.Partition), partition.StartOffset, partition.EndOffset));
        }

        _behind = sources.Count;
        foreach (var (source, from, until) in sources)
            _loops.Add(Task.Run(() => FollowAsync(source, from, until, _stopping.Token), CancellationToken.None));
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stopping.CancelAsync();
        await Task.WhenAll(_loops);
    }

    public void Dispose() => _stopping.Dispose();

    private async Task FollowAsync(TopicPartition source, long from, long until, CancellationToken cancellation)
    {
        try
        {
            using var reader = engine().OpenReader(source, from);
            var isBehind = true;
            while (true)
            {
                if (isBehind && reader.Offset >= until)
                {
                    isBehind = false;
                    if (Interlocked.Decrement(ref _behind) == 0) view.Open();
                }

                using var records = await reader.ReadAsync(ReadBytesMax, cancellation);
                Take(records);
            }
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
        }
        catch (MillraceException stopped) when (stopped.Code == FailureCodes.Stopped)
        {
        }
        catch (Exception failure)
        {
            // The edge of the loop: the shop goes on, but is not ready any more, since its answers would be old.
            Failure = $"{source}: {failure.Message}";
            Stopped(logger, source, failure);
        }
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
        viewed = new ViewedEvent(data, new TimelineEntry
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
