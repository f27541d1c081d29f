using System.Text;
using System.Text.Json;
using Millrace;

namespace Shop.Inventory;

/// <summary>
/// Keeps the stock: reads requests in their order, and commits levels, answers and positions together. It is a processor of its own and not
/// a handler because one request changes the state of many keys. An order is answered once, whatever is sent again.
/// </summary>
internal sealed partial class StockProcessor : IPartitionProcessor
{
    private const string LevelStore = "stock";
    private const string DoneStore = "done";

    private readonly ProcessorScope _scope;
    private readonly EventRegistry _registry;
    private readonly EventPublisher _publisher;
    private readonly ILogger _logger;
    private readonly StockLedger _stock = new();
    private readonly Dictionary<string, StockLevel> _unsaved = new(StringComparer.Ordinal);

    public StockProcessor(ProcessorScope scope, EventPublisher publisher, ILogger logger)
    {
        (_scope, _registry, _publisher, _logger) = (scope, publisher.Registry, publisher, logger);
        foreach (var (_, value) in scope.Scan(LevelStore))
        {
            _stock.Restore(JsonSerializer.Deserialize(value.Span, ShopJson.Default.StockLevel)
                ?? throw new MillraceException(FailureCodes.Corrupt, "A stock level is empty."));
        }
    }

    public static Processor Describe(EventPublisher publisher, ILogger<StockProcessor> logger) => new()
    {
        Name = InventoryTopics.StockGroup,
        Topics = InventoryModule.StockTopics,
        Create = scope => new StockProcessor(scope, publisher, logger),
    };

    public ValueTask ProcessAsync(FetchedRecords records, CancellationToken cancellation)
    {
        foreach (var record in records)
        {
            if (!EventCodec.TryRead(record, out var request, out var reason)) SkippedRecord(records.Source, record.Offset, reason);
            else Process(request, records.Source, record.Offset);
        }

        return ValueTask.CompletedTask;
    }

    public ValueTask OnTimerAsync(DueTimer timer, CancellationToken cancellation) =>
        throw new InvalidOperationException($"Stock sets no timers, but '{timer.Name}' is due.");

    public void BeforeCommit()
    {
        foreach (var (sku, level) in _unsaved)
            _scope.Put(LevelStore, Encoding.UTF8.GetBytes(sku), JsonSerializer.SerializeToUtf8Bytes(level, ShopJson.Default.StockLevel));
        _unsaved.Clear();
    }

    private void Process(in EventView request, TopicPartition source, long offset)
    {
        if (_registry.Find(request.Type.Span) is not { } contract) return;
        object data;
        try
        {
            data = contract.Read(request);
        }
        catch (MillraceException failure)
        {
            SkippedRecord(source, offset, failure.Message);
            return;
        }

        switch (data)
        {
            case ReservationRequested reservation when IsNew($"order {reservation.OrderId}"):
                Answer(_stock.Reserve(reservation), request);
                break;

            // A level that is set again would bring back what was sold since.
            case StockSet command when IsNew(
                $"event {Encoding.UTF8.GetString(request.Source.Span)} {Encoding.UTF8.GetString(request.Id.Span)}"):
                if (SetStock.Check(command).IsEmpty) Say(_stock.Set(command), request, ordinal: 0);
                else SkippedRecord(source, offset, $"the level of '{FieldErrors.Show(command.Sku)}' is out of bounds");
                break;
        }
    }

    private void Answer(ReservationOutcome outcome, in EventView request)
    {
        switch (outcome)
        {
            case ReservationOutcome.Reserved reserved:
                _publisher.Say(_scope, reserved.Said, request, ordinal: 0);
                for (var i = 0; i < reserved.Levels.Count; i++) Say(reserved.Levels[i], request, ordinal: i + 1);
                break;
            case ReservationOutcome.Insufficient insufficient:
                _publisher.Say(_scope, insufficient.Said, request, ordinal: 0);
                break;
            default:
                throw new InvalidOperationException($"Unknown outcome {outcome.GetType().Name}.");
        }
    }

    private void Say(StockLevel level, in EventView request, int ordinal)
    {
        _unsaved[level.Sku] = level;
        var changed = new StockChanged { Sku = level.Sku, Available = level.Available, Reserved = level.Reserved, Price = level.Price };
        _publisher.Say(_scope, changed, request, ordinal);
    }

    private bool IsNew(string identity)
    {
        var key = Encoding.UTF8.GetBytes(identity);
        if (_scope.TryGet(DoneStore, key, out _)) return false;
        _scope.Put(DoneStore, key, []);
        return true;
    }

    private void SkippedRecord(TopicPartition source, long offset, string reason) => Skipped(_logger, source, offset, reason);

    [LoggerMessage(EventId = 301, Level = LogLevel.Warning,
        Message = "The record at offset {Offset} of {Source} is no stock request and was passed over: {Reason}")]
    private static partial void Skipped(ILogger logger, TopicPartition source, long offset, string reason);
}
