using System.Buffers;
using Millrace.Streams.Definition;
using Millrace.Streams.States;

namespace Millrace.Streams.Windowing;

/// <summary>What windows of every kind have in common: keys, lateness, what a pane is, and its bytes.</summary>
internal abstract class WindowingOperator<TKey, T, TAccumulator, TOut> : Sink<T>, IStatefulOperator
    where TKey : notnull
{
    private readonly Sink<T>? _late;
    private readonly Sink<T>? _keyless;
    private readonly Sink<Windowed<TKey, TOut>> _output;
    private readonly StateCodec<TAccumulator> _codec;
    private readonly IAggregate<T, TAccumulator, TOut> _aggregate;
    private readonly StoreHead _head;
    private readonly ArrayBufferWriter<byte> _key = new();
    private readonly ArrayBufferWriter<byte> _value = new();
    private readonly TopologyInstance _instance;
    private readonly PaneLayout _layout;
    private readonly SizedWriter _sized = new();
    private MeanBytes _mean;

    protected WindowingOperator(
        string store, byte kind, PaneLayout layout, WindowWork<TKey, T, TAccumulator, TOut> work, WindowSinks<TKey, T, TOut> sinks)
    {
        Store = store;
        _layout = layout;
        Keying = work.Keying;
        Trigger = work.Settings.Trigger ?? Trigger.OnTime;
        Lateness = work.Settings.Lateness;
        _aggregate = work.Aggregate;
        _codec = work.Codec;
        _late = sinks.Late;
        _keyless = sinks.Keyless;
        _output = sinks.Output;
        _head = new StoreHead(store, kind, work.Keying.Codec.Version);
        _instance = sinks.Instance;
    }

    public OperatorCounts Counts { get; } = new();

    public long Watermark { get; private set; } = long.MinValue;

    public abstract int Entries { get; }

    public abstract long WaitsFor { get; }

    public long EntryBytes => BytesOf(Entries);

    public virtual long MemoryBytes => EntryBytes;

    protected string Store { get; }

    protected Trigger Trigger { get; }

    protected long Lateness { get; }

    /// <summary>The number that the next pane gets: panes of one moment say their results in this order, also after a restore.</summary>
    protected long NextOrdinal { get; set; }

    /// <summary>How many entries the store has, for its head.</summary>
    protected virtual long EntriesKept => StoreHead.Uncounted;

    private Keying<TKey, T> Keying { get; }

    private bool IsByKey => _layout != PaneLayout.ByWindow;

    private bool HasOrdinalInKey => _layout == PaneLayout.ByKeyAndOrdinal;

    public override void Push(T value, long timestamp)
    {
        Counts.In++;
        var key = Keying.Selector(value);
        if (key is null)
        {
            Counts.Keyless++;
            _keyless?.Push(value, timestamp);
            return;
        }

        _instance.HasActed = true;
        if (Add(key, value, timestamp)) return;
        Counts.Late++;
        _late?.Push(value, timestamp);
    }

    public override void Advance(long watermark)
    {
        if (watermark <= Watermark) return;
        Watermark = watermark;
        Fire(watermark);
        _late?.Advance(watermark);
        _keyless?.Advance(watermark);
        _output.Advance(watermark);
    }

    public override void SetIdle(bool isIdle)
    {
        _late?.SetIdle(isIdle);
        _keyless?.SetIdle(isIdle);
        _output.SetIdle(isIdle);
    }

    public void Save(StateScope scope)
    {
        _head.Save(scope, Watermark, EntriesKept);
        SavePanes(scope);
    }

    public abstract void Restore(StateScope scope);

    /// <summary>Adds a record to its windows. Returns false when it is late.</summary>
    protected abstract bool Add(TKey key, T value, long timestamp);

    /// <summary>Fires and closes what is due at the watermark, in order of time.</summary>
    protected abstract void Fire(long watermark);

    protected abstract void SavePanes(StateScope scope);

    /// <summary>All panes, in the order in which they came to be, and the watermark.</summary>
    protected IEnumerable<StoredPane> RestoreAll(StateScope scope)
    {
        var stored = new List<StoredPane>();
        foreach (var (key, value) in scope.Scan(Store))
        {
            if (key.IsEmpty) Watermark = _head.Read(value.Span);
            else stored.Add(Read(key.Span, value.Span));
        }

        // By their bytes where no order was kept.
        if (stored.Count > 0) NextOrdinal = stored.Max(pane => pane.Ordinal) + 1;
        return stored.OrderBy(pane => pane.Ordinal);
    }

    /// <summary>The watermark that was saved, and how many entries; null before anything was.</summary>
    protected long? RestoreHead(StateScope scope)
    {
        if (_head.Find(scope) is not { } head) return null;
        Watermark = head.Number;
        return head.Entries;
    }

    protected long BytesOf(long entries) => _mean.Of(entries);

    protected bool IsLate(Window window) => CloseTime(window) <= Watermark;

    protected long CloseTime(Window window) => EventTime.Add(window.MaxTimestamp, Lateness);

    protected void Accumulate(ref Pane pane, T value)
    {
        if (!pane.HasValue) pane.Accumulator = _aggregate.Create();
        pane.Accumulator = _aggregate.Add(pane.Accumulator, value);
        pane.HasValue = true;
    }

    protected TAccumulator Merge(TAccumulator left, TAccumulator right) => _aggregate.Merge(left, right);

    /// <summary>Does what the trigger wants. A pane without a record since it was purged has no result.</summary>
    protected void Act(TriggerActions actions, TKey key, Window window, ref Pane pane)
    {
        if (actions == TriggerActions.None || !pane.HasValue) return;
        if ((actions & TriggerActions.Fire) != 0) Say(key, window, pane.Accumulator, isRetraction: false);
        if ((actions & TriggerActions.Purge) == 0) return;
        pane.HasValue = false;
        pane.Accumulator = default!;
    }

    protected void Say(TKey key, Window window, TAccumulator accumulator, bool isRetraction)
    {
        Counts.Out++;
        _output.Push(new Windowed<TKey, TOut>(key, window, _aggregate.Result(accumulator), isRetraction), window.MaxTimestamp);
    }

    protected void Put(StateScope scope, TKey key, Window window, in Pane pane)
    {
        WriteKey(key, NumberOf(window, pane));
        _value.ResetWrittenCount();
        _value.WriteOrdered(HasOrdinalInKey ? window.Start : pane.Ordinal);
        _value.WriteByte((byte)((pane.HasValue ? 1 : 0) | (pane.HasFired ? 2 : 0) | (pane.HasEnded ? 4 : 0)));
        _value.WriteOrdered(window.End);
        _value.WriteOrdered(pane.TriggerState);
        _value.WriteInt32(_codec.Version);
        if (pane.HasValue) _codec.Write(pane.Accumulator, _value);
        _mean.See(_key.WrittenCount + _value.WrittenCount);
        scope.Put(Store, _key.WrittenSpan, _value.WrittenSpan);
    }

    /// <summary>What a pane's key in the store has beside its key: the window's start or the ordinal.</summary>
    protected long NumberOf(Window window, in Pane pane) => HasOrdinalInKey ? pane.Ordinal : window.Start;

    /// <summary>Removes a pane: by its window's start, or by its ordinal, as this operator stores them.</summary>
    protected void Delete(StateScope scope, TKey key, long startOrOrdinal) => scope.Delete(Store, WriteKey(key, startOrOrdinal));

    /// <summary>A pane's key in the store. Valid until the next one.</summary>
    protected ReadOnlySpan<byte> WriteKey(TKey key, long startOrOrdinal)
    {
        _key.ResetWrittenCount();
        if (IsByKey) _sized.Write(Keying.Codec, key, _key);
        _key.WriteOrdered(startOrOrdinal);
        if (!IsByKey) Keying.Codec.Write(key, _key);
        return _key.WrittenSpan;
    }

    /// <summary>What the panes of a key begin with in the store, if they are there by key.</summary>
    protected StateRange RangeOf(TKey key)
    {
        _key.ResetWrittenCount();
        _sized.Write(Keying.Codec, key, _key);
        return StateRange.Prefix(_key.WrittenSpan);
    }

    protected StoredPane Read(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        _mean.See(key.Length + value.Length);
        var keyBytes = IsByKey ? StateBytes.ReadSized(ref key) : default;
        var (inKey, inValue) = (StateBytes.ReadOrdered(ref key), StateBytes.ReadOrdered(ref value));
        if (!IsByKey) keyBytes = key;
        var (ordinal, start) = HasOrdinalInKey ? (inKey, inValue) : (inValue, inKey);
        var pane = new Pane { Ordinal = ordinal, IsStored = true };
        var flags = StateBytes.ReadByte(ref value);
        pane.HasValue = (flags & 1) != 0;
        pane.HasFired = (flags & 2) != 0;
        pane.HasEnded = (flags & 4) != 0;
        var window = new Window(start, StateBytes.ReadOrdered(ref value));
        pane.TriggerState = StateBytes.ReadOrdered(ref value);
        var version = StateBytes.ReadInt32(ref value);
        if (pane.HasValue) pane.Accumulator = _codec.Read(version, value, Store);
        return new StoredPane(pane.Ordinal, Keying.Codec.Read(Keying.Codec.Version, keyBytes, Store), window, pane);
    }

    /// <summary>What a key has in a window.</summary>
    protected struct Pane
    {
        public TAccumulator Accumulator;
        public long TriggerState;
        public long Ordinal;
        public bool HasValue;

        /// <summary>Whether the last result that was said still stands: a session that grows takes it back.</summary>
        public bool HasFired;

        /// <summary>Of a session: whether its end has come, and it waits for its close.</summary>
        public bool HasEnded;

        public bool IsDirty;
        public bool IsStored;
    }

    protected readonly record struct StoredPane(long Ordinal, TKey Key, Window Window, Pane Pane);
}

/// <summary>What a pane's key in the store is made of, in that order; the window's start or the ordinal, whichever it is not, is in the
/// value.</summary>
internal enum PaneLayout
{
    ByWindow,
    ByKeyAndOrdinal,
    ByKeyAndWindow,
}
