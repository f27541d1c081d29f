namespace Millrace.Kafka.Tests;

/// <summary>Topics as several processes make them.</summary>
public sealed class TopicTests : EngineRig
{
    [Fact]
    public async Task Instances_that_start_at_once_and_make_the_same_topics_all_find_them()
    {
        var engines = new List<KafkaEngine>();
        for (var i = 0; i < 4; i++) engines.Add(await OpenAsync());

        // All at once for each, so that some ask between the moment a topic is there and the moment the broker they ask knows of it.
        for (var number = 0; number < 12; number++)
        {
            var topic = new TopicSpecification { Name = $"shared-{Unique}-{number}", Partitions = 20 };
            var found = await Task.WhenAll(engines.Select(engine => engine.EnsureTopicAsync(topic, Cancellation).AsTask()));

            Assert.Single(found.Select(one => one.Id).Distinct());
        }
    }
}
