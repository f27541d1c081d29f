using Microsoft.Extensions.Logging;
using Millrace.Relational.Contract;

namespace Millrace.Sqlite.Tests;

/// <summary>A database that is behind what it had is told; a position that only went on past offsets without a record is not.</summary>
public sealed class SetBackTests : IAsyncDisposable
{
    private const int Behind = 5002;

    private readonly SqliteHost _host = new();
    private readonly Seen _seen = new();
    private readonly Dictionary<string, byte[]> _state = [];

    [Fact]
    public async Task Offsets_without_a_record_are_no_gap_in_the_database()
    {
        await RunAsync(epoch: 1, offset: 0, "a 0 1", "a 1 1");

        // Offset 2 was the marker of a transaction: the engine's position is 3, the database's 2.
        await RunAsync(epoch: 2, offset: 3, "a 2 1");

        Assert.Empty(_seen.Warnings);
    }

    [Fact]
    public async Task A_database_that_was_set_back_is_told_with_the_offsets_that_are_missing()
    {
        await RunAsync(epoch: 1, offset: 0, "a 0 1", "a 1 1", "a 2 1");
        await _host.ExecuteAsync("UPDATE millrace_positions SET next_offset = 1", TestContext.Current.CancellationToken);

        await RunAsync(epoch: 2, offset: 3, "a 3 1");

        Assert.Contains("ends at offset 1 of readings-0", Assert.Single(_seen.Warnings), StringComparison.Ordinal);
    }

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    private async Task RunAsync(long epoch, long offset, params string[] texts)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_host.Path)!);
        await using var database = new SqliteDatabase(new SqliteOptions { Path = _host.Path, LoggerFactory = _seen });
        using var instance = new SinkInstance(database, Readings.Sink, epoch, state: _state);
        await instance.ProcessAsync(offset, texts);
    }

    private sealed class Seen : ILoggerFactory, ILogger
    {
        public List<string> Warnings { get; } = [];

        public ILogger CreateLogger(string categoryName) => this;

        public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (eventId.Id == Behind) Warnings.Add(formatter(state, exception));
        }

        public void Dispose()
        {
        }
    }
}
