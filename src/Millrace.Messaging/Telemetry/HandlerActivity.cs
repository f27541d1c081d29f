using System.Diagnostics;
using System.Text;

namespace Millrace.Messaging;

/// <summary>One activity per attempt, a child of the event's own trace context, made only when someone listens.</summary>
internal static class HandlerActivity
{
    private static readonly ActivitySource Source = new(TelemetryNames.ActivitySource);

    public static Activity? Start(HandlerCall call, HandlerGroup group)
    {
        if (!Source.HasListeners()) return null;
        ref readonly var view = ref call.View;
        ActivityContext.TryParse(
            Encoding.UTF8.GetString(view.TraceParent.Span), Encoding.UTF8.GetString(view.TraceState.Span), true, out var parent);
        var activity = Source.StartActivity($"{TelemetryNames.OperationProcess} {call.Source.Topic}", ActivityKind.Consumer, parent);
        if (activity is not { IsAllDataRequested: true }) return activity;
        activity.SetTag(TelemetryNames.System, TelemetryNames.SystemMillrace);
        activity.SetTag(TelemetryNames.OperationType, TelemetryNames.OperationProcess);
        activity.SetTag(TelemetryNames.ConsumerGroup, group.Name);
        activity.SetTag(TelemetryNames.Destination, call.Source.Topic);
        activity.SetTag(
            TelemetryNames.DestinationPartition, call.Source.Partition.ToString(System.Globalization.CultureInfo.InvariantCulture));
        activity.SetTag(HandlerTelemetryNames.EventId, Encoding.UTF8.GetString(view.Id.Span));
        activity.SetTag(HandlerTelemetryNames.EventSource, Encoding.UTF8.GetString(view.Source.Span));
        activity.SetTag(HandlerTelemetryNames.EventType, Encoding.UTF8.GetString(view.Type.Span));
        activity.SetTag(HandlerTelemetryNames.Attempt, call.Attempt);
        return activity;
    }

    /// <summary>Ends an activity without touching which one is current: the caller's flow may be another event's.</summary>
    public static void Stop(Activity? activity, Exception? failure)
    {
        if (activity is null) return;
        if (failure is not null)
        {
            activity.SetStatus(ActivityStatusCode.Error, failure.GetType().Name);
            activity.SetTag(TelemetryNames.ErrorType, (failure as MillraceException)?.Code ?? failure.GetType().FullName);
        }

        var current = Activity.Current;
        activity.Stop();
        Activity.Current = current;
    }
}
