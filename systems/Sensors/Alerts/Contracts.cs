using System.Diagnostics.CodeAnalysis;
using System.Text.Json.Serialization;

namespace Sensors.Alerts;

/// <summary>The topics of alerts.</summary>
internal static class AlertTopics
{
    /// <summary>What happened to alerts.</summary>
    public const string Triggered = "alerts.triggered";

    /// <summary>What people do about them.</summary>
    public const string Commands = "alerts.commands";
}

/// <summary>Kinds of alerts, as events and answers say them.</summary>
internal static class AlertKinds
{
    /// <summary>A value beyond a limit.</summary>
    public const string Threshold = "THRESHOLD";

    /// <summary>A value that changes faster than is usual.</summary>
    public const string RateOfChange = "RATE_OF_CHANGE";

    /// <summary>A value far from what the device's own history lets one expect.</summary>
    public const string ZScore = "Z_SCORE";

    /// <summary>A device that says nothing.</summary>
    public const string MissingData = "MISSING_DATA";

    /// <summary>All of them, in the order of <see cref="AlertKind"/>.</summary>
    public static IReadOnlyList<string> All { get; } = [Threshold, RateOfChange, ZScore, MissingData];
}

/// <summary>Severities, as events and answers say them.</summary>
internal static class Severities
{
    public const string Warning = "WARNING";

    public const string Critical = "CRITICAL";
}

/// <summary>
/// One thing that happened to an alert, with all that is known of the alert by then. An alert is one episode: raised once, updated, cleared
/// once. Closed: one of the nested records.
/// </summary>
internal abstract record AlertEvent
{
    private AlertEvent()
    {
    }

    /// <summary>The alert: device, kind and start.</summary>
    public required string AlertId { get; init; }

    /// <summary>The device.</summary>
    public required string DeviceId { get; init; }

    /// <summary>Its zone.</summary>
    public required string Zone { get; init; }

    /// <summary>What it measures.</summary>
    public required string SensorType { get; init; }

    /// <summary>One of <see cref="AlertKinds"/>.</summary>
    public required string Kind { get; init; }

    /// <summary>One of <see cref="Severities"/>; the worst of the episode.</summary>
    public required string Severity { get; init; }

    /// <summary>What is wrong, in words.</summary>
    public required string Reason { get; init; }

    /// <summary>The value that this event is about; none when the device is silent.</summary>
    public double? Value { get; init; }

    /// <summary>The worst value so far: a measured one, a change per minute, or standard deviations, by the kind.</summary>
    public double? Peak { get; init; }

    /// <summary>The limit that was passed, in the same measure as <see cref="Peak"/>; seconds for a silent device.</summary>
    public double? Limit { get; init; }

    /// <summary>When the episode began, in event time.</summary>
    public required DateTimeOffset Start { get; init; }

    /// <summary>The event time of this event.</summary>
    public required DateTimeOffset Updated { get; init; }

    /// <summary>When it was over; null while it is not.</summary>
    public DateTimeOffset? End { get; init; }

    /// <summary>Who took it on, if anyone did.</summary>
    public string? AcknowledgedBy { get; init; }

    /// <summary>When, by the clock.</summary>
    public DateTimeOffset? AcknowledgedAt { get; init; }

    /// <summary>What they said.</summary>
    public string? Note { get; init; }

    /// <summary>What a step is made of.</summary>
    internal sealed record Content : AlertEvent;

    /// <summary>It begins.</summary>
    public sealed record Raised : AlertEvent
    {
        [JsonConstructor]
        public Raised()
        {
        }

        [SetsRequiredMembers]
        internal Raised(AlertEvent content)
            : base(content)
        {
        }

        /// <summary>The CloudEvents type.</summary>
        public const string Type = "com.iot.alerts.alert.raised";
    }

    /// <summary>It got worse.</summary>
    public sealed record Changed : AlertEvent
    {
        [JsonConstructor]
        public Changed()
        {
        }

        [SetsRequiredMembers]
        internal Changed(AlertEvent content)
            : base(content)
        {
        }

        /// <summary>The CloudEvents type.</summary>
        public const string Type = "com.iot.alerts.alert.updated";
    }

    /// <summary>It is over.</summary>
    public sealed record Cleared : AlertEvent
    {
        [JsonConstructor]
        public Cleared()
        {
        }

        [SetsRequiredMembers]
        internal Cleared(AlertEvent content)
            : base(content)
        {
        }

        /// <summary>The CloudEvents type.</summary>
        public const string Type = "com.iot.alerts.alert.cleared";
    }

    /// <summary>Somebody took it on.</summary>
    public sealed record Acknowledged : AlertEvent
    {
        [JsonConstructor]
        public Acknowledged()
        {
        }

        [SetsRequiredMembers]
        internal Acknowledged(AlertEvent content)
            : base(content)
        {
        }

        /// <summary>The CloudEvents type.</summary>
        public const string Type = "com.iot.alerts.alert.acknowledged";
    }
}

/// <summary>Somebody takes an alert on. One of an alert that is over by then has no effect.</summary>
internal sealed record AcknowledgeAlert
{
    /// <summary>The CloudEvents type.</summary>
    public const string Type = "com.iot.alerts.acknowledgement.requested";

    /// <summary>The alert.</summary>
    public required string AlertId { get; init; }

    /// <summary>Its device, which is the key.</summary>
    public required string DeviceId { get; init; }

    /// <summary>Who.</summary>
    public required string By { get; init; }

    /// <summary>Anything to say about it.</summary>
    public string? Note { get; init; }

    /// <summary>When, by the clock.</summary>
    public required DateTimeOffset At { get; init; }
}
