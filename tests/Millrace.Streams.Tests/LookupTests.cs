using Microsoft.Extensions.Time.Testing;

namespace Millrace.Streams.Tests;

/// <summary>Lookups in the driver: order, capacity, time and attempts.</summary>
public sealed class LookupTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly World _world = new();

    [Fact]
    public async Task Answers_go_on_in_the_order_of_the_records_whatever_order_they_come_in()
    {
        var driver = Start(new LookupOptions());

        driver.Pipe("in", new Event("a b c", 0), 10);
        _world.Answer("c", "C");
        _world.Answer("b", "B");
        var before = driver.Read<string>("out");
        _world.Answer("a", "A");
        await driver.CompleteAsync(TestContext.Current.CancellationToken);

        Assert.Empty(before);
        Assert.Equal([new("A", 10), new("B", 10), new("C", 10)], driver.Read<string>("out"));
    }

    [Fact]
    public async Task No_more_than_the_capacity_are_under_way()
    {
        var driver = Start(new LookupOptions { Capacity = 2 });

        driver.Pipe("in", new Event("a b c d", 0), 10);
        var first = _world.Asked.ToArray();
        _world.Answer("b", "B");
        var second = _world.Asked.ToArray();
        _world.Answer("a", "A");
        await _world.UntilAskedAsync("d");
        var third = _world.Asked.ToArray();
        _world.Answer("d", "D");
        _world.Answer("c", "C");
        await driver.CompleteAsync(TestContext.Current.CancellationToken);

        Assert.Equal(["a", "b"], first);
        Assert.Equal(["a", "b"], second);
        Assert.Equal(["a", "b", "c", "d"], third);
        Assert.Equal(["A", "B", "C", "D"], driver.Read<string>("out").Select(one => one.Value));
    }

    [Fact]
    public async Task Event_time_keeps_its_place_behind_records_that_wait_for_their_answers()
    {
        var topology = new StreamTopology("lookups");
        topology.From<Event>("in", new SourceOptions<Event> { OutOfOrderness = TimeSpan.Zero })
            .Lookup(async (e, cancellation) => new Event(await _world.FindAsync(e.Key, cancellation), e.Value))
            .KeyBy(e => e.Key).Window(Tumbling.Of(10.Milliseconds())).Sum(e => e.Value).To(Cases.Output);
        var driver = new TopologyTestDriver(topology, time: _time);

        driver.Pipe("in", new Event("a", 1), 25);
        var watermark = driver.Operators[1].Watermark;
        Assert.Throws<InvalidOperationException>(() => driver.Pipe("in", new Event("b", 1), 30));
        Assert.Throws<InvalidOperationException>(() => driver.Snapshot());
        _world.Answer("a", "A");
        await driver.CompleteAsync(TestContext.Current.CancellationToken);

        Assert.Equal(24, driver.Operators[0].Watermark);
        Assert.Equal(long.MinValue, watermark);
        Assert.Equal(24, driver.Operators[1].Watermark);
        _world.Answer("b", "A");
        driver.Pipe("in", new Event("b", 2), 31);
        Assert.Equal(["A-1@29"], driver.Results());
    }

    [Fact]
    public async Task A_lookup_that_fails_is_tried_again_after_a_pause_and_the_attempts_are_counted()
    {
        var attempts = 0;
        var driver = Start(new LookupOptions { AttemptsMax = 3, RetryPause = 1.Seconds() }, _ => ++attempts < 3
            ? throw new InvalidOperationException("The world is away.")
            : ValueTask.FromResult("A"));

        driver.Pipe("in", new Event("a", 0), 10);
        var (first, isEarly) = (attempts, driver.CompleteAsync(TestContext.Current.CancellationToken).IsCompleted);
        _time.Advance(1.Seconds());
        _time.Advance(1.Seconds());
        await driver.CompleteAsync(TestContext.Current.CancellationToken);

        Assert.Equal((1, false, 3), (first, isEarly, attempts));
        Assert.Equal("A", Assert.Single(driver.Read<string>("out")).Value);
        Assert.Equal(2, driver.Operators[1].LookupsRetried);
    }

    [Fact]
    public void A_lookup_that_fails_for_good_says_how_often_and_why()
    {
        var driver = Start(new LookupOptions { AttemptsMax = 2, RetryPause = TimeSpan.Zero }, _ => throw new InvalidOperationException("The world is away."));
        var hopeless = 0;
        var other = Start(new LookupOptions { RetryIf = failure => failure is not FormatException }, _ =>
        {
            hopeless++;
            throw new FormatException("No such thing.");
        });

        var failure = Assert.Throws<MillraceException>(() => driver.Pipe("in", new Event("a", 0), 10));
        var once = Assert.Throws<MillraceException>(() => other.Pipe("in", new Event("a", 0), 10));

        Assert.Equal(FailureCodes.LookupFailed, failure.Code);
        Assert.Contains("failed in 2 attempts: The world is away.", failure.Message, StringComparison.Ordinal);
        Assert.Contains("failed in 1 attempts: No such thing.", once.Message, StringComparison.Ordinal);
        Assert.Equal(1, hopeless);
    }

    [Fact]
    public async Task A_lookup_that_heeds_no_token_is_given_up_when_its_time_is_over()
    {
        var never = new TaskCompletionSource<string>();
        var driver = Start(new LookupOptions { Timeout = 5.Seconds() }, _ => new ValueTask<string>(never.Task));

        driver.Pipe("in", new Event("a", 0), 10);
        _time.Advance(4_999.Milliseconds());
        var isEarly = driver.CompleteAsync(TestContext.Current.CancellationToken).IsCompleted;
        _time.Advance(1.Milliseconds());
        var failure = await Assert.ThrowsAsync<MillraceException>(() => driver.CompleteAsync(TestContext.Current.CancellationToken));

        Assert.False(isEarly);
        Assert.Contains("no answer within 00:00:05", failure.Message, StringComparison.Ordinal);
        Assert.Empty(driver.Read<string>("out"));
    }

    [Fact]
    public void Options_out_of_their_limits_are_refused_with_their_names_and_values()
    {
        var stream = new StreamTopology("t").From<Event>("in");
        var wrong = new LookupOptions[]
        {
            new() { Capacity = 0 }, new() { Timeout = TimeSpan.Zero }, new() { AttemptsMax = 1_001 }, new() { RetryPause = -1.Seconds() },
            new() { OnFailure = (LookupFailure)7 },
        };

        var messages = wrong.Select(options => Assert.Throws<ArgumentException>(
            () => stream.Lookup((e, _) => ValueTask.FromResult(e), options)).Message).ToList();

        Assert.Contains("Capacity is 0", messages[0], StringComparison.Ordinal);
        Assert.Contains("AttemptsMax is 1001", messages[2], StringComparison.Ordinal);
        Assert.Contains("OnFailure is 7", messages[4], StringComparison.Ordinal);
    }

    /// <summary>Each word of a record's key is looked up.</summary>
    private TopologyTestDriver Start(LookupOptions options, Func<string, ValueTask<string>>? find = null)
    {
        var topology = new StreamTopology("lookups");
        topology.From<Event>("in").SelectMany<string>((e, say) =>
        {
            foreach (var word in e.Key.Split(' ')) say(word);
        }).Lookup((word, cancellation) => find is null ? _world.FindAsync(word, cancellation) : find(word), options).To("out");
        return new TopologyTestDriver(topology, time: _time);
    }

    /// <summary>What is asked, and answers when the test says so.</summary>
    private sealed class World
    {
        private readonly Lock _gate = new(); // guards the dictionaries and the list
        private readonly Dictionary<string, TaskCompletionSource<string>> _answers = [];
        private readonly Dictionary<string, TaskCompletionSource> _questions = [];
        private readonly List<string> _asked = [];

        public IReadOnlyList<string> Asked
        {
            get
            {
                lock (_gate) return [.. _asked];
            }
        }

        public async ValueTask<string> FindAsync(string word, CancellationToken cancellation)
        {
            TaskCompletionSource<string> answer;
            lock (_gate)
            {
                _asked.Add(word);
                Of(_questions, word).TrySetResult();
                answer = Of(_answers, word);
            }

            return await answer.Task.WaitAsync(cancellation);
        }

        public Task UntilAskedAsync(string word)
        {
            lock (_gate) return Of(_questions, word).Task;
        }

        public void Answer(string word, string answer)
        {
            lock (_gate) Of(_answers, word).SetResult(answer);
        }

        private static TSource Of<TSource>(Dictionary<string, TSource> sources, string word)
            where TSource : new()
        {
            if (!sources.TryGetValue(word, out var source)) sources.Add(word, source = new TSource());
            return source;
        }
    }
}
