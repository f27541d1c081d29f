namespace Millrace.Messaging;

/// <summary>
/// The names under which handlers measure and trace, besides <see cref="TelemetryNames"/>, whose meter and activity source they use. All
/// instruments carry <see cref="TelemetryNames.ConsumerGroup"/> and <see cref="TelemetryNames.Destination"/> (the topic read). There is one
/// activity per attempt at an event, made only when someone listens.
/// </summary>
public static class HandlerTelemetryNames
{
    /// <summary>Counter, events: handled with success.</summary>
    public const string Handled = "millrace.handlers.handled";

    /// <summary>Counter, events: passed over because they had been handled before.</summary>
    public const string Duplicates = "millrace.handlers.duplicates";

    /// <summary>Counter: second and further attempts.</summary>
    public const string Retries = "millrace.handlers.retries";

    /// <summary>Counter, records: given up.</summary>
    public const string DeadLetters = "millrace.handlers.dead_letters";

    /// <summary>Counter, events: forgotten before their time because a partition remembered as many as it may. Without a topic.</summary>
    public const string ForgottenEarly = "millrace.handlers.forgotten_early";

    /// <summary>Histogram, seconds: how long one attempt took, from the call of the handler to the end of what it awaited.</summary>
    public const string Duration = "millrace.handlers.duration";

    /// <summary>Attribute of an activity: the event's id.</summary>
    public const string EventId = "cloudevents.event_id";

    /// <summary>Attribute of an activity: the event's source.</summary>
    public const string EventSource = "cloudevents.event_source";

    /// <summary>Attribute of an activity: the event's type.</summary>
    public const string EventType = "cloudevents.event_type";

    /// <summary>Attribute of an activity: which attempt it is, from 1.</summary>
    public const string Attempt = "millrace.handlers.attempt";
}
