using System.Diagnostics.CodeAnalysis;
using Millrace.Kafka.State;

namespace Millrace.Kafka.Groups;

/// <summary>
/// Copies of the state of partitions that other members own, kept up to date from their changelogs, when the options ask for it. The
/// member's loop and the owners that restore use it.
/// </summary>
internal sealed class Standbys(Membership member) : IAsyncDisposable
{
    private readonly Lock _gate = new(); // guards the two below
    private readonly Dictionary<int, Standby> _standbys = [];
    private bool _isEnded;

    /// <summary>What the member owns has changed: every other partition shall have a copy.</summary>
    public void Changed()
    {
        if (!member.Engine.Options.KeepsStandbyCopies || !member.Subscription.HasState) return;
        lock (_gate)
        {
            if (_isEnded) return;
            for (var partition = 0; partition < member.Partitions; partition++)
            {
                if (member.Owns(partition) || (_standbys.TryGetValue(partition, out var present) && !present.HasEnded)) continue;
                _standbys[partition] = new Standby(member, partition);
            }
        }
    }

    /// <summary>Takes a copy out, for an owner to go on with; null when there is none.</summary>
    public async ValueTask<StateLease?> TakeAsync(int partition)
    {
        Standby? taken;
        lock (_gate) _standbys.Remove(partition, out taken);
        return taken is null ? null : await taken.HandOverAsync();
    }

    public async ValueTask DisposeAsync()
    {
        List<Standby> standbys;
        lock (_gate)
        {
            _isEnded = true;
            standbys = [.. _standbys.Values];
            _standbys.Clear();
        }

        foreach (var standby in standbys)
        {
            if (await standby.HandOverAsync() is { } lease) await lease.DisposeAsync();
        }
    }
}

/// <summary>One copy and the loop that keeps it up to date.</summary>
[SuppressMessage("Design", "CA1001",
    Justification = "The source has no timer and no foreign token: there is nothing to free.")]
internal sealed class Standby
{
    private const int ReadBytesMax = 1 << 20;

    private readonly Membership _member;
    private readonly int _partition;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task<StateLease?> _following;

    public Standby(Membership member, int partition)
    {
        (_member, _partition) = (member, partition);
        _following = Task.Factory.StartNew(
            FollowAsync, CancellationToken.None, TaskCreationOptions.DenyChildAttach, TaskScheduler.Default).Unwrap();
    }

    public bool HasEnded => _following.IsCompleted;

    /// <summary>Ends the loop and gives the copy away; null when there is none, as after a failure.</summary>
    public async ValueTask<StateLease?> HandOverAsync()
    {
        await _stop.CancelAsync();
        var lease = await _following;
        return lease;
    }

    /// <summary>The edge of the loop: a copy that fails is given up, and begun again at the next change of the assignment.</summary>
    private async Task<StateLease?> FollowAsync()
    {
        StateLease? lease = null;
        try
        {
            var engine = _member.Engine;
            lease = await engine.States.TryOpenAsync(_member.Group, _partition, _member.ChangelogId);
            if (lease is null) return null;
            var changelog = new TopicPartition(Changelog.TopicOf(_member.Group), _partition);
            var changes = new ChangelogReader(changelog);
            using var reader = await engine.OpenChangelogAsync(changelog, lease.Store, _stop.Token);
            while (true)
            {
                using var fetched = await reader.ReadAsync(ReadBytesMax, _stop.Token);
                changes.Apply(fetched, lease.Store);
                engine.Log.StandbyAt(_member.Group, _partition, lease.Store.Position);
            }
        }
        catch (OperationCanceledException)
        {
            return lease;
        }
        catch (Exception failure)
        {
            _member.Engine.Log.StandbyFailed(_member.Group, _partition, failure);
            if (lease is not null) await lease.DisposeAsync();
            return null;
        }
    }
}
