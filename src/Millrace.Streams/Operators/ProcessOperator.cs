using System.Text;
using Millrace.Streams.Definition;
using Millrace.Streams.Keyed;
using Millrace.Streams.States;

namespace Millrace.Streams.Operators;

/// <summary>What a process operator works by.</summary>
internal sealed record ProcessWork<TKey, TIn, TOut>(Keying<TKey, TIn> Keying, Func<ProcessFunction<TKey, TIn, TOut>> Create)
    where TKey : notnull;

/// <summary>Where a process operator's records go, and the instance that it is in.</summary>
internal sealed record ProcessSinks<TIn, TOut>(TopologyInstance Instance, Sink<TIn>? Keyless, Outlet[] Sides, Sink<TOut> Output);

/// <summary>Calls a function for each record and each timer that is due, with the key's states in hand.</summary>
internal sealed class ProcessOperator<TKey, TIn, TOut> : Sink<TIn>, IStatefulOperator, IClockedOperator
    where TKey : notnull
{
    private const byte StoreKind = 6;

    private readonly ProcessSinks<TIn, TOut> _sinks;
    private readonly Func<TIn, TKey> _selector;
    private readonly ProcessFunction<TKey, TIn, TOut> _function;
    private readonly KeyedStates<TKey> _states;
    private readonly StateHand<TKey> _hand;
    private readonly TimerSet<TKey> _eventTimers;
    private readonly TimerSet<TKey> _clockTimers;
    private readonly StoreHead _head;
    private readonly string _store;
    private readonly Context _context;

    public ProcessOperator(TopologyNode node, ProcessWork<TKey, TIn, TOut> work, ProcessSinks<TIn, TOut> sinks)
    {
        _sinks = sinks;
        _selector = work.Keying.Selector;
        var codec = work.Keying.Codec;
        var instance = sinks.Instance;
        _store = $"{node.Prefix}-process";
        _head = new StoreHead(_store, StoreKind, codec.Version);
        _hand = new StateHand<TKey>(codec, () => instance.Host.Now, () => instance.HasActed = true, instance.Spill);
        _states = new KeyedStates<TKey>($"{node.Prefix}-state", _hand);
        _eventTimers = TimerSet<TKey>.Make($"{node.Prefix}-timers", codec, _hand.Change, instance.Spill);
        _clockTimers = TimerSet<TKey>.Make($"{node.Prefix}-clock", codec, _hand.Change, instance.Spill);
        _context = new Context(this);
        _function = work.Create() ?? throw new InvalidOperationException($"The function of operator '{node.Id}: {node.Title}' is null.");
        _function.Open(_states);
        _states.Close();
    }

    public OperatorCounts Counts { get; } = new();

    public int Entries => _states.Entries + _eventTimers.Count + _clockTimers.Count;

    public long EntryBytes => _states.Bytes;

    public long MemoryBytes => _states.MemoryBytes;

    public long Watermark { get; private set; } = long.MinValue;

    public long WaitsFor => _eventTimers.Next;

    public long NextDue => _clockTimers.Next;

    public override void Push(TIn value, long timestamp)
    {
        Counts.In++;
        var key = _selector(value);
        if (key is null)
        {
            Counts.Keyless++;
            _sinks.Keyless?.Push(value, timestamp);
            return;
        }

        _hand.Key = key;
        _context.Time = timestamp;
        _function.OnRecord(value, _context);
        // A timer for a time that has come already does not wait for the next watermark.
        if (_eventTimers.Next <= Watermark) Fire(TimerKind.EventTime, _eventTimers, Watermark);
    }

    public override void Advance(long watermark)
    {
        if (watermark <= Watermark) return;
        Watermark = watermark;
        Fire(TimerKind.EventTime, _eventTimers, watermark);
        _sinks.Keyless?.Advance(watermark);
        foreach (var side in _sinks.Sides) side.Advance(watermark);
        _sinks.Output.Advance(watermark);
    }

    public override void SetIdle(bool isIdle)
    {
        _sinks.Keyless?.SetIdle(isIdle);
        foreach (var side in _sinks.Sides) side.SetIdle(isIdle);
        _sinks.Output.SetIdle(isIdle);
    }

    public void AdvanceClock(long now) => Fire(TimerKind.ProcessingTime, _clockTimers, now);

    public void Save(StateScope scope)
    {
        _head.Save(scope, Watermark);
        _states.Save(scope);
        _eventTimers.Save(scope);
        _clockTimers.Save(scope);
    }

    public void Restore(StateScope scope)
    {
        foreach (var (key, value) in scope.Scan(_store))
        {
            if (key.IsEmpty) Watermark = _head.Read(value.Span);
        }

        _states.Restore(scope);
        _eventTimers.Restore(scope);
        _clockTimers.Restore(scope);
    }

    private void Fire(TimerKind kind, TimerSet<TKey> timers, long now)
    {
        while (timers.TryTake(now, out var timer))
        {
            if (kind == TimerKind.ProcessingTime) _sinks.Instance.Host.Tick(); // one that is set for now is not due now again
            _hand.Key = timer.Key;
            _context.Time = timer.Time;
            _function.OnTimer(new StreamTimer(kind, timer.Name, timer.Time), _context);
        }
    }

    private sealed class Context(ProcessOperator<TKey, TIn, TOut> one) : ProcessContext<TKey, TOut>
    {
        private const int NameBytesMax = 255;

        public long Time { get; set; }

        public override TKey Key => one._hand.Key;

        public override long Timestamp => Time;

        public override long Watermark => one.Watermark;

        public override long Now => one._sinks.Instance.Host.Now;

        public override void Say(TOut value) => SayAt(value, Time);

        internal override void SayAt(TOut value, long timestamp)
        {
            one.Counts.Out++;
            one._hand.Change();
            one._sinks.Output.Push(value, timestamp);
        }

        public override void Say<T>(OutputTag<T> tag, T value)
        {
            ArgumentNullException.ThrowIfNull(tag);
            one._hand.Change();
            Outlet.Find(one._sinks.Sides, tag).Push(value, Time);
        }

        public override void SetTimer(TimerKind kind, string name, long time) => Of(kind, name).Set(Key, name, time);

        public override void RepeatTimer(TimerKind kind, string name, TimeSpan period, long start)
        {
            var milliseconds = EventTime.Milliseconds(period);
            if (milliseconds < 1)
                throw new ArgumentOutOfRangeException(nameof(period), period, "A timer's period is at least a millisecond.");
            Of(kind, name).Repeat(Key, name, milliseconds, start);
        }

        public override void CancelTimer(TimerKind kind, string name, long time) => Of(kind, name).Cancel(Key, name, time);

        public override void CancelRepeating(TimerKind kind, string name) => Of(kind, name).CancelRepeating(Key, name);

        private TimerSet<TKey> Of(TimerKind kind, string name)
        {
            ArgumentNullException.ThrowIfNull(name);
            if (Encoding.UTF8.GetByteCount(name) > NameBytesMax)
            {
                throw new ArgumentException(
                    $"A timer's name has at most {NameBytesMax} bytes of UTF-8; '{name[..20]}...' has more.", nameof(name));
            }

            return kind switch
            {
                TimerKind.EventTime => one._eventTimers,
                TimerKind.ProcessingTime => one._clockTimers,
                _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "There is no such kind of timer."),
            };
        }
    }
}
