namespace Millrace.Streams.Definition;

/// <summary>
/// Pairs of records of a key whose times lie within bounds of each other. Each side is kept until no record that could meet it can come any
/// more: of the left until the watermark reaches its time plus the upper bound, of the right its time less the lower bound.
/// </summary>
internal sealed class IntervalJoining<TKey, TLeft, TRight, TOut>(
    Interval interval, Func<TLeft, TRight, TOut> select, StateCodec<TLeft> left, StateCodec<TRight> right,
    OutputTag<TLeft>? lateLeft, OutputTag<TRight>? lateRight)
    : ProcessFunction<TKey, Either<TLeft, TRight>, TOut>
    where TKey : notnull
{
    private const string LeftEnd = "left", RightEnd = "right";

    private MapState<Moment, TLeft> _left = null!;
    private MapState<Moment, TRight> _right = null!;
    private ValueState<long> _number = null!;

    public override void Open(StateDeclarations states)
    {
        _left = states.Map("left", new StateOptions<TLeft> { Codec = left }, Moment.Codec);
        _right = states.Map("right", new StateOptions<TRight> { Codec = right }, Moment.Codec);
        _number = states.Value<long>("number");
    }

    public override void OnRecord(Either<TLeft, TRight> value, ProcessContext<TKey, TOut> context)
    {
        if (context.Timestamp < context.Watermark)
        {
            if (value.IsLeft && lateLeft is not null) context.Say(lateLeft, value.Left);
            if (!value.IsLeft && lateRight is not null) context.Say(lateRight, value.Right);
            return;
        }

        var moment = new Moment(context.Timestamp, _number.Value);
        _number.Value++;
        if (value.IsLeft) TakeLeft(moment, value.Left, context);
        else TakeRight(moment, value.Right, context);
    }

    public override void OnTimer(StreamTimer timer, ProcessContext<TKey, TOut> context)
    {
        if (timer.Name == LeftEnd) Drop(_left, EventTime.Subtract(timer.Time, interval.KeepsLeft));
        else Drop(_right, EventTime.Subtract(timer.Time, interval.KeepsRight));
        if (_left.Count == 0 && _right.Count == 0) _number.Clear();
    }

    private void TakeLeft(Moment moment, TLeft value, ProcessContext<TKey, TOut> context)
    {
        _left.Set(moment, value);
        context.SetTimer(TimerKind.EventTime, LeftEnd, EventTime.Add(moment.Time, interval.KeepsLeft));
        foreach (var (at, other) in _right.Entries)
        {
            if (interval.Holds(moment.Time, at.Time)) Say(context, at.Time, select(value, other));
        }
    }

    private void TakeRight(Moment moment, TRight value, ProcessContext<TKey, TOut> context)
    {
        _right.Set(moment, value);
        context.SetTimer(TimerKind.EventTime, RightEnd, EventTime.Add(moment.Time, interval.KeepsRight));
        foreach (var (at, other) in _left.Entries)
        {
            if (interval.Holds(at.Time, moment.Time)) Say(context, at.Time, select(other, value));
        }
    }

    /// <summary>A pair's time is the later of the two.</summary>
    private static void Say(ProcessContext<TKey, TOut> context, long otherTime, TOut pair) =>
        context.SayAt(pair, Math.Max(context.Timestamp, otherTime));

    private static void Drop<T>(MapState<Moment, T> side, long time)
    {
        foreach (var (moment, _) in side.Entries)
        {
            if (moment.Time <= time) side.Remove(moment);
        }
    }
}

/// <summary>When a record came to be, and which of those of its key it is.</summary>
internal readonly record struct Moment(long Time, long Number)
{
    public static StateCodec<Moment> Codec { get; } = new(
        1,
        (moment, output) =>
        {
            States.StateBytes.WriteOrdered(output, moment.Time);
            States.StateBytes.WriteOrdered(output, moment.Number);
        },
        bytes => new Moment(States.StateBytes.ReadOrdered(ref bytes), States.StateBytes.ReadOrdered(ref bytes)));
}

/// <summary>Both sides' records of a window.</summary>
internal sealed record Sides<TLeft, TRight>(List<TLeft> Left, List<TRight> Right);

/// <summary>Gathers a window's records of two streams.</summary>
internal sealed class WindowJoining<TLeft, TRight> : IAggregate<Either<TLeft, TRight>, Sides<TLeft, TRight>, Sides<TLeft, TRight>>
{
    public Sides<TLeft, TRight> Create() => new([], []);

    public Sides<TLeft, TRight> Add(Sides<TLeft, TRight> accumulator, Either<TLeft, TRight> value)
    {
        if (value.IsLeft) accumulator.Left.Add(value.Left);
        else accumulator.Right.Add(value.Right);
        return accumulator;
    }

    public Sides<TLeft, TRight> Merge(Sides<TLeft, TRight> left, Sides<TLeft, TRight> right) =>
        new([.. left.Left, .. right.Left], [.. left.Right, .. right.Right]);

    public Sides<TLeft, TRight> Result(Sides<TLeft, TRight> accumulator) => accumulator;
}

/// <summary>A stream with the latest value of a table, by the key.</summary>
internal sealed class TableJoining<TKey, T, TTable, TOut>(
    Func<T, TTable?, TOut> select, StateCodec<TTable> table, bool isOuter) : ProcessFunction<TKey, Either<T, TTable>, TOut>
    where TKey : notnull
{
    private ValueState<TTable> _table = null!;

    public override void Open(StateDeclarations states) => _table = states.Value("table", new StateOptions<TTable> { Codec = table });

    public override void OnRecord(Either<T, TTable> value, ProcessContext<TKey, TOut> context)
    {
        if (!value.IsLeft)
        {
            _table.Value = value.Right;
            return;
        }

        if (_table.HasValue) context.Say(select(value.Left, _table.Value));
        else if (isOuter) context.Say(select(value.Left, default));
    }
}

/// <summary>The latest values of two tables, each time that one of them changes.</summary>
internal sealed class TablesJoining<TKey, TLeft, TRight, TOut>(
    Func<TLeft, TRight, TOut> select, StateCodec<TLeft> left, StateCodec<TRight> right) : ProcessFunction<TKey, Either<TLeft, TRight>, TOut>
    where TKey : notnull
{
    private ValueState<TLeft> _left = null!;
    private ValueState<TRight> _right = null!;

    public override void Open(StateDeclarations states)
    {
        _left = states.Value("left", new StateOptions<TLeft> { Codec = left });
        _right = states.Value("right", new StateOptions<TRight> { Codec = right });
    }

    public override void OnRecord(Either<TLeft, TRight> value, ProcessContext<TKey, TOut> context)
    {
        if (value.IsLeft) _left.Value = value.Left;
        else _right.Value = value.Right;
        if (_left.HasValue && _right.HasValue) context.Say(select(_left.Value!, _right.Value!));
    }
}

/// <summary>The first record of a key, and again the first one after a time.</summary>
internal sealed class Deduplication<TKey, T>(long keepFor) : ProcessFunction<TKey, T, T>
    where TKey : notnull
{
    private ValueState<long> _seen = null!;

    public override void Open(StateDeclarations states) => _seen = states.Value<long>("seen");

    public override void OnRecord(T value, ProcessContext<TKey, T> context)
    {
        if (_seen.HasValue) return;
        _seen.Value = context.Timestamp;
        context.SetTimer(TimerKind.EventTime, "", EventTime.Add(context.Timestamp, keepFor));
        context.Say(value);
    }

    public override void OnTimer(StreamTimer timer, ProcessContext<TKey, T> context) => _seen.Clear();
}

/// <summary>The greatest records of a key.</summary>
internal sealed class Ranking<TKey, T>(int count, Comparison<T> compare, StateCodec<T> codec) : ProcessFunction<TKey, T, Ranked<TKey, T>>
    where TKey : notnull
{
    private ListState<T> _top = null!;

    public override void Open(StateDeclarations states) => _top = states.List("top", new StateOptions<T> { Codec = codec });

    public override void OnRecord(T value, ProcessContext<TKey, Ranked<TKey, T>> context)
    {
        var top = _top.Items.ToList();
        var at = top.Count;
        while (at > 0 && compare(value, top[at - 1]) > 0) at--;
        if (at == count) return;
        top.Insert(at, value);
        if (top.Count > count) top.RemoveAt(count);
        _top.Set(top);
        for (var rank = at; rank < top.Count; rank++) context.Say(new Ranked<TKey, T>(context.Key, rank + 1, top[rank]));
    }
}
