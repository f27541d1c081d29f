using System.Diagnostics;
using System.Globalization;
using Millrace.Servers;

namespace Millrace.Crash.Mqtt;

/// <summary>
/// Devices publish, by way of HiveMQ or to the platform's own broker, while the platform and HiveMQ are killed at random moments of the
/// load and started again. At the end every acknowledged message is in the log, those of quality 2 once, each device's in its order.
/// </summary>
internal sealed class MqttProof(CrashOptions options, bool isEmbedded) : IDisposable
{
    /// <summary>HiveMQ keeps 1,000 messages per session and drops more; what was sent and is not in the log stays well below.</summary>
    private const int OutstandingMax = 500;

    private static readonly TimeSpan StallMax = TimeSpan.FromMinutes(2), SettleMax = TimeSpan.FromSeconds(30), Linger = TimeSpan.FromSeconds(2),
        FloodMax = TimeSpan.FromSeconds(1);

    private readonly Random _random = new(options.Seed);
    private readonly string _root = options.Data ?? Path.Combine(Path.GetTempPath(), $"millrace-crash-{options.Proof}-{Guid.NewGuid():N}");
    private readonly MqttPlan _plan = new(options.Messages1, options.Messages2);
    private readonly int _kills = options.Kills ?? 20;
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ChildProcess? _platform;
    private int _platformPort; // where it connects to, or where it listens

    public static async Task<int> RunAsync(CrashOptions options, CancellationToken cancellation)
    {
        using var proof = new MqttProof(options, isEmbedded: options.Proof == "mqtt-embedded");
        return await proof.RunAsync(cancellation);
    }

    public void Dispose() => _platform?.Dispose();

    private async Task<int> RunAsync(CancellationToken cancellation)
    {
        var ledger = new MqttLedger(_plan);
        var port = Ports.Free();
        Console.WriteLine(
            $"{options.Proof}: {_plan.Messages1} messages of quality 1, {_plan.Messages2} of quality 2, {_kills} kills of the platform, " +
            $"{(isEmbedded ? "its own broker" : $"{options.BrokerKills} of HiveMQ")}, seed {options.Seed}, data {_root}");
        Directory.CreateDirectory(_root);
        using var broker = isEmbedded ? null : await HiveMq.StartAsync(Path.Combine(_root, "hivemq"), port);
        using var recorder = isEmbedded ? null : new DeliveryRecorder(port, _plan);
        _platformPort = recorder?.Port ?? port;
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var since = Stopwatch.GetTimestamp();
        try
        {
            Start(ledger);
            await _ready.Task.WaitAsync(StallMax, end.Token); // before, a broker keeps nothing for the platform
            var publishing = PublishAsync(port, ledger, end.Token);
            await DisturbAsync(ledger, broker, recorder, publishing, end.Token);
            await SettleAsync(ledger, publishing, end.Token);
            var code = await _platform!.EndAsync(TimeSpan.FromSeconds(60));
            if (code != 0) throw new InvalidOperationException($"The platform was to end in good order and ended {_platform.LastWords}");
        }
        finally
        {
            await end.CancelAsync();
            broker?.Dispose();
            await File.WriteAllTextAsync(Path.Combine(_root, "platform.log"), _platform?.Errors, CancellationToken.None);
            Dispose();
        }

        var check = new MqttCheck(_plan, ledger, options.BrokerKills > 0 ? recorder : null);
        await check.ReadAsync(Path.Combine(_root, "log"));
        return Report(ledger, check, Stopwatch.GetElapsedTime(since));
    }

    private void Start(MqttLedger ledger)
    {
        string[] arguments =
        [
            MqttChild.Name, Path.Combine(_root, "log"), Text(_platformPort), isEmbedded.ToString(), Text(_plan.Messages1), Text(_plan.Messages2),
        ];
        _platform = new ChildProcess(typeof(MqttProof).Assembly.Location, arguments, line => Hear(line, ledger));
    }

    private void Hear(string line, MqttLedger ledger)
    {
        if (line == "READY .") _ready.TrySetResult();
        if (line.Split(' ') is ["TAKEN", var count, "."]) ledger.Take(int.Parse(count, CultureInfo.InvariantCulture));
    }

    private async Task PublishAsync(int port, MqttLedger ledger, CancellationToken cancellation)
    {
        // What waits in a broker's queue has no bound in the platform's own: it acknowledges what is in the log.
        var outstandingMax = isEmbedded ? int.MaxValue : OutstandingMax;
        var publishers = Enumerable.Range(0, MqttPlan.Connections)
            .Select(number => new MqttPublisher(_plan, ledger, number, port, options.Seed + number, outstandingMax)).ToList();
        await Task.WhenAll(publishers.Select(publisher => publisher.RunAsync(cancellation)));
        publishers.ForEach(static publisher => publisher.Dispose());
    }

    /// <summary>Kills when so many messages are acknowledged, so that every kill meets the load; some meet a platform that is starting.</summary>
    private async Task DisturbAsync(
        MqttLedger ledger, HiveMq? broker, DeliveryRecorder? recorder, Task publishing, CancellationToken cancellation)
    {
        var moments = Enumerable.Repeat(false, _kills).Concat(Enumerable.Repeat(true, broker is null ? 0 : options.BrokerKills)).ToArray();
        _random.Shuffle(moments);
        var thresholds = moments.Select(_ => _random.Next(_plan.Count / 50, _plan.Count - (_plan.Count / 50))).Order().ToArray();
        for (var at = 0; at < moments.Length; at++)
        {
            await AcknowledgedAsync(thresholds[at], ledger, publishing, cancellation);
            if (moments[at])
            {
                await broker!.KillAsync();
                await Task.Delay(_random.Next(0, 300), cancellation);
                await broker.StartAsync();
                continue;
            }

            await Task.Delay(_random.Next(0, 100), cancellation);
            if (_random.Next(4) != 0) await FloodAsync(ledger, recorder, cancellation);
            if (!await _platform!.KillAsync()) throw new InvalidOperationException($"The platform ended by itself {_platform.LastWords}");
            _platform.Dispose();
            Start(ledger);
            if (_random.Next(4) != 0) continue;
            await Task.Delay(_random.Next(50, 500), cancellation);
            _ = await _platform.KillAsync();
            _platform.Dispose();
            Start(ledger);
        }
    }

    /// <summary>
    /// Lets messages pile up and come at once, so that a kill within milliseconds meets many under way: what is acknowledged too early, or
    /// remembered too late, is in doubt only then, and HiveMQ delivers too slowly for that to be so by itself.
    /// </summary>
    private async Task FloodAsync(MqttLedger ledger, DeliveryRecorder? recorder, CancellationToken cancellation)
    {
        if (recorder is null) await _platform!.StopAsync();
        else recorder.KeepBack();
        var since = Stopwatch.GetTimestamp();
        while (ledger.Begun - ledger.Taken < OutstandingMax && Stopwatch.GetElapsedTime(since) < FloodMax) await Task.Delay(5, cancellation);
        if (recorder is null) await _platform!.ContinueAsync();
        else recorder.PassOn();
        since = Stopwatch.GetTimestamp();
        var moment = TimeSpan.FromMicroseconds(_random.Next(0, 20_000));
        while (Stopwatch.GetElapsedTime(since) < moment) Thread.SpinWait(20); // a timer is too coarse
    }

    private async Task AcknowledgedAsync(int count, MqttLedger ledger, Task publishing, CancellationToken cancellation)
    {
        var (since, last) = (Stopwatch.GetTimestamp(), (ledger.Acknowledged, ledger.Taken));
        while (ledger.Acknowledged < count)
        {
            if (publishing.IsFaulted) await publishing;
            if (_platform!.HasExited) throw new InvalidOperationException($"The platform ended by itself {_platform.LastWords}");
            if (last != (ledger.Acknowledged, ledger.Taken)) (since, last) = (Stopwatch.GetTimestamp(), (ledger.Acknowledged, ledger.Taken));
            if (Stopwatch.GetElapsedTime(since) > StallMax) throw new TimeoutException($"Nothing went on for {StallMax}: {Sums(ledger)}.");
            await Task.Delay(2, cancellation);
        }
    }

    /// <summary>Everything is published and acknowledged; what a broker has for the platform still comes.</summary>
    private async Task SettleAsync(MqttLedger ledger, Task publishing, CancellationToken cancellation)
    {
        await AcknowledgedAsync(_plan.Count, ledger, publishing, cancellation);
        await publishing;
        var since = Stopwatch.GetTimestamp();
        while (ledger.Taken < _plan.Count && Stopwatch.GetElapsedTime(since) < SettleMax) await Task.Delay(10, cancellation);
        await Task.Delay(Linger, cancellation); // what would come twice comes, too
    }

    private int Report(MqttLedger ledger, MqttCheck check, TimeSpan elapsed)
    {
        Complaints.Print(options.Proof, check.Complaints);
        Console.WriteLine(
            $"{options.Proof}: {check.Records} records, {check.Again} messages of quality 1 more than once, {ledger.Repeats} published again, " +
            $"{ledger.SessionsLost} sessions not known after a restart, {ledger.SentAnew} of quality 2 sent as new for that");
        if (!isEmbedded)
        {
            Console.WriteLine(
                $"{options.Proof}: HiveMQ delivered {check.DeliveredTwiceAfterRepeat} messages of quality 2 twice that were published again " +
                $"after it was killed, and {check.DeliveredTwice} that were published once: each time as new ones, by what was on the wire");
        }

        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{options.Proof}: {ledger.Acknowledged} acknowledged in {elapsed.TotalSeconds:0} s, {check.Lost} lost, " +
            $"{check.Doubled} of quality 2 doubled, {check.Misplaced} out of order, {check.Invented} invented"));
        if (check.IsClean && ledger.SessionsLost == 0)
        {
            Directory.Delete(_root, recursive: true);
            return 0;
        }

        Console.WriteLine($"{options.Proof}: the data is in {_root}");
        return 1;
    }

    private static string Sums(MqttLedger ledger) =>
        $"{ledger.Begun} messages published, {ledger.Acknowledged} acknowledged, {ledger.Taken} in the log";

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
