using System.Globalization;

namespace Millrace.Contract;

/// <summary>
/// Many at once: appenders keep their order and lose nothing, and a group's members hand partitions over without doing anything twice.
/// </summary>
public abstract class ConcurrencyContract : EngineContract
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Appenders_to_the_same_partitions_keep_their_order_and_lose_and_double_nothing(bool isIdempotent)
    {
        var random = Seeded();
        var topic = await CreateTopicAsync(partitions: 3);
        const int appenders = 8, batches = 60;
        var seeds = Enumerable.Range(0, appenders).Select(_ => random.Next()).ToList();

        async Task<int[]> AppendAllAsync(int appender)
        {
            var own = new Random(seeds[appender]);
            var producer = isIdempotent ? await Engine.OpenProducerAsync(Named($"appender-{appender}"), Cancellation) : null;
            var sent = new int[3];
            for (var batch = 0; batch < batches; batch++)
            {
                using var commit = new Commit { Producer = producer };
                for (var left = own.Next(1, 8); left > 0; left--)
                {
                    var partition = own.Next(3);
                    Fill(commit.To(new TopicPartition(topic, partition)), $"{appender} {sent[partition]++}");
                }

                await CommitAsync(commit);
                foreach (var done in commit.Batches) producer?.Advance(done.Target, done.Records.Count);
            }

            return sent;
        }

        var sent = await Task.WhenAll(Enumerable.Range(0, appenders).Select(a => Task.Run(() => AppendAllAsync(a), Cancellation)));

        for (var partition = 0; partition < 3; partition++)
        {
            var seen = await ReadTextsAsync(new TopicPartition(topic, partition), 0, sent.Sum(counts => counts[partition]));
            for (var appender = 0; appender < appenders; appender++)
            {
                Assert.Equal(Enumerable.Range(0, sent[appender][partition]).Select(number => $"{appender} {number}"),
                    seen.Where(text => text.StartsWith($"{appender} ", StringComparison.Ordinal)));
            }

            await AssertHoldsAsync(new TopicPartition(topic, partition), [.. seen]);
        }
    }

    [Fact]
    public async Task Readers_that_follow_see_the_same_records_as_readers_that_come_later()
    {
        var partition = await CreatePartitionAsync();
        const int records = 400;
        var following = Enumerable.Range(0, 3)
            .Select(_ => Task.Run(() => ReadTextsAsync(partition, 0, records).AsTask(), Cancellation)).ToList();

        await Task.WhenAll(Enumerable.Range(0, 4).Select(async appender =>
        {
            for (var number = 0; number < records / 4; number++) await AppendAsync(partition, $"{appender}.{number}");
        }));

        var later = await ReadTextsAsync(partition, 0, records);
        foreach (var seen in await Task.WhenAll(following)) Assert.Equal(later, seen);
    }

    [Fact]
    public async Task Members_that_come_and_go_process_every_record_once_and_in_order()
    {
        var random = Seeded();
        const int partitions = 4, records = 150;
        var (input, output) = (await CreateTopicAsync("input", partitions), await CreateTopicAsync("output", partitions));
        await using var group = new WorkingGroup(Engine, Named("workers"), input, output, Cancellation);
        await group.JoinAsync();

        for (var number = 0; number < records; number++)
        {
            for (var partition = 0; partition < partitions; partition++)
                await AppendAsync(new TopicPartition(input, partition), $"{number}");
            if (random.Next(10) == 0 && group.Count < 4) await group.JoinAsync();
            if (random.Next(12) == 0 && group.Count > 1) await group.LeaveAsync(random.Next(group.Count), isReleasing: random.Next(2) == 0);
        }

        for (var partition = 0; partition < partitions; partition++)
        {
            var seen = await ReadTextsAsync(new TopicPartition(output, partition), 0, records);
            Assert.Equal(Enumerable.Range(1, records).Select(count => $"{count - 1} as number {count}"), seen);
        }

        await group.DisposeAsync();
        for (var partition = 0; partition < partitions; partition++)
        {
            await AssertHoldsAsync(new TopicPartition(output, partition),
                [.. Enumerable.Range(1, records).Select(count => $"{count - 1} as number {count}")]);
        }
    }

    /// <summary>
    /// Members that copy records from one topic to another, numbered by a count in keyed state: a doubled or lost record shows in the
    /// number.
    /// </summary>
    private sealed class WorkingGroup(
        Engine engine, string name, string input, string output, CancellationToken cancellation) : IAsyncDisposable
    {
        private readonly List<Worker> _workers = [];

        public int Count => _workers.Count;

        public async ValueTask JoinAsync()
        {
            var member = await engine.JoinAsync(new GroupSubscription { Group = name, Topics = [input] }, cancellation);
            _workers.Add(new Worker(member, input, output, cancellation));
        }

        public async ValueTask LeaveAsync(int index, bool isReleasing)
        {
            var worker = _workers[index];
            _workers.RemoveAt(index);
            await worker.LeaveAsync(isReleasing);
        }

        public async ValueTask DisposeAsync()
        {
            while (_workers.Count > 0) await LeaveAsync(0, isReleasing: true);
        }
    }

    private sealed class Worker
    {
        private readonly Dictionary<int, (OwnedPartition Owned, CancellationTokenSource Stop, Task Loop)> _loops = [];
        private readonly CancellationTokenSource _stop;
        private readonly GroupMember _member;
        private readonly string _input;
        private readonly string _output;
        private readonly Task _changes;

        public Worker(GroupMember member, string input, string output, CancellationToken cancellation)
        {
            (_member, _input, _output) = (member, input, output);
            _stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            _changes = Task.Run(FollowAsync, CancellationToken.None);
        }

        /// <summary>Leaves with its loops ended, or while they run: then their next commits must be fenced.</summary>
        public async ValueTask LeaveAsync(bool isReleasing)
        {
            await _stop.CancelAsync();
            await _changes;
            if (isReleasing) await EndAsync();
            await _member.DisposeAsync();
            await EndAsync();
        }

        private async ValueTask EndAsync()
        {
            foreach (var number in _loops.Keys.ToList()) await EndAsync(number);
        }

        private async ValueTask EndAsync(int number)
        {
            if (!_loops.Remove(number, out var loop)) return;
            await loop.Stop.CancelAsync();
            await loop.Loop;
            loop.Stop.Dispose();
        }

        private async Task FollowAsync()
        {
            try
            {
                while (true) await ApplyAsync(await _member.NextChangeAsync(_stop.Token));
            }
            catch (OperationCanceledException)
            {
            }
        }

        private async ValueTask ApplyAsync(AssignmentChange change)
        {
            if (change is AssignmentChange.Assigned assigned)
            {
                foreach (var owned in assigned.Partitions)
                {
                    var stop = new CancellationTokenSource();
                    _loops.Add(owned.Partition, (owned, stop, Task.Run(() => WorkAsync(owned, stop.Token), CancellationToken.None)));
                }

                return;
            }

            var gone = change is AssignmentChange.Revoked revoked ? revoked.Partitions : ((AssignmentChange.Lost)change).Partitions;
            foreach (var owned in gone)
            {
                await EndAsync(owned.Partition);
                if (change is AssignmentChange.Revoked) await _member.ReleaseAsync(owned, CancellationToken.None);
            }
        }

        private async Task WorkAsync(OwnedPartition owned, CancellationToken cancellation)
        {
            try
            {
                await owned.RestoreAsync(cancellation);
                using var reader = owned.OpenReader(_input, owned.Positions.Single().NextOffset);
                while (true)
                {
                    using var fetched = await reader.ReadAsync(200, cancellation);
                    await CopyAsync(owned, fetched);
                }
            }
            catch (OperationCanceledException)
            {
            }
            catch (MillraceException failure) when (failure.Code == FailureCodes.Fenced)
            {
            }
        }

        private async ValueTask CopyAsync(OwnedPartition owned, FetchedRecords fetched)
        {
            var count = owned.TryGet("counts", "all"u8, out var value)
                ? int.Parse(System.Text.Encoding.UTF8.GetString(value.Span), CultureInfo.InvariantCulture)
                : 0;
            using var commit = new Commit();
            foreach (var text in SeenRecord.AllOf(fetched).Select(record => record.Text))
                Fill(commit.To(new TopicPartition(_output, owned.Partition)), $"{text} as number {++count}");
            commit.Put("counts", Bytes("all"), Bytes($"{count}"));
            commit.SetPosition(_input, fetched.NextOffset);
            (await owned.CommitAsync(commit, CancellationToken.None)).RequireCommitted();
        }
    }
}
