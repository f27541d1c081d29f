using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Millrace.Log;

namespace Millrace.Messaging.Tests;

public sealed class HostTests
{
    [Fact]
    public async Task Handlers_added_to_a_host_run_with_its_services_and_dead_letter_topics()
    {
        var cancellation = TestContext.Current.CancellationToken;
        var directory = Directory.CreateTempSubdirectory("millrace-messaging-");
        var services = new ServiceCollection()
            .AddSingleton(TestEvents.Registry)
            .AddSingleton(new Fee(2m))
            .AddMillrace(m => m
                .UseEngine(async (_, stop) => await LogEngine.OpenAsync(directory.FullName, null, stop))
                .AddTopic(new TopicSpecification { Name = "orders", Partitions = 4 })
                .AddTopic(new TopicSpecification { Name = "payments", Partitions = 2 })
                .AddHandlers("payments", h => h.From("orders").WithSource("/payments").WithRetries(1, TimeSpan.Zero)
                    .Handle((Placed placed, Fee fee) =>
                        placed.Amount < 0 ? throw new InvalidOperationException() : new Paid(placed.Order, placed.Amount + fee.Amount))))
            .BuildServiceProvider();
        var hosted = services.GetServices<IHostedService>().Cast<IHostedLifecycleService>().Single();
        await hosted.StartingAsync(cancellation);
        await hosted.StartAsync(cancellation);
        var engine = services.GetRequiredService<Engine>();
        var publisher = new EventPublisher(TestEvents.Registry, "/test", TimeProvider.System);

        await publisher.PublishAsync(engine, new Placed("a", 1m), new PublishOptions { Id = "1" }, cancellation);
        await publisher.PublishAsync(engine, new Placed("a", -1m), new PublishOptions { Id = "2" }, cancellation);
        await services.GetRequiredService<ProcessorRuntime>().WaitUntilIdleAsync(cancellation);

        Assert.Equal(1, await CountAsync("payments"));
        Assert.Equal(1, await CountAsync("orders.dlq"));
        Assert.Equal(4, (await engine.FindTopicAsync("orders.dlq", cancellation))!.Partitions.Count);
        await hosted.StopAsync(cancellation);
        await hosted.StoppedAsync(cancellation);
        await services.DisposeAsync();
        directory.Delete(true);

        async Task<long> CountAsync(string topic) =>
            (await engine.FindTopicAsync(topic, cancellation))!.Partitions.Sum(p => p.EndOffset - p.StartOffset);
    }

    private sealed record Fee(decimal Amount);
}
