using System.Security.Cryptography;
using Millrace;
using Millrace.Kafka;
using Millrace.Log;

namespace Shop;

/// <summary>Chooses the engine: one option, and nothing else of the shop knows which it is.</summary>
internal static class EngineChoice
{
    public static MillraceBuilder UseEngine(this MillraceBuilder millrace, ShopOptions options) => (options.Engine switch
    {
        ShopEngine.Embedded => millrace.UseEmbeddedLog(Path.Combine(options.DataDirectory, "log")),
        ShopEngine.Kafka => millrace.UseKafka(
            options.Bootstrap!, kafka => kafka with { StateDirectory = Path.Combine(options.DataDirectory, "state") }),
        _ => throw new InvalidOperationException($"Unknown engine {options.Engine}."),
    }).ConfigureRuntime(runtime => runtime with
    {
        StopDeadline = TimeSpan.FromMilliseconds(700),
        CancelGrace = TimeSpan.FromMilliseconds(200),
        Seed = RandomNumberGenerator.GetInt32(int.MaxValue),
    });
}
