namespace Millrace.Kafka.Tests;

/// <summary>Topics as several processes make them.</summary>
public sealed class TopicTests : EngineRig
{
    [Fact]
    public async Task Instances_that_start_at_once_and_make_the_same_topics_all_find_them()
    {
        var engines = new List<KafkaEngine>();
        for (var i = 0; i < 4; i++) engines.Add(await OpenAsync());
        var names = Enumerable.Range(0, 12).Select(i => $"shared-{Unique}-{i}").ToList();

        var found = await Task.WhenAll(engines.Select(async engine =>
        {
            var ids = new List<Guid>();
            foreach (var name in names)
                ids.Add((await engine.EnsureTopicAsync(new TopicSpecification { Name = name, Partitions = 8 }, Cancellation)).Id);
            return ids;
        }));

        Assert.All(found, ids => Assert.Equal(found[0], ids));
    }
}
