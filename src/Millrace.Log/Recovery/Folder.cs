using Millrace.Log.Writing;

namespace Millrace.Log.Recovery;

/// <summary>Where things stand in the engine's folder; FORMAT.md, "Folder".</summary>
internal sealed class Folder(string root)
{
    public string Root { get; } = root;

    public string LockFile { get; } = Path.Combine(root, "lock");

    public string Checkpoint { get; } = Path.Combine(root, "checkpoint");

    public string CheckpointDraft { get; } = Path.Combine(root, "checkpoint.draft");

    public string Journal { get; } = Path.Combine(root, "journal");

    public string Logs { get; } = Path.Combine(root, "logs");

    public string State { get; } = Path.Combine(root, "state");

    /// <summary>Where the state of a partition of a group is, if it is not in memory.</summary>
    public string StoreOf(GroupPartition partition) => Path.Combine(
        Root, "stores", string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{partition.Group.Number}-{partition.Number}"));

    public static string SnapshotName(int group, int partition, long sequence) =>
        string.Create(System.Globalization.CultureInfo.InvariantCulture, $"group-{group}-{partition}-{sequence:D20}.state");

    public static string VersionsName(int topic, long sequence) =>
        string.Create(System.Globalization.CultureInfo.InvariantCulture, $"versions-{topic}-{sequence:D20}.state");
}
