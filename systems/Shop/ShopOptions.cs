namespace Shop;

/// <summary>What the shop's events are kept on.</summary>
internal enum ShopEngine
{
    /// <summary>The embedded log in the data folder: one process.</summary>
    Embedded = 0,

    /// <summary>Apache Kafka: the services may be processes of their own, several of each.</summary>
    Kafka = 1,
}

/// <summary>Which services a process runs.</summary>
[Flags]
internal enum ShopServices
{
    /// <summary>Takes orders over HTTP and ends them; with the page, the view, the live feed and the simulated customers.</summary>
    Orders = 1,

    /// <summary>Charges and refunds.</summary>
    Payments = 2,

    /// <summary>Asks for an order's goods, and keeps the stock.</summary>
    Inventory = 4,

    /// <summary>Writes the mails.</summary>
    Notifications = 8,

    /// <summary>The whole shop.</summary>
    All = Orders | Payments | Inventory | Notifications,
}

/// <summary>How a shop runs. The command line gives each a name; see <see cref="CommandLine"/>.</summary>
internal sealed record ShopOptions
{
    /// <summary>Where to listen.</summary>
    public IReadOnlyList<string> Urls { get; init; } = ["http://localhost:5000"];

    /// <summary>The data folder, absolute; one process at a time.</summary>
    public string DataDirectory { get; init; } = Path.GetFullPath("shop-data");

    /// <summary>What the events are kept on.</summary>
    public ShopEngine Engine { get; init; } = ShopEngine.Embedded;

    /// <summary>Kafka's brokers to ask first, <c>host:port</c>, separated by commas; null on the embedded log.</summary>
    public string? Bootstrap { get; init; }

    /// <summary>How long a process may be silent before others take over its work, on Kafka; null stands for 10 s.</summary>
    public TimeSpan? Session { get; init; }

    /// <summary>What this process runs; all of it on the embedded log.</summary>
    public ShopServices Services { get; init; } = ShopServices.All;

    /// <summary>The folder of the mails, absolute; null stands for one in the data folder. Processes may share it.</summary>
    public string? MailDirectory { get; init; }

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

    /// <summary>The folder of the mails.</summary>
    public string MailFolder => MailDirectory ?? Path.Combine(DataDirectory, "mail");

    /// <summary>Whether this process runs one of these services.</summary>
    public bool Runs(ShopServices services) => (Services & services) != 0;
}
