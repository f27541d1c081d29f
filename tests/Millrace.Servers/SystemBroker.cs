using System.Diagnostics;
using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace Millrace.Servers;

/// <summary>
/// A broker for tests of a whole system, one after the other: a system's topics have fixed names, so each test begins by removing what the
/// one before left. It is started for them; one that MILLRACE_KAFKA names is used only if it has nothing of the system.
/// </summary>
/// <param name="isTopic">Whether a topic is the system's.</param>
/// <param name="groups">The system's groups.</param>
public sealed class SystemBroker(Func<string, bool> isTopic, IReadOnlyList<string> groups) : IAsyncDisposable
{
    private static readonly TimeSpan MetadataMax = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan LeavingMax = TimeSpan.FromMinutes(1);

    private KafkaBroker? _broker;

    /// <summary>Where it is: <c>host:port</c>; null where there is none.</summary>
    public string? Address { get; private set; }

    /// <summary>Why there is none.</summary>
    public string WhyAbsent { get; private set; } = KafkaBroker.WhyAbsent;

    /// <summary>Starts it, or looks whether the named one can be used.</summary>
    public async Task StartAsync()
    {
        if (KafkaBroker.CanStart)
        {
            _broker = await KafkaBroker.StartAsync();
            Address = _broker.Address;
            return;
        }

        if (KafkaBroker.Named is not { } named) return;
        if (Topics(named).Count == 0) Address = named;
        else WhyAbsent = $"The broker {named}, which MILLRACE_KAFKA names, has topics of the system; the tests would remove them.";
    }

    /// <summary>Makes it as if there had never been the system.</summary>
    public async Task ClearAsync()
    {
        var topics = Topics(Address!);
        if (topics.Count == 0) return;
        using var admin = Admin(Address!);
        var started = Stopwatch.GetTimestamp();
        while (!await TryDeleteGroupsAsync(admin))
        {
            if (Stopwatch.GetElapsedTime(started) > LeavingMax)
                throw new InvalidOperationException($"Of {string.Join(", ", groups)} one still has a member after {LeavingMax}.");
        }

        await admin.DeleteTopicsAsync(topics);
        while (Topics(Address!).Count > 0) await Task.Yield();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_broker is not null) await _broker.DisposeAsync();
        else if (Address is not null) await ClearAsync();
    }

    /// <summary>
    /// False while a group has a member: one that was stopped while it was still joining leaves only after that, or when its session ends.
    /// </summary>
    private async Task<bool> TryDeleteGroupsAsync(IAdminClient admin)
    {
        try
        {
            await admin.DeleteGroupsAsync([.. groups]);
            return true;
        }
        catch (DeleteGroupsException failure) when (failure.Results.TrueForAll(
            result => result.Error.Code is ErrorCode.NoError or ErrorCode.GroupIdNotFound or ErrorCode.NonEmptyGroup))
        {
            // Those that never were are gone, too.
            return failure.Results.TrueForAll(result => result.Error.Code != ErrorCode.NonEmptyGroup);
        }
    }

    private List<string> Topics(string address)
    {
        using var admin = Admin(address);
        return [.. admin.GetMetadata(MetadataMax).Topics.Select(topic => topic.Topic).Where(isTopic)];
    }

    private static IAdminClient Admin(string address) => new AdminClientBuilder(new AdminClientConfig { BootstrapServers = address }).Build();
}
