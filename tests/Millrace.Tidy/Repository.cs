using System.Runtime.CompilerServices;

namespace Millrace.Tidy;

/// <summary>The repository's text, as the tests look at it.</summary>
internal static class Repository
{
    public static string Root { get; } = FindRoot();

    /// <summary>The assemblies of src/, by reflection.</summary>
    public static IReadOnlyList<System.Reflection.Assembly> Assemblies { get; } =
    [
        typeof(Engine).Assembly,
        typeof(Kafka.KafkaEngine).Assembly,
        typeof(Log.LogEngine).Assembly,
        typeof(Messaging.Handlers).Assembly,
        typeof(Mqtt.MqttSource).Assembly,
        typeof(Postgres.PostgresDatabase).Assembly,
        typeof(Relational.SinkDatabase).Assembly,
        typeof(RocksDb.RocksDbStateStores).Assembly,
        typeof(Sqlite.SqliteDatabase).Assembly,
        typeof(Streams.WatermarkCombiner).Assembly,
        typeof(Testing.TopologyTestDriver).Assembly,
    ];

    /// <summary>Source files below a folder, without build output, as (path relative to the root, lines).</summary>
    public static IEnumerable<(string Path, string[] Lines)> Sources(params string[] folders)
    {
        foreach (var folder in folders)
        {
            foreach (var path in Directory.EnumerateFiles(Path.Combine(Root, folder), "*.cs", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
                yield return (Path.GetRelativePath(Root, path).Replace('\\', '/'), File.ReadAllLines(path));
        }
    }

    /// <summary>The project files below a folder.</summary>
    public static IEnumerable<string> Projects(string folder) =>
        Directory.EnumerateFiles(Path.Combine(Root, folder), "*.csproj", SearchOption.AllDirectories).Order(StringComparer.Ordinal);

    private static string FindRoot([CallerFilePath] string here = "")
    {
        // A deterministic build maps source paths, so the folder is looked for from where the tests run, too.
        foreach (var start in new[] { Path.GetDirectoryName(here), AppContext.BaseDirectory })
        {
            for (var directory = start is null ? null : new DirectoryInfo(start); directory is not null; directory = directory.Parent)
            {
                if (File.Exists(Path.Combine(directory.FullName, "Millrace.slnx"))) return directory.FullName;
            }
        }

        throw new InvalidOperationException("The repository's root, which holds Millrace.slnx, is not above the tests.");
    }
}
