using Confluent.Kafka;
using KafkaFigures;
using Millrace.Servers;
using Millrace.Figures;

if (!BenchOptions.TryRead(args, out var options, out var complaint))
{
    Console.Error.WriteLine(complaint);
    Console.Error.WriteLine(BenchOptions.Usage);
    return 2;
}

if (!KafkaBroker.CanStart)
{
    Console.Error.WriteLine(KafkaBroker.WhyAbsent);
    return 2;
}

// The scripts size the broker's heap by it.
if (Environment.GetEnvironmentVariable("HEAP") is null) Environment.SetEnvironmentVariable("HEAP", "1g");
var report = new Report(
    options.Data, options.Rounds,
    ("client", $"librdkafka {Library.VersionString}"),
    ("broker", $"one, in the same machine, heap {Environment.GetEnvironmentVariable("HEAP")}"));
report.Begin();
await using (var broker = await KafkaBroker.StartAsync())
using (var topics = new Topics(broker))
{
    if (options.Runs("pipeline")) await new PipelineBench(options, report, broker, topics).RunAsync();
    if (options.Runs("restore")) await new RestoreBench(options, report, broker, topics).RunAsync();
    if (options.Runs("engines")) await new EnginesBench(options, report, broker, topics).RunAsync();
}

report.End();
return 0;
