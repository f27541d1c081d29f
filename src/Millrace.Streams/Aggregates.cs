namespace Millrace.Streams;

/// <summary>
/// How records become one result, as Apache Flink's AggregateFunction. The methods are pure but that they may change the accumulator that
/// they are given and return it. One instance serves all keys, from one loop at a time per partition; it keeps nothing itself.
/// </summary>
/// <typeparam name="TIn">The records' type.</typeparam>
/// <typeparam name="TAccumulator">What is kept meanwhile.</typeparam>
/// <typeparam name="TOut">The result's type.</typeparam>
public interface IAggregate<in TIn, TAccumulator, out TOut>
{
    /// <summary>An accumulator of no record.</summary>
    TAccumulator Create();

    /// <summary>The accumulator with one record more.</summary>
    /// <param name="accumulator">So far.</param>
    /// <param name="value">The record.</param>
    TAccumulator Add(TAccumulator accumulator, TIn value);

    /// <summary>Two accumulators of a key become one, when its sessions do. The earlier session's is the left one.</summary>
    /// <param name="left">The earlier one.</param>
    /// <param name="right">The later one.</param>
    TAccumulator Merge(TAccumulator left, TAccumulator right);

    /// <summary>The result of what was added. The accumulator lives on.</summary>
    /// <param name="accumulator">So far.</param>
    TOut Result(TAccumulator accumulator);
}
