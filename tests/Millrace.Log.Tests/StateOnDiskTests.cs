using System.Globalization;
using System.Text;
using Millrace.Contract;
using Millrace.RocksDb;

namespace Millrace.Log.Tests;

/// <summary>State on disk beside the log: how it comes there, what is refused, and that no power loss puts it before or behind the log.</summary>
public sealed class StateOnDiskTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("millrace-").FullName;
    private readonly RocksDbStateStores _stores = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private LogOptions OnDisk => new() { OpenStateStore = _stores.Open };

    public void Dispose()
    {
        _stores.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task State_that_was_in_memory_goes_to_disk_and_does_not_come_back()
    {
        await RunAsync(new LogOptions(), async owned => await PutAsync(owned, "a", "1"));
        await RunAsync(OnDisk, async owned =>
        {
            Assert.Equal("1", TextOf(owned, "a"));
            await PutAsync(owned, "b", "2");
        });

        await RunAsync(OnDisk, owned =>
        {
            Assert.Equal(("1", "2"), (TextOf(owned, "a"), TextOf(owned, "b")));
            return Task.CompletedTask;
        });
        var file = new FileInfo(Assert.Single(Directory.GetFiles(Path.Combine(_directory, "state"), "group-*")));
        Assert.True(file.Length < 100, $"The state is in the log's file of {file.Length} bytes, too.");
        var refusal = await Assert.ThrowsAsync<MillraceException>(async () => await LogEngine.OpenAsync(_directory, new LogOptions(), Cancellation));
        Assert.Equal(FailureCodes.DataMismatch, refusal.Code);
        Assert.Contains("OpenStateStore", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_store_that_is_gone_or_of_an_earlier_time_stops_the_start_and_names_it()
    {
        var store = Path.Combine(_directory, "stores", "1-0");
        var earlier = Path.Combine(_directory, "earlier");
        await RunAsync(OnDisk, async owned => await PutAsync(owned, "a", "1"));
        Copy(store, earlier);
        await RunAsync(OnDisk, async owned => await PutAsync(owned, "a", "2"));

        Directory.Delete(store, recursive: true);
        var gone = await Assert.ThrowsAsync<MillraceException>(async () => await LogEngine.OpenAsync(_directory, OnDisk, Cancellation));
        Copy(earlier, store);
        var behind = await Assert.ThrowsAsync<MillraceException>(async () => await LogEngine.OpenAsync(_directory, OnDisk, Cancellation));

        Assert.Equal((FailureCodes.Corrupt, FailureCodes.Corrupt), (gone.Code, behind.Code));
        Assert.All([gone, behind], failure => Assert.Contains(store, failure.Message, StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_an_earlier_life_began_and_no_checkpoint_names_is_begun_anew()
    {
        var store = Path.Combine(_directory, "stores", "1-0");
        Directory.CreateDirectory(store);
        await File.WriteAllTextAsync(Path.Combine(store, "CURRENT"), "MANIFEST-torn", Cancellation);

        await RunAsync(OnDisk, async owned => await PutAsync(owned, "a", "1"));
        await RunAsync(OnDisk, owned =>
        {
            Assert.Equal("1", TextOf(owned, "a"));
            return Task.CompletedTask;
        });
    }

    /// <summary>
    /// An owner counts: the number is in its state, and as many records as that are in the topic. Also where records do not wait for the disk.
    /// </summary>
    [Theory]
    [InlineData(Durability.Synced)]
    [InlineData(Durability.Relaxed)]
    public async Task After_any_power_loss_state_on_disk_is_that_of_the_log(Durability durability)
    {
        for (var seed = 1; seed <= 60; seed++)
        {
            var random = new Random(seed);
            var disk = new SimulatedDisk(seed);
            var states = new LosingStores(seed);
            for (var life = 0; life < 6; life++)
            {
                try
                {
                    disk.OperationsLeft = life == 5 ? -1 : random.Next(2) == 0 ? random.Next(1, 60) : random.Next(60, 400);
                    var problem = await CountAsync(disk, states, durability, random);
                    Assert.True(problem is null, $"Seed {seed}, life {life}: {problem}");
                }
                catch (MillraceException failure) when (failure.Code is FailureCodes.StorageFailed or FailureCodes.Stopped)
                {
                    // The power went off.
                }

                disk.PowerOff();
                disk.PowerOn();
                states.LosePower();
            }
        }
    }

    private static async Task<string?> CountAsync(SimulatedDisk disk, LosingStores states, Durability durability, Random random)
    {
        var options = new LogOptions
        {
            Storage = disk, Random = new Random(random.Next()), JournalBytesMax = 4096, SegmentBytesMax = 4096, GroupBytesMax = 2048,
            OpenStateStore = states.Open,
        };
        await using var engine = await LogEngine.OpenAsync("/disk/log", options, Cancellation);
        await engine.EnsureTopicAsync(new TopicSpecification { Name = "t", Partitions = 1, Durability = durability }, Cancellation);
        await using var group = new GroupDriver(engine, new GroupSubscription { Group = "g", Topics = ["t"] }, Cancellation);
        var member = await group.JoinAsync();
        await group.UntilOwnedAsync(1);
        var owned = member.Owned[0];
        var written = (await engine.FindTopicAsync("t", Cancellation))!.Partitions[0].EndOffset;
        var counted = TextOf(owned, "count") is { } text ? long.Parse(text, CultureInfo.InvariantCulture) : 0;
        if (counted != written) return $"the state counted {counted}, and the topic has {written}";
        for (var left = 40; left > 0; left--)
        {
            counted++;
            using var commit = new Commit();
            commit.To(new TopicPartition("t", 0)).Add(0, "k"u8, new byte[random.Next(200)]);
            commit.Put("s", "count"u8.ToArray(), Encoding.UTF8.GetBytes($"{counted}"));
            commit.Put("s", Encoding.UTF8.GetBytes($"{random.Next(10)}"), new byte[random.Next(100)]);
            commit.SetPosition("t", counted);
            await owned.CommitAsync(commit, Cancellation);
        }

        return null;
    }

    private async Task RunAsync(LogOptions options, Func<OwnedPartition, Task> work)
    {
        await using var engine = await LogEngine.OpenAsync(_directory, options, Cancellation);
        await engine.EnsureTopicAsync(new TopicSpecification { Name = "t", Partitions = 1 }, Cancellation);
        await using var group = new GroupDriver(engine, new GroupSubscription { Group = "g", Topics = ["t"] }, Cancellation);
        var member = await group.JoinAsync();
        await group.UntilOwnedAsync(1);
        await work(member.Owned[0]);
    }

    private static async Task PutAsync(OwnedPartition owned, string key, string value)
    {
        using var commit = new Commit();
        commit.Put("s", Encoding.UTF8.GetBytes(key), Encoding.UTF8.GetBytes(value));
        await owned.CommitAsync(commit, Cancellation);
    }

    private static string? TextOf(OwnedPartition owned, string key) =>
        owned.TryGet("s", Encoding.UTF8.GetBytes(key), out var value) ? Encoding.UTF8.GetString(value.Span) : null;

    private static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (var file in Directory.GetFiles(from)) File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
    }

    /// <summary>
    /// Stores as a database on disk has them: what was saved stays, and what was not is written at moments of its own, or lost.
    /// </summary>
    private sealed class LosingStores(int seed)
    {
        private readonly Random _random = new(seed);
        private readonly Dictionary<string, (Guid Id, long Position, List<StateChange> Changes)> _durable = new(StringComparer.Ordinal);
        private readonly Lock _gate = new(); // guards everything here
        private int _boots;

        public StateStore Open(StateStoreSource source)
        {
            var store = new LosingStore(this, source);
            lock (_gate)
            {
                if (!_durable.TryGetValue(source.Directory!, out var durable)) return store;
                if (durable.Id == source.ChangelogId) store.Load(durable.Changes, durable.Position);
                else if (source.IsOnlyCopy) throw new MillraceException(FailureCodes.Corrupt, "It is another one.");
                else _durable.Remove(source.Directory!);
            }

            return store;
        }

        /// <summary>Nobody of before writes any more.</summary>
        public void LosePower()
        {
            lock (_gate) _boots++;
        }

        private sealed class LosingStore(LosingStores stores, StateStoreSource source) : MemoryStateStore
        {
            private readonly int _boot = stores._boots;

            public void Load(List<StateChange> changes, long position) => base.Apply(changes, position);

            public override void Apply(IReadOnlyList<StateChange> changes, long position)
            {
                base.Apply(changes, position);
                lock (stores._gate)
                {
                    if (stores._random.Next(4) == 0) Keep();
                }
            }

            public override ValueTask SaveAsync(CancellationToken cancellation = default)
            {
                lock (stores._gate) Keep();
                return ValueTask.CompletedTask;
            }

            private void Keep()
            {
                if (_boot != stores._boots) return;
                var changes = new List<StateChange>();
                var stored = Copy(out var position);
                foreach (var (name, entries) in stored)
                    changes.AddRange(entries.Select(entry => new StateChange(name, entry.Key, entry.Value)));
                stores._durable[source.Directory!] = (source.ChangelogId, position, changes);
            }
        }
    }
}
