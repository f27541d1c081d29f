using Millrace;
using Millrace.Log;
using Millrace.Messaging;
using Shop.Inventory;
using Shop.Orders;

namespace Shop.Payments;

/// <summary>The payment service: what it reads, says and remembers.</summary>
internal static class PaymentsModule
{
    /// <summary>The topics that it reads.</summary>
    public static readonly string[] Topics = [OrderTopics.Created, InventoryTopics.Reserved];

    /// <summary>A provider takes its time, so many charges are under way at once: this many keys per partition.</summary>
    private const int Parallelism = 256;

    /// <summary>
    /// A provider may be away for a while; with the pauses below it has about 25 seconds before an order becomes a dead letter.
    /// </summary>
    private const int Attempts = 8;

    public static MillraceBuilder AddPayments(this MillraceBuilder millrace) =>
        millrace.AddHandlers(PaymentTopics.Group, handlers => handlers
        .From(Topics)
        .WithSource(PaymentTopics.Source)
        .WithParallelism(Parallelism)
        .WithRetries(Attempts, TimeSpan.FromMilliseconds(200))
        .WithState("payments", ShopJson.Default.PaymentState)
        .Handle(TakePayment.OnOrderCreated)
        .Handle(RefundPayment.OnInsufficient));

    public static EventRegistryBuilder AddPaymentEvents(this EventRegistryBuilder events) => events
        .Add(PaymentProcessed.Type, PaymentTopics.Done, ShopJson.Default.PaymentProcessed, payment => payment.OrderId)
        .Add(PaymentFailed.Type, PaymentTopics.Done, ShopJson.Default.PaymentFailed, payment => payment.OrderId)
        .Add(PaymentRefunded.Type, PaymentTopics.Done, ShopJson.Default.PaymentRefunded, payment => payment.OrderId);

    /// <summary>
    /// The provider's books, for whoever moves money and whoever tells how much was moved: a log of their own in the data folder, or a
    /// topic on Kafka, where several processes are the provider's customers.
    /// </summary>
    public static IServiceCollection AddLedger(this IServiceCollection services, ShopOptions options)
    {
        services.AddSingleton(provider => ActivatorUtilities.CreateInstance<Ledger>(provider, options.Engine switch
        {
            ShopEngine.Embedded => new LedgerOptions
            {
                Topic = "ledger",
                OpenEngine = async cancellation =>
                    await LogEngine.OpenAsync(Path.Combine(options.DataDirectory, "payment-provider"), cancellation: cancellation),
                OwnsEngine = true,
            },
            ShopEngine.Kafka => new LedgerOptions
            {
                Topic = "payment-provider.ledger",
                OpenEngine = _ => ValueTask.FromResult(provider.GetRequiredService<Engine>()),
                OwnsEngine = false,
            },
            _ => throw new InvalidOperationException($"Unknown engine {options.Engine}."),
        }));
        services.AddHostedService(provider => provider.GetRequiredService<Ledger>());
        return services;
    }

    /// <summary>Whoever moves the money.</summary>
    public static IServiceCollection AddPaymentProvider(this IServiceCollection services, ShopOptions options)
    {
        services.AddSingleton<IPaymentProvider>(provider => new SimulatedProvider(
            new SimulatedProviderOptions { DeclineRate = options.PaymentFailureRate, AnswerDelayMax = options.PaymentDelayMax },
            provider.GetRequiredService<Ledger>(),
            provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton(provider => new PaymentDesk(provider.GetRequiredService<IPaymentProvider>(), options.Currency));
        return services;
    }
}
