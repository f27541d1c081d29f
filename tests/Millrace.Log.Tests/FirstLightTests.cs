namespace Millrace.Log.Tests;

public sealed class FirstLightTests
{
    [Fact]
    public async Task What_was_appended_is_read_after_a_clean_stop_and_after_a_crash()
    {
        var dir = Directory.CreateTempSubdirectory().FullName;
        var ct = TestContext.Current.CancellationToken;
        var target = new TopicPartition("t", 0);
        for (var round = 0; round < 3; round++)
        {
            await using var engine = await LogEngine.OpenAsync(dir, new LogOptions { JournalBytesMax = 4096, SegmentBytesMax = 8192 }, ct);
            await engine.EnsureTopicAsync(new TopicSpecification { Name = "t", Partitions = 2 }, ct);
            for (var i = 0; i < 100; i++)
                Assert.Equal((round * 100) + i, await engine.AppendAsync(target, b => b.Add(i, "k"u8, new byte[200]), null, ct));
            using var reader = engine.OpenReader(target, 0);
            var n = 0;
            while (reader.TryRead(1000) is { } records)
            {
                foreach (var r in records) Assert.Equal(n++, r.Offset);
                records.Dispose();
            }

            Assert.Equal((round + 1) * 100, n);
        }
    }
}
