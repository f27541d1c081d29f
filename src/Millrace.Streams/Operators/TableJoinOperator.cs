using Millrace.Streams.States;
using Millrace.Streams.Tables;

namespace Millrace.Streams.Operators;

/// <summary>What a join with a global table works by.</summary>
internal sealed record TableJoinWork<T, TKey, TTable, TOut>(Func<T, TKey?> Key, Func<T, TTable?, TOut> Select, bool IsOuter)
    where TKey : notnull;

/// <summary>
/// Each record with what a global table holds for it now. It keeps nothing: the table is in no commit. Hot path: a look into a dictionary.
/// </summary>
internal sealed class TableJoinOperator<T, TKey, TTable, TOut>(
    TableJoinWork<T, TKey, TTable, TOut> work, TableCopy<TKey, TTable> table, Sink<TOut> output) : Sink<T>, IStatefulOperator
    where TKey : notnull
{
    public OperatorCounts Counts { get; } = new();

    public int Entries => 0;

    public long Watermark { get; private set; } = long.MinValue;

    public override void Push(T value, long timestamp)
    {
        Counts.In++;
        var key = work.Key(value);
        if (key is null) Counts.Keyless++;
        TTable? known = default;
        var isThere = key is not null && table.TryGet(key, out known);
        if (!isThere && !work.IsOuter) return;
        Counts.Out++;
        output.Push(work.Select(value, known), timestamp);
    }

    public override void Advance(long watermark)
    {
        Watermark = watermark;
        output.Advance(watermark);
    }

    public override void SetIdle(bool isIdle) => output.SetIdle(isIdle);

    public void Restore(StateScope scope)
    {
    }

    public void Save(StateScope scope)
    {
    }
}
