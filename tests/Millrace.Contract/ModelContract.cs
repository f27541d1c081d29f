using System.Text;

namespace Millrace.Contract;

/// <summary>
/// A long random run of everything at once, against a model that is a few dictionaries: topics come and go under the same names, commits
/// carry records, expectations, positions and state, some are refused, and the engine ends and opens again in between.
/// </summary>
public abstract class ModelContract : EngineContract
{
    private const int InputPartitions = 3;

    private readonly Dictionary<string, List<string>[]> _topics = new(StringComparer.Ordinal);
    private readonly Dictionary<(string Topic, string Key), long> _versions = [];
    private readonly SortedDictionary<string, string>[] _state = [.. Enumerable.Range(0, InputPartitions).Select(_ => NewStore())];
    private readonly long[] _positions = new long[InputPartitions];
    private readonly List<Producer> _producers = [];
    private GroupDriver? _group;
    private string _input = "";
    private Random _random = new(0);

    /// <summary>How many calls are drawn; fewer for an engine of which each call, and each start, crosses a network.</summary>
    protected virtual int Steps => 250;

    [Theory]
    [InlineData(Ending.Graceful)]
    [InlineData(Ending.Crash)]
    public async Task After_any_mixture_of_calls_and_restarts_the_engine_holds_what_a_model_says(Ending ending)
    {
        _random = Seeded();
        _input = await CreateTopicAsync("input", InputPartitions);
        await BeginAsync();

        for (var step = 0; step < Steps; step++)
        {
            var what = _random.Next(100);
            if (what < 5) await CreateOrDeleteAsync();
            else if (what < 50) await CommitAsync();
            else if (what < 90) await CommitOwnedAsync();
            else if (what < 93) await HandOverAsync();
            else if (what < 96) await CheckAsync();
            else await RestartAsync(ending);
        }

        await RestartAsync(ending);
        await CheckAsync();
        await Member.DisposeAsync();
    }

    private GroupDriver Member => _group ?? throw new InvalidOperationException("The run has not begun.");

    private static SortedDictionary<string, string> NewStore() => new(StringComparer.Ordinal);

    private async ValueTask BeginAsync()
    {
        _group = new GroupDriver(Engine, new GroupSubscription { Group = Named("workers"), Topics = [_input] }, Cancellation);
        await _group.JoinAsync();
        await _group.UntilOwnedAsync(InputPartitions);
        _producers.Clear();
        for (var number = 0; number < 2; number++) _producers.Add(await Engine.OpenProducerAsync(Named($"till-{number}"), Cancellation));
    }

    private async ValueTask RestartAsync(Ending ending)
    {
        if (ending == Ending.Graceful) await Member.DisposeAsync();
        await ReopenAsync(ending);
        await BeginAsync();
        CheckPositions();
        await CheckAsync();
    }

    private async ValueTask HandOverAsync()
    {
        var old = Member.Members[0];
        await Member.JoinAsync();
        await Member.LeaveAsync(old);
        await Member.UntilOwnedAsync(InputPartitions);
        CheckPositions();
        CheckOwned();
    }

    private async ValueTask CreateOrDeleteAsync()
    {
        var name = Named($"topic-{_random.Next(4)}");
        if (_topics.Remove(name))
        {
            await Engine.DeleteTopicAsync(name, Cancellation);
            foreach (var stream in _versions.Keys.Where(stream => stream.Topic == name).ToList()) _versions.Remove(stream);
            return;
        }

        var partitions = _random.Next(1, 4);
        await Engine.CreateTopicAsync(new TopicSpecification { Name = name, Partitions = partitions }, Cancellation);
        _topics[name] = [.. Enumerable.Range(0, partitions).Select(_ => new List<string>())];
        _producers.Clear();
        for (var number = 0; number < 2; number++) _producers.Add(await Engine.OpenProducerAsync(Named($"till-{number}"), Cancellation));
    }

    /// <summary>Adds records, and sometimes an expectation that may not hold; tells what the model does when it is committed.</summary>
    private (Action Apply, bool IsConflict) Draw(Commit commit)
    {
        var apply = new List<Action>();
        var isConflict = false;
        var names = _topics.Keys.Order(StringComparer.Ordinal).ToList();
        for (var left = names.Count == 0 ? 0 : _random.Next(0, 4); left > 0; left--)
        {
            var name = names[_random.Next(names.Count)];
            var partition = _random.Next(_topics[name].Length);
            for (var records = _random.Next(1, 5); records > 0; records--)
            {
                var text = $"{_random.Next()} " + new string('x', _random.Next(300));
                Fill(commit.To(new TopicPartition(name, partition)), text);
                apply.Add(() => _topics[name][partition].Add(text));
            }
        }

        if (Engine.Capabilities.HasConditionalAppend && names.Count > 0 && _random.Next(3) == 0)
        {
            var stream = (Topic: names[_random.Next(names.Count)], Key: $"stream-{_random.Next(3)}");
            var (version, added) = (_versions.GetValueOrDefault(stream), _random.Next(1, 4));
            isConflict = _random.Next(4) == 0;
            commit.Expect(stream.Topic, stream.Key, isConflict ? version + 1 : version, added);
            apply.Add(() => _versions[stream] = version + added);
        }

        return (() => apply.ForEach(change => change()), isConflict);
    }

    private async ValueTask CommitAsync()
    {
        using var commit = new Commit();
        if (_random.Next(2) == 0) commit.Producer = _producers[_random.Next(_producers.Count)];
        var (apply, isConflict) = Draw(commit);
        if (commit.IsEmpty) return;
        var result = await Engine.CommitAsync(commit, Cancellation);
        Assert.Equal(isConflict, result is CommitResult.Conflicted);
        if (isConflict) return;
        apply();
        foreach (var batch in commit.Batches) commit.Producer?.Advance(batch.Target, batch.Records.Count);
    }

    private async ValueTask CommitOwnedAsync()
    {
        var owned = Member.Members[0].Owned[_random.Next(InputPartitions)];
        using var commit = new Commit();
        var (apply, isConflict) = Draw(commit);
        var state = new SortedDictionary<string, string>(_state[owned.Partition], StringComparer.Ordinal);
        for (var changes = _random.Next(0, 5); changes > 0; changes--)
        {
            var (key, value) = ($"{_random.Next(20)}", $"{_random.Next()}" + new string('y', _random.Next(100)));
            var isDeleted = _random.Next(3) == 0;
            if (isDeleted) commit.Delete("store", Bytes(key));
            else commit.Put("store", Bytes(key), Bytes(value));
            if (isDeleted) state.Remove(key);
            else state[key] = value;
        }

        // A conflict may end the owner's later commits until it restores, so an owner meets none here.
        if (isConflict) return;
        var position = _positions[owned.Partition] + 1;
        commit.SetPosition(_input, position);
        (await owned.CommitAsync(commit, Cancellation)).RequireCommitted();
        apply();
        _state[owned.Partition] = state;
        _positions[owned.Partition] = position;
    }

    private async ValueTask CheckAsync()
    {
        CheckOwned();
        var listed = (await Engine.ListTopicsAsync(Cancellation)).Select(topic => topic.Name)
            .Where(name => name.StartsWith("topic-", StringComparison.Ordinal) && name.EndsWith(Named("")[1..], StringComparison.Ordinal));
        Assert.Equal(_topics.Keys.Order(StringComparer.Ordinal), listed);
        foreach (var (name, partitions) in _topics)
        {
            for (var number = 0; number < partitions.Length; number++)
                Assert.Equal(partitions[number], await ReadTextsAsync(new TopicPartition(name, number), 0, partitions[number].Count));
        }
    }

    /// <summary>What a new owner is told.</summary>
    private void CheckPositions()
    {
        for (var number = 0; number < InputPartitions; number++)
            Assert.Equal(_positions[number], Member.Members[0].Owned[number].Positions.Single().NextOffset);
    }

    private void CheckOwned()
    {
        var owned = Member.Members[0].Owned;
        for (var number = 0; number < InputPartitions; number++)
        {
            var scanned = owned[number].Scan("store")
                .Select(entry => (Encoding.UTF8.GetString(entry.Key.Span), Encoding.UTF8.GetString(entry.Value.Span)));
            Assert.Equal(_state[number].Select(entry => (entry.Key, entry.Value)), scanned);
        }
    }
}
