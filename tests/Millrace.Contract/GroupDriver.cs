using System.Collections.Concurrent;
using System.Threading.Channels;

namespace Millrace.Contract;

/// <summary>
/// Drives the members of one group as a runtime would: each has a loop that takes its changes, restores what it is given and releases what
/// it shall give up. A test joins members, waits until ownership is as it should be, and uses what they own.
/// </summary>
public sealed class GroupDriver(Engine engine, GroupSubscription subscription, CancellationToken cancellation) : IAsyncDisposable
{
    private readonly Channel<bool> _changes = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly List<DrivenMember> _members = [];

    /// <summary>The members that joined and did not leave.</summary>
    public IReadOnlyList<DrivenMember> Members => _members;

    /// <summary>Joins a member and starts its loop.</summary>
    /// <param name="isHolding">Whether it keeps what is revoked until <see cref="DrivenMember.ReleaseAsync"/>.</param>
    public async ValueTask<DrivenMember> JoinAsync(bool isHolding = false)
    {
        var joined = await engine.JoinAsync(subscription, cancellation);
        var member = new DrivenMember(joined, isHolding, () => _changes.Writer.TryWrite(true), cancellation);
        _members.Add(member);
        return member;
    }

    /// <summary>Waits until ownership is as it should be. A deadline ends a wait for what never comes.</summary>
    public async ValueTask UntilAsync(Func<bool> isReached)
    {
        ArgumentNullException.ThrowIfNull(isReached);
        while (true)
        {
            foreach (var member in _members) member.ThrowIfFailed();
            if (isReached()) return;
            await _changes.Reader.ReadAsync(cancellation);
        }
    }

    /// <summary>Waits until each member owns that many partitions, no two the same.</summary>
    public ValueTask UntilOwnedAsync(params int[] counts) => UntilAsync(() =>
    {
        var owned = _members.Select(member => member.Owned.Keys.ToList()).ToList();
        return owned.Select(partitions => partitions.Count).Order().SequenceEqual(counts.Order())
            && owned.SelectMany(partitions => partitions).Distinct().Count() == counts.Sum();
    });

    /// <summary>Makes a member leave without releasing anything.</summary>
    public async ValueTask LeaveAsync(DrivenMember member)
    {
        ArgumentNullException.ThrowIfNull(member);
        _members.Remove(member);
        await member.DisposeAsync();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var member in _members) await member.DisposeAsync();
        _members.Clear();
    }
}

/// <summary>A member with its loop.</summary>
public sealed class DrivenMember : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop;
    private readonly Action _changed;
    private readonly Task _loop;
    private Exception? _failure;

    internal DrivenMember(GroupMember member, bool isHolding, Action changed, CancellationToken cancellation)
    {
        (Member, IsHolding, _changed) = (member, isHolding, changed);
        _stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        _loop = Task.Run(LoopAsync, CancellationToken.None);
    }

    /// <summary>The engine's member.</summary>
    public GroupMember Member { get; }

    /// <summary>What it owns now, by number; a revoked partition is no longer among these.</summary>
    public ConcurrentDictionary<int, OwnedPartition> Owned { get; } = new();

    /// <summary>What was revoked and is held until <see cref="ReleaseAsync"/>.</summary>
    public ConcurrentDictionary<int, OwnedPartition> Revoked { get; } = new();

    private bool IsHolding { get; }

    /// <summary>Gives up what was revoked.</summary>
    public async ValueTask ReleaseAsync(OwnedPartition partition, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(partition);
        await Member.ReleaseAsync(partition, cancellation);
        Revoked.TryRemove(partition.Partition, out _);
        _changed();
    }

    internal void ThrowIfFailed()
    {
        if (Volatile.Read(ref _failure) is { } failure)
            throw new InvalidOperationException($"The loop of member {Member.MemberId} failed.", failure);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _loop;
        await Member.DisposeAsync();
        _stop.Dispose();
    }

    private async Task LoopAsync()
    {
        try
        {
            while (true)
            {
                await ApplyAsync(await Member.NextChangeAsync(_stop.Token));
                _changed();
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
        }
        catch (Exception failure)
        {
            Volatile.Write(ref _failure, failure);
            _changed();
        }
    }

    private async ValueTask ApplyAsync(AssignmentChange change)
    {
        switch (change)
        {
            case AssignmentChange.Assigned assigned:
                Assert.Equal(assigned.Partitions.Select(p => p.Partition).Order(), assigned.Partitions.Select(p => p.Partition));
                foreach (var partition in assigned.Partitions)
                {
                    await partition.RestoreAsync(_stop.Token);
                    Assert.True(Owned.TryAdd(partition.Partition, partition), $"Partition {partition.Partition} was assigned twice.");
                }

                break;
            case AssignmentChange.Revoked revoked:
                foreach (var partition in revoked.Partitions)
                {
                    Assert.True(Owned.TryRemove(partition.Partition, out _), $"Partition {partition.Partition} was revoked but not owned.");
                    if (IsHolding) Revoked[partition.Partition] = partition;
                    else await Member.ReleaseAsync(partition, _stop.Token);
                }

                break;
            case AssignmentChange.Lost lost:
                foreach (var partition in lost.Partitions)
                {
                    Owned.TryRemove(partition.Partition, out _);
                    Revoked.TryRemove(partition.Partition, out _);
                }

                break;
            default:
                throw new InvalidOperationException($"Unknown change {change}.");
        }
    }
}
