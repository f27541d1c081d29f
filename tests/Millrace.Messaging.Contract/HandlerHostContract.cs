using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Millrace.Messaging.Contract;

public abstract class HandlerHostContract : HandlerContract
{
    [Fact]
    public async Task Handlers_added_to_a_host_run_with_its_services_and_dead_letter_topics()
    {
        await using var host = CreateHost();
        var unique = Guid.NewGuid().ToString("N")[..8];
        var registry = TestEvents.Create(Name);
        await using var services = new ServiceCollection()
            .AddSingleton(registry)
            .AddSingleton(new Fee(2m))
            .AddMillrace(m => m
                .UseEngine(async (_, stop) => await host.OpenAsync(stop))
                .AddTopic(new TopicSpecification { Name = Name("orders"), Partitions = 4 })
                .AddTopic(new TopicSpecification { Name = Name("payments"), Partitions = 2 })
                .AddHandlers(Name("payments"), h => h.From(Name("orders")).WithSource("/payments").WithRetries(1, TimeSpan.Zero)
                    .Handle((Placed placed, Fee fee) =>
                        placed.Amount < 0 ? throw new InvalidOperationException() : new Paid(placed.Order, placed.Amount + fee.Amount))))
            .BuildServiceProvider();
        var hosted = services.GetServices<IHostedService>().Cast<IHostedLifecycleService>().Single();
        await hosted.StartingAsync(Cancellation);
        await hosted.StartAsync(Cancellation);
        var engine = services.GetRequiredService<Engine>();
        var publisher = new EventPublisher(registry, "/test", TimeProvider.System);

        await publisher.PublishAsync(engine, new Placed("a", 1m), new PublishOptions { Id = "1" }, Cancellation);
        await publisher.PublishAsync(engine, new Placed("a", -1m), new PublishOptions { Id = "2" }, Cancellation);
        await services.GetRequiredService<ProcessorRuntime>().WaitUntilIdleAsync(Cancellation);

        Assert.Equal(1, await CountAsync("payments"));
        Assert.Equal(1, await CountAsync("orders.dlq"));
        Assert.Equal(4, (await engine.FindTopicAsync(Name("orders.dlq"), Cancellation))!.Partitions.Count);
        await hosted.StopAsync(Cancellation);
        await hosted.StoppedAsync(Cancellation);

        string Name(string name) => $"{unique}-{name}";

        async Task<int> CountAsync(string topic) => (await HandlerRig.RecordsOfAsync(engine, Name(topic), Cancellation)).Count;
    }

    private sealed record Fee(decimal Amount);
}
