using System.Collections.Concurrent;
using System.Globalization;
using Confluent.Kafka;
using Millrace.Kafka.Clients;

namespace Millrace.Kafka.Reading;

/// <summary>
/// One consumer with one thread that serves many readers, each of another partition. A partition is free for the next reader only when the
/// thread itself has given it back between two calls: a record of the reader before could else be taken for one of the next.
/// </summary>
internal sealed class Fetcher : IDisposable
{
    private const int RecordsPerWake = 1_000;

    private static readonly TimeSpan PollTime = TimeSpan.FromMilliseconds(50);

    private readonly Lock _gate = new(); // guards _readers' being assigned and given back
    private readonly Dictionary<Confluent.Kafka.TopicPartition, KafkaReader> _readers = [];
    private readonly ConcurrentQueue<KafkaReader> _closed = new();
    private readonly ConcurrentQueue<KafkaReader> _drained = new();
    private readonly List<KafkaReader> _woken = []; // those that got something which they do not show yet
    private readonly IConsumer<byte[]?, byte[]?> _consumer;
    private readonly int _readerBytesMax;
    private readonly Task _loop;
    private volatile bool _isStopping;
    private Confluent.Kafka.TopicPartition? _lastSource;
    private KafkaReader? _last; // of _lastSource: records come in runs of one partition

    public Fetcher(ClientFactory clients, KafkaOptions options)
    {
        _consumer = clients.Fetcher();
        _readerBytesMax = options.ReaderBytesMax;
        _loop = Task.Factory.StartNew(Run, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    /// <summary>How many partitions it reads.</summary>
    public int Load
    {
        get
        {
            lock (_gate) return _readers.Count;
        }
    }

    /// <summary>Opens a reader, or returns null when the partition is taken here.</summary>
    public KafkaReader? TryOpen(TopicPartition source, long offset)
    {
        var partition = new Confluent.Kafka.TopicPartition(source.Topic, source.Partition);
        lock (_gate)
        {
            if (_isStopping) throw Requests.Stopped();
            if (_readers.ContainsKey(partition)) return null;
            var reader = new KafkaReader(this, source, offset, _readerBytesMax);
            _consumer.IncrementalAssign([new Confluent.Kafka.TopicPartitionOffset(partition, offset)]);
            _readers.Add(partition, reader);
            return reader;
        }
    }

    /// <summary>A reader is not read any more; its partition is given back soon.</summary>
    public void Close(KafkaReader reader) => _closed.Enqueue(reader);

    /// <summary>Something was taken from a reader: if its partition is paused, it may go on.</summary>
    public void Wake(KafkaReader reader)
    {
        if (reader.IsPaused && reader.HasRoom()) _drained.Enqueue(reader);
    }

    /// <summary>The topic is deleted: its readers end.</summary>
    public void Fail(string topic, MillraceException failure)
    {
        lock (_gate)
        {
            foreach (var (partition, reader) in _readers)
            {
                if (partition.Topic == topic) reader.Fail(failure);
            }
        }
    }

    /// <summary>Ends the thread and all readers.</summary>
    public void Dispose()
    {
        _isStopping = true;
        _loop.Wait();
    }

    private void Run()
    {
        while (!_isStopping)
        {
            try
            {
                GiveBack();
                Resume();
                Take();
            }
            catch (ConsumeException failure)
            {
                Fail(failure);
            }
            catch (KafkaException failure)
            {
                FailAll(KafkaErrors.ToFailure("Reading", failure.Error, failure));
            }
        }

        FailAll(Requests.Stopped());
        _consumer.Dispose();
    }

    /// <summary>Waits for a record and takes all that came with it, before anyone sees any of it: they read batches.</summary>
    private void Take()
    {
        if (_consumer.Consume(PollTime) is not { } result) return;
        try
        {
            for (var left = RecordsPerWake; result is not null; left--)
            {
                Take(result);
                if (left == 0) return;
                result = _consumer.Consume(TimeSpan.Zero);
            }
        }
        finally
        {
            foreach (var reader in _woken) reader.Show();
            _woken.Clear();
        }
    }

    private void Take(ConsumeResult<byte[]?, byte[]?> result)
    {
        if (Find(result.TopicPartition) is not { } reader) return;
        if (_woken.Count == 0 || _woken[^1] != reader) _woken.Add(reader);
        if (result.IsPartitionEOF)
        {
            reader.ReachEnd(result.Offset.Value);
            return;
        }

        if (!reader.Add(result) || reader.IsPaused) return;
        _consumer.Pause([result.TopicPartition]);
        reader.IsPaused = true;
        if (reader.HasRoom()) _drained.Enqueue(reader); // it was taken from meanwhile
    }

    private KafkaReader? Find(Confluent.Kafka.TopicPartition partition)
    {
        if (_last is not null && _lastSource is not null && _lastSource.Equals(partition)) return _last;
        lock (_gate)
        {
            if (!_readers.TryGetValue(partition, out var reader)) return null;
            (_lastSource, _last) = (partition, reader);
            return reader;
        }
    }

    private void GiveBack()
    {
        while (_closed.TryDequeue(out var reader))
        {
            var partition = new Confluent.Kafka.TopicPartition(reader.Source.Topic, reader.Source.Partition);
            lock (_gate)
            {
                if (!_readers.TryGetValue(partition, out var present) || present != reader) continue;
                if (reader.IsPaused) _consumer.Resume([partition]);
                _consumer.IncrementalUnassign([partition]);
                _readers.Remove(partition);
            }

            if (_last == reader) _last = null;
        }
    }

    private void Resume()
    {
        while (_drained.TryDequeue(out var reader))
        {
            if (!reader.IsPaused || reader.IsClosed || !reader.HasRoom()) continue;
            _consumer.Resume([new Confluent.Kafka.TopicPartition(reader.Source.Topic, reader.Source.Partition)]);
            reader.IsPaused = false;
        }
    }

    /// <summary>What a consumer reports of one partition ends that partition's reader; what passes by itself it does not report.</summary>
    private void Fail(ConsumeException failure)
    {
        if (failure.ConsumerRecord?.TopicPartition is not { } partition || Find(partition) is not { } reader) return;
        reader.Fail(KafkaErrors.ToFailure(
            string.Create(CultureInfo.InvariantCulture, $"Reading {reader.Source} at offset {reader.Offset}"), failure.Error, failure));
    }

    private void FailAll(MillraceException failure)
    {
        lock (_gate)
        {
            foreach (var reader in _readers.Values) reader.Fail(failure);
        }
    }
}

/// <summary>The engine's fetchers: readers go where the fewest are. Thread safe.</summary>
internal sealed class FetcherPool(ClientFactory clients, KafkaOptions options) : IDisposable
{
    private readonly Lock _gate = new(); // guards the two below
    private readonly List<Fetcher> _fetchers = [];
    private bool _isStopped;

    public KafkaReader Open(TopicPartition source, long offset)
    {
        lock (_gate)
        {
            foreach (var fetcher in Started().OrderBy(fetcher => fetcher.Load).ToList())
            {
                if (fetcher.TryOpen(source, offset) is { } reader) return reader;
            }

            var another = new Fetcher(clients, options);
            _fetchers.Add(another);
            return another.TryOpen(source, offset)!;
        }
    }

    public void Fail(string topic, MillraceException failure)
    {
        lock (_gate) _fetchers.ForEach(fetcher => fetcher.Fail(topic, failure));
    }

    public void Dispose()
    {
        List<Fetcher> fetchers;
        lock (_gate)
        {
            _isStopped = true;
            fetchers = [.. _fetchers];
            _fetchers.Clear();
        }

        fetchers.ForEach(fetcher => fetcher.Dispose());
    }

    private List<Fetcher> Started()
    {
        if (_isStopped) throw Requests.Stopped();
        while (_fetchers.Count < options.Fetchers) _fetchers.Add(new Fetcher(clients, options));
        return _fetchers;
    }
}
