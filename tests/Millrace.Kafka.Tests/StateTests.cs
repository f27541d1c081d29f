using System.Buffers.Binary;
using Microsoft.Extensions.Logging.Abstractions;
using Millrace.Contract;
using Millrace.Kafka.Clients;
using Millrace.Kafka.State;

namespace Millrace.Kafka.Tests;

/// <summary>Keyed state in memory with its copy on disk.</summary>
public sealed class SnapshotStateStoreTests : StateStoreContract
{
    protected override StateStore Open(StateStoreSource source) => SnapshotStateStore.Open(source, new ClientLog(NullLogger.Instance));

    [Fact]
    public void A_change_is_written_to_the_changelog_as_the_format_says()
    {
        var key = Changelog.KeyOf(new StateChange("größe", [1, 2], null));

        Assert.Equal([1, 0, 7, .. "größe"u8, 1, 2], key);
        Assert.Equal([0], Changelog.ClaimKey);
    }

    [Fact]
    public void A_store_name_that_does_not_fit_is_refused()
    {
        Assert.Throws<ArgumentException>(() => Changelog.KeyOf(new StateChange(new string('x', 65_536), [], [])));
    }

    [Fact]
    public async Task A_copy_with_any_byte_changed_is_thrown_away()
    {
        var folder = Directory.CreateTempSubdirectory("millrace-snapshot-");
        var source = new StateStoreSource { Group = "g", Partition = 0, ChangelogId = Guid.NewGuid(), Directory = folder.FullName };
        using (var store = Open(source))
        {
            store.Apply([new StateChange("totals", [1], [2, 3]), new StateChange("counts", [], [])], 42);
            await store.SaveAsync(TestContext.Current.CancellationToken);
        }

        var file = Snapshot.FileIn(folder.FullName);
        var whole = await File.ReadAllBytesAsync(file, TestContext.Current.CancellationToken);
        Assert.Equal(42, Open(source).Position);
        Assert.Equal(42, BinaryPrimitives.ReadInt64BigEndian(whole.AsSpan(24)));
        for (var at = 0; at < whole.Length; at++)
        {
            var damaged = (byte[])whole.Clone();
            damaged[at] ^= 0x40;
            await File.WriteAllBytesAsync(file, damaged, TestContext.Current.CancellationToken);
            using var opened = Open(source);
            Assert.True(opened.Position == 0 && opened.Scan("totals").Count == 0, $"Byte {at} may be changed unseen.");
        }

        for (var length = 0; length < whole.Length; length++)
        {
            await File.WriteAllBytesAsync(file, whole[..length], TestContext.Current.CancellationToken);
            using var opened = Open(source);
            Assert.True(opened.Position == 0, $"A file cut off at {length} may pass.");
        }

        folder.Delete(recursive: true);
    }
}
