using System.Diagnostics;
using System.Text;

namespace Millrace.Messaging;

/// <summary>
/// One record on its way through the handlers of a partition: what was read, what the handler said, how it ended. Used again for other
/// records. Not thread safe: a handler's task has it between its start and its end, the partition's loop otherwise.
/// </summary>
internal sealed class HandlerCall(int stores) : IDisposable
{
    /// <summary>The most events that one event may lead to: a handler that never ends its sequence must not end the process.</summary>
    public const int SaidMax = 10_000;

    private readonly object?[] _states = new object?[stores];
    private readonly List<object> _said = [];

    // Fields, not properties: both are large, and are passed by reference.
    public Record Record;
    public EventView View;

    public TopicPartition Source { get; private set; }

    /// <summary>The group's name, for the context.</summary>
    public string Group { get; private set; } = "";

    /// <summary>What handles it; null for a record that is no event.</summary>
    public HandlerMethod? Handler { get; private set; }

    /// <summary>The event's contract, which may be an old version's.</summary>
    public EventContract? Contract { get; private set; }

    public UInt128 Identity { get; private set; }

    public TimeProvider Time { get; private set; } = TimeProvider.System;

    public CancellationToken Cancellation { get; private set; }

    /// <summary>The event's data, once it was read.</summary>
    public object? Data { get; set; }

    /// <summary>How many times the handler was called.</summary>
    public int Attempt { get; set; }

    public KeyEntry? Entry { get; set; }

    /// <summary>The next event of the same key, waiting for this one.</summary>
    public HandlerCall? Next { get; set; }

    public Activity? Activity { get; set; }

    public long StartedAt { get; set; }

    /// <summary>What the step under way ended with: the handler's task, or the pause before the next attempt.</summary>
    public Exception? StepFailure { get; set; }

    /// <summary>Whether the step under way is a pause.</summary>
    public bool IsPausing { get; set; }

    /// <summary>Whether nothing more is to be done but to put the outcome into the scope.</summary>
    public bool HasEnded { get; set; }

    /// <summary>Why the record becomes a dead letter; null when it was handled.</summary>
    public Exception? DeadLetterReason { get; set; }

    /// <summary>What was said, as records, when it could not go to the scope at once.</summary>
    public StagedRecords? Staged { get; set; }

    public IReadOnlyList<object> Said => _said;

    public MessageContext Context => new()
    {
        Group = Group,
        Source = Text(View.Source),
        EventId = Text(View.Id),
        Type = Contract!.Type,
        Topic = Source.Topic,
        Partition = Source.Partition,
        Offset = Record.Offset,
        Key = Record.HasKey ? Text(Record.Key) : null,
        CorrelationId = Text(View.CorrelationId.IsEmpty ? View.Id : View.CorrelationId),
        Time = View.Time ?? DateTimeOffset.FromUnixTimeMilliseconds(Record.Timestamp),
        Attempt = Attempt,
    };

    public void Begin(in Record record, TopicPartition source) => (Record, Source) = (record, source);

    public void Begin(in EventView view, EventContract contract, HandlerMethod handler, UInt128 identity)
    {
        View = view;
        (Contract, Handler, Identity) = (contract, handler, identity);
    }

    public void Surround(string group, TimeProvider time, CancellationToken cancellation) =>
        (Group, Time, Cancellation) = (group, time, cancellation);

    public object StateAt(int store) => _states[store] ?? throw new InvalidOperationException($"The state store {store} was not opened.");

    public void SetState(int store, object state) => _states[store] = state;

    public void Say(object? data)
    {
        if (data is null) return;
        if (_said.Count == SaidMax)
            throw new InvalidOperationException($"The handler says more than {SaidMax} events for one; divide the work.");
        _said.Add(data);
    }

    public void SayAll<TItem>(IEnumerable<TItem>? items)
    {
        if (items is null) return;
        foreach (var item in items) Say(item);
    }

    /// <summary>Forgets what an attempt left.</summary>
    public void ForgetAttempt()
    {
        _said.Clear();
        Staged?.Clear();
    }

    /// <summary>Makes it ready for another record; it holds nothing of the old one's memory.</summary>
    public void Reset()
    {
        ForgetAttempt();
        Array.Clear(_states);
        (Record, View) = (default, default);
        (Handler, Contract, Data, Entry, Next, Activity) = (null, null, null, null, null, null);
        (StepFailure, DeadLetterReason) = (null, null);
        (Attempt, IsPausing, HasEnded) = (0, false, false);
    }

    public void Dispose() => Staged?.Dispose();

    private static string Text(ReadOnlyMemory<byte> utf8) => Encoding.UTF8.GetString(utf8.Span);
}
