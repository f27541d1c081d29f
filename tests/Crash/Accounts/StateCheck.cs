using System.Text;
using Millrace.Kafka;

namespace Millrace.Crash.Accounts;

/// <summary>Restores the group's state as a new owner would, and compares it with what follows from the bookings.</summary>
internal sealed class StateCheck(AccountsModel model, AccountsFindings findings)
{
    /// <summary>Where the runtime keeps timers; it is part of the format of state.</summary>
    private const string Timers = "$timers";

    private static readonly TimeSpan RestoreMax = TimeSpan.FromSeconds(60);

    /// <summary>Restores and compares. Not to be assigned or restored in time is a finding, so that the broker is kept to be looked at.</summary>
    /// <param name="what">From what it is restored, for complaints.</param>
    /// <param name="options">How; with a state directory, the copies in it are begun with.</param>
    /// <param name="cancellation">Ends the check.</param>
    public async Task CheckAsync(string what, KafkaOptions options, CancellationToken cancellation)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(RestoreMax);
        await using var engine = await KafkaEngine.OpenAsync(options, limit.Token);
        await using var member = await engine.JoinAsync(
            new GroupSubscription { Group = AccountTopics.Group, Topics = [AccountTopics.Bookings] }, limit.Token);
        var doing = "being assigned partitions";
        var restored = 0;
        try
        {
            while (restored < AccountTopics.Partitions)
            {
                if (await member.NextChangeAsync(limit.Token) is not AssignmentChange.Assigned assigned) continue;
                foreach (var owned in assigned.Partitions)
                {
                    doing = $"restoring partition {owned.Partition}";
                    await owned.RestoreAsync(limit.Token);
                    Compare(what, owned);
                    restored++;
                }
            }
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            findings.Complain(
                $"State from {what}: after {RestoreMax.TotalSeconds} s {restored} of {AccountTopics.Partitions} partitions were restored; " +
                $"the last thing done was {doing}.");
        }
    }

    private void Compare(string what, OwnedPartition owned)
    {
        foreach (var (store, expected) in model.StoresAt(owned.Partition))
        {
            var found = owned.Scan(store).ToDictionary(entry => Text(entry.Key), entry => Text(entry.Value));
            foreach (var account in expected.Keys.Union(found.Keys))
            {
                var (should, does) = (expected.GetValueOrDefault(account, "nothing"), found.GetValueOrDefault(account, "nothing"));
                if (should == does) continue;
                findings.Wrong++;
                findings.Complain(
                    $"State from {what}: {store} of {account} on partition {owned.Partition} holds {does}; it should hold {should}.");
            }
        }

        Compare($"State from {what}: timers pending on partition {owned.Partition}", model.PendingTimersAt(owned.Partition),
            owned.Scan(Timers).Count);
        var bookings = model.Bookings[owned.Partition];
        var end = bookings.Count == 0 ? 0 : bookings[^1].Offset + 1;
        Compare($"The position on partition {owned.Partition}", end, owned.Positions.Single().NextOffset);
    }

    private void Compare(string what, long expected, long actual)
    {
        if (expected == actual) return;
        findings.Wrong++;
        findings.Complain($"{what}: expected {expected}, found {actual}.");
    }

    private static string Text(ReadOnlyMemory<byte> bytes) => Encoding.UTF8.GetString(bytes.Span);
}
