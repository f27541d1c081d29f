using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Millrace.Contract;
using static Millrace.Tests.Runtime.RuntimeRig;

namespace Millrace.Tests.Runtime;

/// <summary>The wiring into a host, driven through the phases that Microsoft.Extensions.Hosting calls.</summary>
public sealed class HostTests
{
    [Fact]
    public async Task A_host_opens_the_engine_makes_topics_runs_processors_and_closes_in_reverse()
    {
        await using var rig = await OpenAsync(1);
        var services = new ServiceCollection();
        services.AddSingleton<TimeProvider>(rig.Time);
        services.AddMillrace(m => m
            .UseEngine((_, _) => ValueTask.FromResult<Engine>(rig.Engine))
            .AddTopic(new TopicSpecification { Name = "in", Partitions = 2 })
            .ConfigureRuntime(options => options with { Seed = 5 }));
        services.AddMillrace(m => m
            .AddTopic(new TopicSpecification { Name = "out", Partitions = 2 })
            .AddProcessor(_ => Scripted.Counter("counter", "in", "out")));
        await using var provider = services.BuildServiceProvider();
        var hosted = Assert.IsType<IHostedLifecycleService>(Assert.Single(provider.GetServices<IHostedService>()), exactMatch: false);
        var before = Assert.Throws<InvalidOperationException>(provider.GetRequiredService<Engine>);

        await hosted.StartingAsync(rig.Cancellation);
        var engine = provider.GetRequiredService<Engine>();
        await rig.AppendAsync("in", 0, "a");
        await hosted.StartAsync(rig.Cancellation);
        await hosted.StartedAsync(rig.Cancellation);
        var runtime = provider.GetRequiredService<ProcessorRuntime>();
        await runtime.WaitUntilIdleAsync(rig.Cancellation);
        var said = (await rig.ReadAsync("out", 0)).Concat(await rig.ReadAsync("out", 1)).ToList();
        await hosted.StoppingAsync(rig.Cancellation);
        await hosted.StopAsync(rig.Cancellation);
        var stillOpen = await engine.FindTopicAsync("in", rig.Cancellation);
        await hosted.StoppedAsync(rig.Cancellation);
        var closed = await Assert.ThrowsAsync<MillraceException>(async () => await engine.FindTopicAsync("in", rig.Cancellation));

        Assert.Contains("when the host starts", before.Message, StringComparison.Ordinal);
        Assert.Same(rig.Engine, engine);
        Assert.Equal(["a#1"], said);
        Assert.NotNull(stillOpen);
        Assert.Equal(FailureCodes.Stopped, closed.Code);
    }

    [Fact]
    public async Task A_host_without_an_engine_says_what_to_call()
    {
        var services = new ServiceCollection();
        services.AddMillrace(m => m.AddProcessor(_ => Scripted.ForEach("p", "in", (_, _) => { })));
        await using var provider = services.BuildServiceProvider();
        var hosted = (IHostedLifecycleService)provider.GetRequiredService<IHostedService>();

        var failure = await Assert.ThrowsAsync<InvalidOperationException>(() => hosted.StartingAsync(TestContext.Current.CancellationToken));

        Assert.Contains("UseEngine", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_a_failed_start_had_opened_is_closed_with_the_services()
    {
        await using var rig = await OpenAsync(1, "in");
        var services = new ServiceCollection();
        services.AddMillrace(m => m
            .UseEngine((_, _) => ValueTask.FromResult<Engine>(rig.Engine))
            .AddProcessor(_ => Scripted.ForEach("p", "missing", (_, _) => { })));
        var provider = services.BuildServiceProvider();
        var hosted = (IHostedLifecycleService)provider.GetRequiredService<IHostedService>();

        await hosted.StartingAsync(rig.Cancellation);
        await Assert.ThrowsAsync<MillraceException>(() => hosted.StartAsync(rig.Cancellation));
        await provider.DisposeAsync();

        var closed = await Assert.ThrowsAsync<MillraceException>(async () => await rig.Engine.FindTopicAsync("in", rig.Cancellation));
        Assert.Equal(FailureCodes.Stopped, closed.Code);
    }

    [Fact]
    public void Two_engines_or_two_settings_of_one_topic_are_refused()
    {
        var services = new ServiceCollection();
        services.AddMillrace(m => m.UseEngine((_, _) => throw new NotSupportedException()).AddTopic(new TopicSpecification { Name = "t" }));

        Assert.Throws<InvalidOperationException>(() => services.AddMillrace(m => m.UseEngine((_, _) => throw new NotSupportedException())));
        Assert.Throws<ArgumentException>(() => services.AddMillrace(m => m.AddTopic(new TopicSpecification { Name = "t", Partitions = 1 })));
        services.AddMillrace(m => m.AddTopic(new TopicSpecification { Name = "t" }));
    }
}
