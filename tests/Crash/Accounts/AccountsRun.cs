using System.Diagnostics;
using Confluent.Kafka;
using Millrace.Servers;
using Millrace.Kafka;
using Millrace.RocksDb;
using KafkaTopic = Confluent.Kafka.Admin.TopicSpecification;

namespace Millrace.Crash.Accounts;

/// <summary>What the proofs of the pipeline have in common: a broker with its topics, children, and the comparison at the end.</summary>
internal sealed class AccountsRun : IAsyncDisposable
{
    private const int WarningsPrinted = 10; // of each child, of a proof that failed

    private static readonly TimeSpan ReadMax = TimeSpan.FromSeconds(60);

    private readonly string _proof;
    private readonly Random _random;
    private readonly List<AccountsMember> _members = [];
    private int _started;

    private AccountsRun(CrashOptions options, KafkaBroker broker, string bootstrap)
    {
        (_proof, Broker, Bootstrap, _random) = (options.Proof, broker, bootstrap, new Random(options.Seed ^ 0x51ed));
        Folder = options.Data ?? Path.Combine(Path.GetTempPath(), $"millrace-crash-{options.Proof}-{Guid.NewGuid():N}");
    }

    public KafkaBroker Broker { get; }

    /// <summary>Where children connect to.</summary>
    public string Bootstrap { get; }

    public string Folder { get; }

    public AccountsFindings Findings { get; } = new();

    /// <summary>The session and transaction time-out of all members.</summary>
    public required TimeSpan Session { get; init; }

    /// <summary>
    /// Starts the broker, with small segments and an eager cleaner so that changelogs are compacted while it all happens.
    /// </summary>
    public static async Task<AccountsRun> StartAsync(
        CrashOptions options, TimeSpan session, Network.CuttingProxy? proxy, CancellationToken cancellation)
    {
        if (!KafkaBroker.CanStart) throw new InvalidOperationException(KafkaBroker.WhyAbsent);
        List<string> settings =
        [
            "group.min.session.timeout.ms=1000", "log.segment.bytes=1048576", "log.cleaner.min.cleanable.ratio=0.1",
            "log.cleaner.backoff.ms=1000", "log.retention.check.interval.ms=300000",
        ];
        if (proxy is not null) settings.AddRange(KafkaBroker.Advertising(proxy.Address));
        var broker = await KafkaBroker.StartAsync([.. settings]);
        proxy?.Target(broker.Port);
        var run = new AccountsRun(options, broker, proxy?.Address ?? broker.Address) { Session = session };
        try
        {
            Directory.CreateDirectory(run.Folder);
            await CreateTopicsAsync(run.Bootstrap);
            cancellation.ThrowIfCancellationRequested();
            return run;
        }
        catch
        {
            await run.DisposeAsync();
            throw;
        }
    }

    /// <summary>The state directory of a place for children.</summary>
    public string DirectoryOf(string place) => Path.Combine(Folder, place);

    /// <summary>Starts a child in a place; places differ in where copies of state are kept.</summary>
    public AccountsMember Start(string place)
    {
        var member = new AccountsMember(new AccountsChildOptions
        {
            Name = $"{place}{++_started}", Bootstrap = Bootstrap, Directory = DirectoryOf(place), Session = Session,
            IsOnRocksDb = IsOnRocksDb(place), KeepsStandbyCopies = _random.Next(3) == 0, Seed = _random.Next(),
        });
        _members.Add(member);
        return member;
    }

    /// <summary>Waits until every booking has its statement and every timer has fired, by what a plain consumer sees.</summary>
    public async Task<AccountsModel> SettleAsync(AccountsFeed feed, TimeSpan within, CancellationToken cancellation)
    {
        await feed.EndAsync(within);
        var since = Stopwatch.GetTimestamp();
        var model = new AccountsModel(ReadAll(AccountTopics.Bookings, cancellation));
        var expected = model.Count + model.Firings;
        using var tail = new TopicTail(Bootstrap, AccountTopics.Statements, AccountTopics.Partitions);
        while (tail.Records.Sum(partition => partition.Count) < expected)
        {
            foreach (var member in _members.Where(member => member.IsRunning)) member.DemandRunning();
            if (Stopwatch.GetElapsedTime(since) > within)
            {
                var there = tail.Records.Sum(partition => partition.Count);
                Findings.Complain(
                    $"Not settled within {within.TotalSeconds} s: {there} of {expected} statements are there. {await Broker.DescribeAsync(AccountTopics.Group)}");
                break;
            }

            tail.Read(TimeSpan.FromMilliseconds(100), cancellation);
        }

        Console.WriteLine($"{_proof}: settled {Stopwatch.GetElapsedTime(since).TotalSeconds:0.0} s after the last booking");
        return model;
    }

    /// <summary>
    /// Compares the bookings, the statements as two clients read them, and the state as it is restored, from the changelog alone and
    /// from each local copy. No child runs any more.
    /// </summary>
    public async Task CheckAsync(AccountsModel model, AccountsFeed feed, IEnumerable<string> places, CancellationToken cancellation)
    {
        // What a child that was killed left open is ended by the broker after its time-out; only then an end is the end.
        await Task.Delay(2 * Session, cancellation);
        var statements = ReadAll(AccountTopics.Statements, cancellation);
        var check = new StatementsCheck(model, Findings);
        check.CheckBookings(feed.AcknowledgedBookings);
        check.CheckStatements(statements);
        await CompareWithJavaAsync(statements);

        var state = new StateCheck(model, Findings);
        var options = new KafkaOptions
        {
            BootstrapServers = Bootstrap, HeartbeatInterval = TimeSpan.FromMilliseconds(100), SessionTimeout = Session,
            RebalanceTimeout = AccountsChildOptions.Rebalance,
        };
        await state.CheckAsync("the changelog", options, cancellation);
        foreach (var place in places.Where(place => Directory.Exists(DirectoryOf(place))))
        {
            using var rocks = IsOnRocksDb(place) ? new RocksDbStateStores() : null;
            var own = options with { StateDirectory = DirectoryOf(place), OpenStateStore = rocks is null ? null : rocks.Open };
            await state.CheckAsync($"the copies in {place}", own, cancellation);
        }
    }

    /// <summary>Every record of a topic.</summary>
    public List<TextRecord>[] ReadAll(string topic, CancellationToken cancellation, bool isCommittedOnly = true)
    {
        using var tail = new TopicTail(Bootstrap, topic, AccountTopics.Partitions, isCommittedOnly);
        tail.ReadToEnd(ReadMax, cancellation);
        return tail.Records;
    }

    /// <summary>Prints the findings and says whether all held; then nothing is left on the disk.</summary>
    public async Task<int> ReportAsync(AccountsModel model)
    {
        if (Findings.IsClean && model.Count > 0)
        {
            Findings.Print(_proof);
            Directory.Delete(Folder, recursive: true);
            return 0;
        }

        // Where the proof ran nothing may be left to look at but what it printed.
        Findings.Print(_proof);
        foreach (var member in _members)
        {
            await File.WriteAllTextAsync(Path.Combine(Folder, $"{member.Name}.log"), member.Errors);
            foreach (var line in member.Errors.Split(Environment.NewLine).TakeLast(WarningsPrinted))
                Console.WriteLine($"{_proof}: {member.Name}: {line}");
        }

        Console.WriteLine($"{_proof}: the children's data is in {Folder}, the broker's in {await Broker.KeepAsync()}");
        return 1;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var member in _members) member.Dispose();
        await Broker.DisposeAsync();
    }

    private static bool IsOnRocksDb(string place) => place.StartsWith('b');

    /// <summary>Kafka's own consumer, in Java, sees the same committed records in the same order.</summary>
    private async Task CompareWithJavaAsync(List<TextRecord>[] statements)
    {
        var total = statements.Sum(partition => partition.Count);
        var printed = await KafkaBroker.ToolAsync(
            "org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", Bootstrap, "--topic", AccountTopics.Statements,
            "--from-beginning", "--isolation-level", "read_committed", "--timeout-ms", "5000",
            "--formatter-property", "print.partition=true", "--formatter-property", "print.offset=true",
            "--formatter-property", "print.key=true");
        var seen = Enumerable.Range(0, AccountTopics.Partitions).Select(_ => new List<TextRecord>()).ToArray();
        foreach (var line in printed.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.Split('\t') is not [var partition, var offset, var key, var value]) continue;
            var at = (int)Numbers.Read(partition["Partition:".Length..]);
            seen[at].Add(new TextRecord(at, Numbers.Read(offset["Offset:".Length..]), key, value));
        }

        for (var partition = 0; partition < seen.Length; partition++)
        {
            if (seen[partition].SequenceEqual(statements[partition])) continue;
            Findings.Complain(
                $"Kafka's consumer reads {seen[partition].Count} statements from partition {partition}, librdkafka " +
                $"{statements[partition].Count}, or others.");
        }

        Console.WriteLine($"{_proof}: {total} statements read by two clients");
    }

    private static async Task CreateTopicsAsync(string bootstrap)
    {
        using var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = bootstrap }).Build();
        await admin.CreateTopicsAsync(
        [
            new KafkaTopic { Name = AccountTopics.Bookings, NumPartitions = AccountTopics.Partitions, ReplicationFactor = 1 },
            new KafkaTopic { Name = AccountTopics.Statements, NumPartitions = AccountTopics.Partitions, ReplicationFactor = 1 },
        ]);
    }
}
