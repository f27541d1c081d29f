using System.Security.Cryptography;
using Millrace;
using Millrace.Kafka;
using Millrace.Log;

namespace Shop;

/// <summary>Chooses the engine: one option, and nothing else of the shop knows which it is.</summary>
internal static class EngineChoice
{
    private static readonly TimeSpan TransactionMax = TimeSpan.FromMinutes(15); // of brokers as they come

    public static MillraceBuilder UseEngine(this MillraceBuilder millrace, ShopOptions options) => (options.Engine switch
    {
        ShopEngine.Embedded => millrace.UseEmbeddedLog(Path.Combine(options.DataDirectory, "log")),
        ShopEngine.Kafka => millrace.UseKafka(
            options.Bootstrap!,
            kafka => WithSession(kafka, options.Session) with { StateDirectory = Path.Combine(options.DataDirectory, "state") }),
        _ => throw new InvalidOperationException($"Unknown engine {options.Engine}."),
    }).ConfigureRuntime(runtime => runtime with
    {
        StopDeadline = TimeSpan.FromMilliseconds(700),
        CancelGrace = TimeSpan.FromMilliseconds(200),
        Seed = RandomNumberGenerator.GetInt32(int.MaxValue),
    });

    /// <summary>Who is silent for so long loses its partitions, and a transaction that it left open ends by then.</summary>
    private static KafkaOptions WithSession(KafkaOptions kafka, TimeSpan? session) => session is not { } time ? kafka : kafka with
    {
        SessionTimeout = time,
        TransactionTimeout = time < TransactionMax ? time : TransactionMax,
        HeartbeatInterval = time / 4 < kafka.HeartbeatInterval ? time / 4 : kafka.HeartbeatInterval,
    };
}
