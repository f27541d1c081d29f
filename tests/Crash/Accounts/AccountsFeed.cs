using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;
using Confluent.Kafka;

namespace Millrace.Crash.Accounts;

/// <summary>
/// Books all the time, with a plain idempotent producer, and keeps what was acknowledged where. A producer that fails for good is replaced;
/// what it had under way then is in the topic or not, and what the topic holds is what counts.
/// </summary>
internal sealed class AccountsFeed : IAsyncDisposable
{
    private const int TicksPerSecond = 50;

    private readonly string _bootstrap;
    private readonly int _rate;
    private readonly Random _random;
    private readonly long[] _numbers = new long[AccountTopics.Accounts];
    private readonly ConcurrentQueue<Acknowledged> _acknowledged = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _running;
    private IProducer<string, string> _producer;
    private volatile bool _isBroken;
    private int _renewals;

    /// <summary>Begins to book.</summary>
    /// <param name="bootstrap">The broker.</param>
    /// <param name="rate">How many bookings a second.</param>
    /// <param name="seed">Which accounts and amounts.</param>
    public AccountsFeed(string bootstrap, int rate, int seed)
    {
        (_bootstrap, _rate, _random) = (bootstrap, rate, new Random(seed));
        _producer = Make();
        _running = Task.Run(RunAsync);
    }

    /// <summary>What the broker acknowledged.</summary>
    public IReadOnlyCollection<Acknowledged> AcknowledgedBookings => _acknowledged;

    /// <summary>How often the producer had to be replaced.</summary>
    public int Renewals => _renewals;

    /// <summary>Books no more, and waits until all that was booked is acknowledged or has failed.</summary>
    public async Task EndAsync(TimeSpan within)
    {
        await _stop.CancelAsync();
        await _running;
        var since = Stopwatch.GetTimestamp();
        while (_producer.Flush(TimeSpan.FromMilliseconds(100)) > 0)
        {
            if (Stopwatch.GetElapsedTime(since) > within)
                throw new InvalidOperationException($"What was booked is not acknowledged {within.TotalSeconds} s after the last booking.");
            await Task.Yield();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        _producer.Dispose();
        _stop.Dispose();
    }

    private async Task RunAsync()
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1) / TicksPerSecond);
        while (!_stop.IsCancellationRequested)
        {
            await timer.WaitForNextTickAsync(CancellationToken.None);
            if (_isBroken) Renew();
            for (var left = _random.Next(2 * _rate / TicksPerSecond + 1); left > 0 && TryBook(); left--)
            {
            }
        }
    }

    /// <summary>Books once; false when too much waits for the broker.</summary>
    private bool TryBook()
    {
        var index = _random.Next(AccountTopics.Accounts);
        var account = AccountTopics.AccountAt(index);
        var partition = new TopicPartition(
            AccountTopics.Bookings, Partitioner.PartitionOf(Encoding.UTF8.GetBytes(account), AccountTopics.Partitions));
        var booking = new Booking(_numbers[index] + 1, _random.Next(-1_000, 1_001));
        var message = new Message<string, string> { Key = account, Value = booking.ToString() };
        try
        {
            _producer.Produce(new Confluent.Kafka.TopicPartition(partition.Topic, partition.Partition), message, report =>
            {
                if (!report.Error.IsError)
                    _acknowledged.Enqueue(new Acknowledged(partition.Partition, report.Offset.Value, account, booking.Number));
            });
            _numbers[index]++;
            return true;
        }
        catch (ProduceException<string, string>)
        {
            return false;
        }
    }

    private void Renew()
    {
        _producer.Dispose();
        _isBroken = false;
        _renewals++;
        _producer = Make();
    }

    private IProducer<string, string> Make() => new ProducerBuilder<string, string>(new ProducerConfig
    {
        BootstrapServers = _bootstrap,
        EnableIdempotence = true,
        LingerMs = 2,
        MessageTimeoutMs = 600_000,
        QueueBufferingMaxMessages = 20_000,
        ReconnectBackoffMs = 50,
        ReconnectBackoffMaxMs = 500,
    })
        .SetErrorHandler((_, error) => _isBroken |= error.IsFatal)
        .SetLogHandler((_, _) => { })
        .Build();
}

/// <summary>A booking that the broker acknowledged.</summary>
internal readonly record struct Acknowledged(int Partition, long Offset, string Account, long Number);
