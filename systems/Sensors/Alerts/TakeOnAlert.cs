using Millrace;
using Sensors.Api;
using Sensors.View;

namespace Sensors.Alerts;

/// <summary>What became of an acknowledgement. Closed: one of the nested records.</summary>
internal abstract record TakeOnResult
{
    private TakeOnResult()
    {
    }

    public sealed record Done(AlertAnswer Alert) : TakeOnResult;

    public sealed record Unknown : TakeOnResult;

    public sealed record Over(AlertAnswer Alert) : TakeOnResult;
}

/// <summary>Takes an alert on for somebody. It is done when the watch of the device has said so. Thread safe.</summary>
internal sealed class TakeOnAlert(Func<Engine> engine, EventPublisher publisher, SensorsView view, TimeProvider time)
{
    private const int NoteLengthMax = 500;

    /// <summary>What is wrong with a request; empty when nothing is.</summary>
    public static FieldErrors Check(AcknowledgeRequest request)
    {
        var errors = new FieldErrors();
        if (string.IsNullOrWhiteSpace(request.By)) errors.Add("by", "must not be empty: it says who takes the alert on");
        else if (request.By.Length > Readings.SensorLimits.NameLengthMax || request.By.Any(char.IsControl))
        {
            errors.Add(
                "by",
                $"is '{FieldErrors.Show(request.By)}'; at most {Readings.SensorLimits.NameLengthMax} characters on one line are possible");
        }

        if (request.Note?.Length > NoteLengthMax)
            errors.Add("note", $"has {request.Note.Length} characters; at most {NoteLengthMax} are possible");
        return errors;
    }

    /// <summary>Publishes the command and returns when it has had its effect, or can have none any more.</summary>
    public async ValueTask<TakeOnResult> ExecuteAsync(string alertId, AcknowledgeRequest request, CancellationToken cancellation)
    {
        if (view.FindAlert(alertId) is not { } alert) return new TakeOnResult.Unknown();
        if (alert.State == AlertStates.Cleared) return new TakeOnResult.Over(alert);
        var at = time.GetUtcNow();
        await publisher.PublishAsync(engine(), new AcknowledgeAlert
        {
            AlertId = alertId,
            DeviceId = alert.DeviceId,
            By = request.By!,
            Note = string.IsNullOrWhiteSpace(request.Note) ? null : request.Note,
            At = at,
        }, cancellation: cancellation);
        var seen = await view.WaitForAlertAsync(
            alertId, one => one.State == AlertStates.Cleared
                || (one.AcknowledgedBy == request.By && one.AcknowledgedAt >= at.AddMilliseconds(-1)),
            cancellation);
        return seen.State == AlertStates.Cleared && seen.AcknowledgedBy != request.By
            ? new TakeOnResult.Over(seen)
            : new TakeOnResult.Done(seen);
    }
}
