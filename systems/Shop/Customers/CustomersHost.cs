using System.Text;
using System.Text.Json;
using Shop.View;

namespace Shop.Customers;

/// <summary>
/// Brings life into the shop once it runs: fills an empty catalogue, replays a file if there is one, then lets simulated customers in, or
/// ends the program when that was asked for. Owned by the host.
/// </summary>
internal sealed class CustomersHost(
    IServiceProvider services, ShopOptions options, ShopView view, IHostApplicationLifetime lifetime, ShopConsole console,
    TimeProvider time)
    : BackgroundService
{
    /// <summary>How often the groups' lags are asked for at the end.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    private readonly TaskCompletionSource _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes once there is something to sell.</summary>
    public Task Opened => _opened.Task;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await Task.WhenAll(StartedAsync(stoppingToken), view.Opened).WaitAsync(stoppingToken);
        await services.GetRequiredService<Catalogue>().StockAsync(stoppingToken);
        _opened.SetResult();

        if (options.OrdersFile is { } path)
        {
            await services.GetRequiredService<Replay>().RunAsync(path, options.InitialStock, console.OpenProgressBar(), stoppingToken);
            if (options.ExitsWhenDone)
            {
                await EndAsync(stoppingToken);
                return;
            }
        }

        if (options.CustomersPerSecond > 0)
            await services.GetRequiredService<SimulatedCustomers>().RunAsync(options.CustomersPerSecond, stoppingToken);
    }

    private async Task EndAsync(CancellationToken cancellation)
    {
        await view.WaitForCountsAsync(counts => counts.Pending == 0, cancellation);

        // The last mails come after the last order is settled, and from another process where the services are spread.
        var source = services.GetRequiredService<StatsSource>();
        var stats = await time.InsistAsync(() => source.ReadAsync(cancellation), cancellation);
        while (stats.Lag.Values.Any(lag => lag > 0))
        {
            await Task.Delay(Pause, time, cancellation);
            stats = await time.InsistAsync(() => source.ReadAsync(cancellation), cancellation);
        }

        console.WriteResult(Encoding.UTF8.GetString(JsonSerializer.SerializeToUtf8Bytes(stats, PlainJson.Api.ShopStats)));
        lifetime.StopApplication();
    }

    private Task StartedAsync(CancellationToken cancellation)
    {
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lifetime.ApplicationStarted.Register(started.SetResult);
        return started.Task.WaitAsync(cancellation);
    }
}
