namespace Sensors;

/// <summary>What the events are kept on.</summary>
internal enum SensorsEngine
{
    /// <summary>The embedded log in the data folder: one process.</summary>
    Embedded = 0,

    /// <summary>Apache Kafka: several processes share the partitions.</summary>
    Kafka = 1,
}

/// <summary>Where series are kept.</summary>
internal enum SeriesStore
{
    /// <summary>A file in the data folder.</summary>
    Sqlite = 0,

    /// <summary>A PostgreSQL server, with TimescaleDB where it is there.</summary>
    Postgres = 1,

    /// <summary>Nowhere: the interface has no series then.</summary>
    None = 2,
}

/// <summary>How the platform runs. The command line gives each a name; see <see cref="CommandLine"/>.</summary>
internal sealed record SensorsOptions
{
    /// <summary>Where to listen for HTTP.</summary>
    public IReadOnlyList<string> Urls { get; init; } = ["http://localhost:5100"];

    /// <summary>The data folder, absolute; one process at a time.</summary>
    public string DataDirectory { get; init; } = Path.GetFullPath("sensors-data");

    /// <summary>What the events are kept on.</summary>
    public SensorsEngine Engine { get; init; } = SensorsEngine.Embedded;

    /// <summary>Kafka's brokers to ask first, <c>host:port</c>, separated by commas; null on the embedded log.</summary>
    public string? Bootstrap { get; init; }

    /// <summary>How many partitions each topic has. It cannot change for a data folder.</summary>
    public int Partitions { get; init; } = 100;

    /// <summary>The MQTT broker, <c>host:port</c>; null for the embedded one.</summary>
    public string? MqttServer { get; init; }

    /// <summary>The port of the embedded broker; 0 takes a free one.</summary>
    public int MqttPort { get; init; } = 1883;

    /// <summary>The user's name at a broker; its password is in the environment, <c>SENSORS_MQTT_PASSWORD</c>.</summary>
    public string? MqttUser { get; init; }

    /// <summary>Where series are kept.</summary>
    public SeriesStore Store { get; init; } = SeriesStore.Sqlite;

    /// <summary>How to connect to PostgreSQL; null without it.</summary>
    public string? Postgres { get; init; }

    /// <summary>For how long readings are kept in the store; null for ever.</summary>
    public TimeSpan? Retention { get; init; } = TimeSpan.FromDays(30);

    /// <summary>Simulated devices; null stands for 40, or none in a replay.</summary>
    public int? Devices { get; init; }

    /// <summary>Readings a second of all simulated devices; null stands for one per device.</summary>
    public double? Rate { get; init; }

    /// <summary>What the simulation's chance begins with.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>Series to replay, each a device.</summary>
    public IReadOnlyList<string> Replay { get; init; } = [];

    /// <summary>How many times faster than real time a replay runs; null for as fast as it goes.</summary>
    public double? Speed { get; init; }

    /// <summary>Whether to end when the replay is done, and print one line of JSON.</summary>
    public bool ExitsWhenDone { get; init; }

    /// <summary>Whether this is a replay: times are those of the series.</summary>
    public bool IsReplay => Replay.Count > 0;

    /// <summary>Simulated devices.</summary>
    public int SimulatedDevices => Devices ?? (IsReplay ? 0 : 40);
}
