namespace Shop;

/// <summary>How a shop runs. The command line gives each a name; see <see cref="CommandLine"/>.</summary>
internal sealed record ShopOptions
{
    /// <summary>Where to listen.</summary>
    public IReadOnlyList<string> Urls { get; init; } = ["http://localhost:5000"];

    /// <summary>The data folder, absolute.</summary>
    public string DataDirectory { get; init; } = Path.GetFullPath("shop-data");

    /// <summary>Simulated customers a second; null stands for 5, or for none when orders are replayed.</summary>
    public double? Rate { get; init; }

    /// <summary>The share of charges that the provider declines, 0 to 1.</summary>
    public double PaymentFailureRate { get; init; } = 0.05;

    /// <summary>The longest time that the provider takes to answer.</summary>
    public TimeSpan PaymentDelayMax { get; init; } = TimeSpan.FromMilliseconds(50);

    /// <summary>A file of orders to replay, or null.</summary>
    public string? OrdersFile { get; init; }

    /// <summary>How many of an unknown sku a replay puts on the shelf.</summary>
    public long InitialStock { get; init; } = 1_000;

    /// <summary>Whether to end when the replay is done and every order is settled.</summary>
    public bool ExitsWhenDone { get; init; }

    /// <summary>The shop's one currency.</summary>
    public string Currency { get; init; } = "USD";

    /// <summary>Whether a mail waits for the disk.</summary>
    public bool SyncsMail { get; init; } = true;

    /// <summary>Simulated customers a second.</summary>
    public double CustomersPerSecond => Rate ?? (OrdersFile is null ? 5 : 0);
}
