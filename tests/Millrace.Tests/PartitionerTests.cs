using System.Text;
using CsCheck;

namespace Millrace.Tests;

public sealed class PartitionerTests
{
    // Kafka's UtilsTest.testMurmur2.
    [Theory]
    [InlineData("21", -973932308)]
    [InlineData("foobar", -790332482)]
    [InlineData("a-little-bit-long-string", -985981536)]
    [InlineData("a-little-bit-longer-string", -1486304829)]
    [InlineData("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971)]
    [InlineData("abc", 479470107)]
    public void Hashes_are_those_of_Kafkas_own_test(string key, int hash) =>
        Assert.Equal(hash, (int)Partitioner.Murmur2(Encoding.UTF8.GetBytes(key)));

    [Fact]
    public void A_partition_is_Kafkas_toPositive_of_the_hash_modulo_the_count()
    {
        Assert.Equal((-973932308 & 0x7fffffff) % 8, Partitioner.PartitionOf("21"u8, 8));
        Assert.Equal((-790332482 & 0x7fffffff) % 7, Partitioner.PartitionOf("foobar"u8, 7));
        Assert.Equal(479470107 % 7, Partitioner.PartitionOf("abc"u8, 7));
        Assert.Equal(0, Partitioner.PartitionOf("abc"u8, 1));
    }

    [Fact]
    public void Every_key_has_a_partition_of_the_topic() =>
        Gen.Select(Gen.Byte.Array[0, 40], Gen.Int[1, 10_000])
            .Sample((key, partitions) => Partitioner.PartitionOf(key, partitions) is var p && p >= 0 && p < partitions);

    [Fact]
    public void A_topic_without_partitions_is_refused() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => Partitioner.PartitionOf("k"u8, 0));
}
