using Millrace;
using Shop.Customers;
using Shop.Payments;
using Shop.View;

namespace Shop.Api;

/// <summary>Adds what tells of this process's health.</summary>
internal static class ReadinessModule
{
    /// <summary>Readiness looks at what this process has of the shop.</summary>
    public static IServiceCollection AddReadiness(this IServiceCollection services) => services.AddSingleton(provider => new Readiness(
        provider.GetRequiredService<ProcessorRuntime>(),
        provider.GetService<Ledger>(),
        provider.GetService<ViewReader>(),
        provider.GetService<ShopView>(),
        provider.GetService<CustomersHost>()));
}

/// <summary>Whether this process can serve. Thread safe.</summary>
/// <param name="runtime">Its processors.</param>
/// <param name="books">The provider's books, where it has to do with money.</param>
/// <param name="reader">What feeds the view, in the process that has it.</param>
/// <param name="view">The view, alike.</param>
/// <param name="customers">Who opens the shop, alike.</param>
internal sealed class Readiness(ProcessorRuntime runtime, Ledger? books, ViewReader? reader, ShopView? view, CustomersHost? customers)
{
    /// <summary>True until the view has caught up with what was there at the start, and there is something to sell.</summary>
    public bool IsStarting => customers is { Opened.IsCompleted: false };

    /// <summary>ok, or what is wrong: what fails comes before what begins.</summary>
    public HealthAnswer Look()
    {
        if (reader?.Failure is { } viewFailure) return Failing($"The view stopped: {viewFailure}");
        if (books?.Failure is { } booksFailure) return Failing($"The payment provider's books stopped: {booksFailure}");
        var statuses = runtime.Statuses;
        foreach (var status in statuses)
        {
            if (status.State is not (ProcessorState.Running or ProcessorState.Starting))
                return Failing($"The service '{status.Processor}' is {status.State}: {status.Failure ?? "no failure is known"}");
        }

        if (view is { Opened.IsCompleted: false }) return Starting("The view reads the events of earlier runs.");
        if (IsStarting) return Starting("The catalogue is empty, and the inventory service has not answered yet.");
        foreach (var status in statuses)
        {
            if (status.State == ProcessorState.Starting)
                return Starting($"The service '{status.Processor}' is {status.State}: {status.Failure ?? "it begins"}");
        }

        return new HealthAnswer { Status = "ok" };
    }

    private static HealthAnswer Failing(string reason) => new() { Status = "failing", Reason = reason };

    private static HealthAnswer Starting(string reason) => new() { Status = "starting", Reason = reason };
}
