using System.Globalization;
using Millrace.Streams;

namespace Millrace.Testing;

/// <summary>One thing that happens to a topology in a test. Immutable.</summary>
public sealed class TopologyStep
{
    private readonly Action<TopologyTestDriver> _apply;
    private readonly string _text;

    private TopologyStep(Action<TopologyTestDriver> apply, string text, bool isTable = false) =>
        (_apply, _text, IsTable) = (apply, text, isTable);

    internal bool IsTable { get; }

    /// <summary>A record of a source.</summary>
    /// <typeparam name="T">The source's type of records.</typeparam>
    /// <param name="source">The source's name.</param>
    /// <param name="value">The record.</param>
    /// <param name="timestamp">The time that it comes with, in milliseconds since 1970-01-01T00:00:00Z.</param>
    /// <param name="partition">The partition; 0 by default.</param>
    public static TopologyStep Record<T>(string source, T value, long timestamp, int partition = 0) =>
        new(driver => driver.Pipe(source, value, timestamp, partition), $"record {value} of '{source}' at {timestamp}");

    /// <summary>A watermark of a source's partition.</summary>
    /// <param name="source">The source's name.</param>
    /// <param name="watermark">Milliseconds since 1970-01-01T00:00:00Z.</param>
    /// <param name="partition">The partition; 0 by default.</param>
    public static TopologyStep Watermark(string source, long watermark, int partition = 0) =>
        new(driver => driver.Watermark(source, watermark, partition), $"watermark {watermark} of '{source}'");

    /// <summary>A source's partition becomes idle.</summary>
    /// <param name="source">The source's name.</param>
    /// <param name="partition">The partition; 0 by default.</param>
    public static TopologyStep Idle(string source, int partition = 0) =>
        new(driver => driver.SetIdle(source, partition), $"partition {partition} of '{source}' idle");

    /// <summary>Processing time moves on.</summary>
    /// <param name="time">By how much; zero or more.</param>
    public static TopologyStep Time(TimeSpan time) => new(driver => driver.AdvanceProcessingTime(time), $"{time} passes");

    /// <summary>A global table gets a value for a key. It is there again after a crash, as tables are read anew.</summary>
    /// <typeparam name="TKey">The table's keys.</typeparam>
    /// <typeparam name="T">The table's values.</typeparam>
    /// <param name="table">The table's topic.</param>
    /// <param name="key">The key.</param>
    /// <param name="value">The value.</param>
    public static TopologyStep SetInTable<TKey, T>(string table, TKey key, T value)
        where TKey : notnull => new(driver => driver.SetInTable(table, key, value), $"{key} of table '{table}' set", isTable: true);

    /// <inheritdoc/>
    public override string ToString() => _text;

    internal void Apply(TopologyTestDriver driver) => _apply(driver);
}

/// <summary>How crashes are tried. Immutable.</summary>
public sealed record TopologyCrashOptions
{
    /// <summary>How many partitions each source has; 1 to 1,000, 1 by default.</summary>
    public int Partitions { get; init; } = 1;

    /// <summary>After every so many steps there is a commit; 1 to 1,000, 3 by default. At the end there is one in any case.</summary>
    public int CommitSteps { get; init; } = 3;
}

/// <summary>A crash led to other outputs or another state than a run without one.</summary>
/// <param name="message">Where, and what the difference is.</param>
public sealed class TopologyCrashException(string message) : Exception(message);

/// <summary>
/// Proves that a topology says the same and keeps the same whatever it crashes at: what is not in the commit, such as a counter in a
/// lambda, shows as a difference.
/// </summary>
public static class TopologyCrashes
{
    /// <summary>
    /// Runs the steps without a failure, and then once for each step with a crash behind it: outputs and state since the last commit are
    /// gone, another instance goes on from there with the steps since then. At a step that a commit follows there is also a crash right
    /// behind that. Committed outputs, in order, and the state at the end are compared byte for byte, ordinals of state by their order.
    /// The number of partitions stays, as a running topology's does. A source's silence is counted anew after a crash, as on a runtime, so
    /// a partition that becomes idle by time may show: leave <see cref="SourceOptions{T}.IdleAfter"/> null. Takes as many runs as there are
    /// steps.
    /// </summary>
    /// <param name="define">Defines the topology anew; what it captures has to be new as well.</param>
    /// <param name="steps">What happens; lookups have to answer at once.</param>
    /// <param name="options">Partitions and commits; the defaults when null.</param>
    /// <exception cref="TopologyCrashException">There is a difference; the message tells the first one.</exception>
    /// <exception cref="ArgumentException">There are no steps, or an option is out of its limits.</exception>
    public static void Check(Func<StreamTopology> define, IReadOnlyList<TopologyStep> steps, TopologyCrashOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(define);
        ArgumentNullException.ThrowIfNull(steps);
        options ??= new TopologyCrashOptions();
        if (steps.Count == 0) throw new ArgumentException("There are no steps, so nothing would be proven.", nameof(steps));
        Demand(nameof(options.Partitions), options.Partitions);
        Demand(nameof(options.CommitSteps), options.CommitSteps);
        var expected = new Outcome(define, steps, options, crashAt: 0, isBehindCommit: false);
        for (var crashAt = 1; crashAt <= steps.Count; crashAt++)
        {
            Compare(expected, new Outcome(define, steps, options, crashAt, isBehindCommit: false), steps, crashAt, "");
            if (crashAt % options.CommitSteps == 0)
                Compare(expected, new Outcome(define, steps, options, crashAt, isBehindCommit: true), steps, crashAt, " and its commit");
        }
    }

    private static void Demand(string name, int value)
    {
        if (value is >= 1 and <= 1_000) return;
        throw new ArgumentException($"{nameof(TopologyCrashOptions)}.{name} is {value}; it has to be 1 to 1,000.");
    }

    private static void Compare(Outcome expected, Outcome actual, IReadOnlyList<TopologyStep> steps, int crashAt, string where)
    {
        foreach (var (name, lines) in expected.Outputs) Compare($"output '{name}'", "result", lines, actual.Outputs[name]);
        Compare("the state", "entry", expected.State, actual.State);

        void Compare(string what, string one, IReadOnlyList<string> wanted, IReadOnlyList<string> got)
        {
            for (var i = 0; i < Math.Max(wanted.Count, got.Count); i++)
            {
                var (left, right) = (i < wanted.Count ? wanted[i] : "nothing", i < got.Count ? got[i] : "nothing");
                if (left == right) continue;
                throw new TopologyCrashException(string.Create(CultureInfo.InvariantCulture,
                    $"After a crash behind step {crashAt} of {steps.Count} ({steps[crashAt - 1]}){where}, {what} has "
                    + $"another {one} {i + 1}: {left} without a crash, {right} with it."));
            }
        }
    }

    /// <summary>What a run committed.</summary>
    private sealed class Outcome
    {
        public Outcome(
            Func<StreamTopology> define, IReadOnlyList<TopologyStep> steps, TopologyCrashOptions options, int crashAt, bool isBehindCommit)
        {
            var driver = new TopologyTestDriver(define(), options.Partitions);
            var (snapshot, now, committed) = (default(byte[]), 0L, 0);
            for (var done = 1; done <= steps.Count; done++)
            {
                steps[done - 1].Apply(driver);
                if (done == crashAt && !isBehindCommit) Crash();
                else if (done % options.CommitSteps == 0 || done == steps.Count) Commit();

                void Commit()
                {
                    driver.TakeTexts(Outputs);
                    (snapshot, now, committed) = (driver.Snapshot(), driver.Now, done);
                    if (done == crashAt && isBehindCommit) Crash();
                }

                void Crash()
                {
                    crashAt = 0;
                    driver = new TopologyTestDriver(define(), options.Partitions, snapshot, null, now);
                    foreach (var step in steps.Take(committed).Where(step => step.IsTable)) step.Apply(driver);
                    done = committed;
                }
            }

            State = driver.StateTexts();
        }

        public SortedDictionary<string, List<string>> Outputs { get; } = new(StringComparer.Ordinal);

        public IReadOnlyList<string> State { get; }
    }
}
