using System.Text;

namespace Millrace.Contract;

/// <summary>A processor whose calls are what a test says.</summary>
public sealed class Scripted : IPartitionProcessor, IDisposable
{
    /// <summary>What it does with records.</summary>
    public Func<FetchedRecords, CancellationToken, ValueTask> OnRecords { get; init; } = (_, _) => ValueTask.CompletedTask;

    /// <summary>What it does with a timer.</summary>
    public Action<DueTimer> OnTimer { get; init; } = _ => { };

    /// <summary>What it does before a commit.</summary>
    public Action OnCommit { get; init; } = () => { };

    /// <summary>What it does at its end.</summary>
    public Action OnDispose { get; init; } = () => { };

    /// <summary>A processor of one topic whose parts a function makes.</summary>
    public static Processor Define(string name, string topic, Func<ProcessorScope, Scripted> create) =>
        new() { Name = name, Topics = [topic], Create = create };

    /// <summary>A processor that does something with each record's value.</summary>
    public static Processor ForEach(string name, string topic, Action<ProcessorScope, string> handle) =>
        Define(name, topic, scope => new Scripted
        {
            OnRecords = (fetched, _) =>
            {
                foreach (var text in TextsOf(fetched)) handle(scope, text);
                return ValueTask.CompletedTask;
            },
        });

    /// <summary>Says what it reads to another topic, by the record's key, with a running count per key.</summary>
    public static Processor Counter(string name, string from, string to, Action? beforeEach = null) =>
        Define(name, from, scope => new Scripted
        {
            OnRecords = (fetched, _) =>
            {
                beforeEach?.Invoke();
                foreach (var text in TextsOf(fetched)) Count(scope, to, text);
                return ValueTask.CompletedTask;
            },
        });

    /// <summary>Says one record to another topic, by its key, with the count of its key.</summary>
    public static void Count(ProcessorScope scope, string to, string text)
    {
        var key = Bytes(text.Split('=')[0]);
        var count = scope.TryGet("counts", key, out var known) ? int.Parse(Text(known), null) + 1 : 1;
        scope.Put("counts", key, Bytes($"{count}"));
        scope.To(to, key).Add(0, key, Bytes($"{text}#{count}"));
    }

    /// <inheritdoc/>
    public ValueTask ProcessAsync(FetchedRecords records, CancellationToken cancellation) => OnRecords(records, cancellation);

    /// <inheritdoc/>
    public ValueTask OnTimerAsync(DueTimer timer, CancellationToken cancellation)
    {
        OnTimer(timer);
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public void BeforeCommit() => OnCommit();

    /// <inheritdoc/>
    public void Dispose() => OnDispose();

    private static IEnumerable<string> TextsOf(FetchedRecords fetched) => SeenRecord.AllOf(fetched).Select(record => record.Text);

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    private static string Text(ReadOnlyMemory<byte> bytes) => Encoding.UTF8.GetString(bytes.Span);
}
