using System.Globalization;
using Millrace;
using Millrace.Figures;
using Millrace.Messaging;

namespace KafkaFigures;

/// <summary>The processors that are measured: all of them say one record for each that they read.</summary>
internal static class Processors
{
    /// <summary>No state: the value with one bit of it turned, under the same key.</summary>
    public static Processor Mapping(string name, string input, string output, Gauge gauge) => new()
    {
        Name = name, Topics = [input], HasState = false, Create = scope => new Mapper(scope, output, gauge),
    };

    /// <summary>The same, and a count per key in keyed state.</summary>
    public static Processor Counting(string name, string input, string output, Gauge gauge) => new()
    {
        Name = name, Topics = [input], Create = scope => new Counter(scope, output, gauge),
    };

    /// <summary>A message handler: JSON in and out, and the events' ids remembered.</summary>
    public static Processor Handling(string name, string input, string output, Gauge gauge) => Handlers.Define(
        name, Registry(input, output), handlers => handlers.From(input).WithSource("/bench/payments").Handle((OrderPlaced placed) =>
        {
            gauge.Begin();
            return new OrderPaid(placed.OrderId, placed.Amount, "CREDIT_CARD");
        }));

    /// <summary>Fills a topic with events for <see cref="Handling"/>.</summary>
    public static async Task PlaceAsync(Engine engine, string topic, int events)
    {
        var publisher = new EventPublisher(Registry(topic, "unused"), "/bench/orders", TimeProvider.System);
        for (var number = 0; number < events;)
        {
            using var commit = new Commit();
            for (var end = Math.Min(events, number + 20_000); number < end; number++)
            {
                var id = number.ToString(CultureInfo.InvariantCulture);
                await publisher.AddAsync(engine, commit, new OrderPlaced(id, "CUST-789", 109.97m), new PublishOptions { Id = id });
            }

            (await engine.CommitAsync(commit)).RequireCommitted();
        }
    }

    private static EventRegistry Registry(string input, string output) => EventRegistry.Create(events => events
        .Add("com.example.order.placed", input, BenchJson.Default.OrderPlaced, e => e.OrderId)
        .Add("com.example.order.paid", output, BenchJson.Default.OrderPaid, e => e.OrderId));

    private sealed class Mapper(ProcessorScope scope, string output, Gauge gauge) : IPartitionProcessor
    {
        private byte[] _value = new byte[1024];

        public ValueTask ProcessAsync(FetchedRecords records, CancellationToken cancellation)
        {
            gauge.Begin();
            foreach (var record in records) Map(record);
            return ValueTask.CompletedTask;
        }

        public ValueTask OnTimerAsync(DueTimer timer, CancellationToken cancellation) => ValueTask.CompletedTask;

        public void Map(in Record record)
        {
            if (record.Value.Length > _value.Length) _value = new byte[record.Value.Length];
            var value = _value.AsSpan(0, record.Value.Length);
            record.Value.Span.CopyTo(value);
            value[0] ^= 1;
            scope.To(output, record.Key.Span)
                .Add(record.Timestamp, record.HasKey, record.Key.Span, record.HasValue, value, record.Headers);
        }
    }

    private sealed class Counter(ProcessorScope scope, string output, Gauge gauge) : IPartitionProcessor
    {
        private readonly Mapper _mapper = new(scope, output, gauge);

        public ValueTask ProcessAsync(FetchedRecords records, CancellationToken cancellation)
        {
            gauge.Begin();
            Span<byte> bytes = stackalloc byte[8];
            foreach (var record in records)
            {
                var count = scope.TryGet("counts", record.Key.Span, out var known) ? BitConverter.ToInt64(known.Span) : 0;
                BitConverter.TryWriteBytes(bytes, count + 1);
                scope.Put("counts", record.Key.Span, bytes);
                _mapper.Map(record);
            }

            return ValueTask.CompletedTask;
        }

        public ValueTask OnTimerAsync(DueTimer timer, CancellationToken cancellation) => ValueTask.CompletedTask;
    }
}
