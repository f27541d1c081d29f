namespace Millrace;

/// <summary>A partition of a topic: the unit of order. Equal when name and number are equal.</summary>
/// <param name="Topic">The topic's name.</param>
/// <param name="Partition">The partition's number, from 0.</param>
public readonly record struct TopicPartition(string Topic, int Partition)
{
    /// <summary>Kafka's way to write it: <c>orders.created-3</c>.</summary>
    public override string ToString() => $"{Topic}-{Partition}";
}

/// <summary>When an append to a topic counts as done.</summary>
public enum Durability
{
    /// <summary>After the disk confirmed it (fdatasync returned 0, or Kafka's acks=all). The default.</summary>
    Synced = 0,

    /// <summary>After the operating system has it: survives the process, not a power loss. An option per topic.</summary>
    Relaxed = 1,
}

/// <summary>What to create. The name follows Kafka's rule: 1 to 249 of <c>[a-zA-Z0-9._-]</c>, not <c>.</c> or <c>..</c>.</summary>
public sealed record TopicSpecification
{
    /// <summary>The most partitions one topic may have.</summary>
    public const int PartitionsMax = 10_000;

    /// <summary>The topic's name.</summary>
    public required string Name { get; init; }

    /// <summary>How many partitions; 1 to <see cref="PartitionsMax"/>, 8 by default. It cannot change later: keys would move.</summary>
    public int Partitions { get; init; } = 8;

    /// <summary>When an append is acknowledged.</summary>
    public Durability Durability { get; init; } = Durability.Synced;

    /// <summary>Throws an <see cref="ArgumentException"/> that names the field and its value when a rule is broken.</summary>
    public void Validate()
    {
        if (!IsValidName(Name))
            throw new ArgumentException($"Topic name '{Name}' is not 1 to 249 characters of [a-zA-Z0-9._-] (and not '.' or '..').");
        if (Partitions is < 1 or > PartitionsMax)
            throw new ArgumentException($"Topic '{Name}' asks for {Partitions} partitions; 1 to {PartitionsMax} are possible.");
        if (!Enum.IsDefined(Durability))
            throw new ArgumentException($"Topic '{Name}' asks for durability {(int)Durability}, which is not known.");
    }

    /// <summary>
    /// Whether a text can be a topic's name or a group's id: 1 to 249 of <c>[a-zA-Z0-9._-]</c>, not <c>.</c> or <c>..</c>.
    /// </summary>
    public static bool IsValidName(string? name) =>
        !string.IsNullOrEmpty(name) && name.Length <= 249 && name is not ("." or "..") && name.All(IsNameCharacter);

    private static bool IsNameCharacter(char c) => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-';
}

/// <summary>What a topic is now.</summary>
public sealed record TopicDescription
{
    /// <summary>The topic's name.</summary>
    public required string Name { get; init; }

    /// <summary>The topic's id: a topic deleted and created again under its name has another one.</summary>
    public required Guid Id { get; init; }

    /// <summary>When an append is acknowledged.</summary>
    public required Durability Durability { get; init; }

    /// <summary>The partitions in order of their numbers.</summary>
    public required IReadOnlyList<PartitionDescription> Partitions { get; init; }
}

/// <summary>The extent of a partition now.</summary>
/// <param name="Partition">The partition's number.</param>
/// <param name="StartOffset">The offset of the first record that is still there.</param>
/// <param name="EndOffset">The offset that the next record will get.</param>
/// <param name="LeaderEpoch">Kafka's leader epoch; 0 on the embedded engine.</param>
public readonly record struct PartitionDescription(int Partition, long StartOffset, long EndOffset, int LeaderEpoch);
