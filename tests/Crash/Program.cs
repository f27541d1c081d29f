using System.Globalization;
using System.Runtime.InteropServices;
using Millrace.Crash;
using Millrace.Crash.Accounts;
using Millrace.Crash.Mqtt;
using Millrace.Crash.Raw;
using Millrace.Crash.Shop;
using Millrace.Crash.State;
using Millrace.Crash.Streams;

if (args is [RawChild.Name, var folder, var seed]) return await RawChild.RunAsync(folder, int.Parse(seed, CultureInfo.InvariantCulture));
if (args is [StateChild.Name, var copy, var start]) return await StateChild.RunAsync(copy, int.Parse(start, CultureInfo.InvariantCulture));
if (args is [StreamsChild.Name, var data, var drawn, var cycle, var isLast])
    return await StreamsChild.RunAsync(
        data, int.Parse(drawn, CultureInfo.InvariantCulture), int.Parse(cycle, CultureInfo.InvariantCulture), bool.Parse(isLast));
if (args is [AccountsChild.Name, .. var ofChild]) return await AccountsChild.RunAsync(AccountsChildOptions.Read(ofChild));
if (args is [MqttChild.Name, var log, var port, var isEmbedded, var messages1, var messages2])
    return await MqttChild.RunAsync(log, port, isEmbedded, messages1, messages2);

if (CrashOptions.HelpOf(args) is { } help)
{
    Console.WriteLine(help);
    return 0;
}

if (!CrashOptions.TryRead(args, out var options, out var complaint))
{
    Console.Error.WriteLine(complaint);
    Console.Error.WriteLine(CrashOptions.Usage);
    return 2;
}

// Children and brokers end with the proof, also when somebody ends it.
using var stop = new CancellationTokenSource();
void Stop(PosixSignalContext signal)
{
    signal.Cancel = true;
    stop.Cancel();
}

using var interrupted = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
using var terminated = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);

int code;
try
{
    code = options.Proof switch
    {
        "raw" => await new RawProof(options).RunAsync().WaitAsync(stop.Token),
        "state" => await new StateProof(options).RunAsync().WaitAsync(stop.Token),
        "streams" => await new StreamsProof(options).RunAsync().WaitAsync(stop.Token),
        "mqtt" or "mqtt-embedded" => await MqttProof.RunAsync(options, stop.Token),
        "shop" => await new ShopProof(options).RunAsync().WaitAsync(stop.Token),
        "kafka-state" => await new RestoreProof(options).RunAsync(stop.Token),
        "kafka-zombie" => await new ZombieProof(options).RunAsync(stop.Token),
        "kafka-proxy" => await new ProxyProof(options).RunAsync(stop.Token),
        "shop-kafka" => await new SpreadProof(options).RunAsync(stop.Token),
        _ => throw new InvalidOperationException($"Unknown proof {options.Proof}."),
    };
}
catch (Exception failure)
{
    // The edge of the program: whatever ended the proof early is a failure of it.
    Console.WriteLine($"{options.Proof}: {failure}");
    code = 1;
}

Console.WriteLine($"{options.Proof}: {(code == 0 ? "passed" : "failed")}, seed {options.Seed}");
return code;
