using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Logging;
using Millrace.Mqtt.Intake;
using Millrace.Mqtt.Telemetry;

namespace Millrace.Mqtt.Links;

/// <summary>
/// A client of the source while this member owns it: an intake, and a link to a broker or the embedded one. After a failure both begin
/// anew, from what is durable, with a pause that doubles; a commit in between, or a connection that held for long, makes it short again.
/// </summary>
internal sealed class SourceClient : IAsyncDisposable
{
    private readonly SourceParts _parts;
    private readonly OwnedPartition _owned;
    private readonly ILogger _log;
    private readonly CancellationTokenSource _stop = new();
    private readonly EmbeddedBroker? _broker;
    private readonly Task _running;

    public SourceClient(SourceParts parts, OwnedPartition owned, ILogger log)
    {
        (_parts, _owned, _log) = (parts, owned, log);
        if (parts.Options.Server is null) _broker = new EmbeddedBroker(parts, log);
        _running = Task.Factory.StartNew(
            RunAsync, CancellationToken.None, TaskCreationOptions.DenyChildAttach, parts.Options.Scheduler).Unwrap();
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        if (_broker is not null) await _broker.DisposeAsync();
        _stop.Dispose();
    }

    /// <summary>The edge of the client's loop: everything is caught here.</summary>
    [SuppressMessage("Design", "CA1031", Justification = "The edge of a loop.")]
    private async Task RunAsync()
    {
        var options = _parts.Options;
        var pause = options.RestartBackoffMin;
        while (!_stop.IsCancellationRequested)
        {
            var startedAt = options.Time.GetTimestamp();
            var intake = new PartitionIntake(_parts, _owned);
            try
            {
                await RunOnceAsync(intake);
            }
            catch (Exception) when (_stop.IsCancellationRequested)
            {
                return;
            }
            catch (MillraceException failure) when (failure.Code is FailureCodes.Fenced or FailureCodes.StorageFailed)
            {
                _log.EngineFailed(options.Name, failure);
                return;
            }
            catch (Exception failure)
            {
                var hasHeld = options.Time.GetElapsedTime(startedAt) > options.RestartBackoffMax;
                if (intake.HasCommitted || hasHeld) pause = options.RestartBackoffMin;
                _parts.Meters.Restarted();
                _log.Restarts(options.Name, _owned.Partition, pause, failure);
                if (!await TryPauseAsync(pause)) return;
                pause = pause * 2 < options.RestartBackoffMax ? pause * 2 : options.RestartBackoffMax;
            }
        }
    }

    private async Task RunOnceAsync(PartitionIntake intake)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        using var abandon = new CancellationTokenSource(Timeout.InfiniteTimeSpan, _parts.Options.Time);
        await intake.RestoreAsync(end.Token);
        var taking = intake.RunAsync(abandon.Token);
        var link = _broker is null ? LinkAsync(intake, end.Token) : ServeAsync(intake, end.Token);
        var first = await Task.WhenAny(taking, link);

        // The commit under way ends before anyone restores or gives the partition up; only an engine that hangs is left behind.
        _broker?.Use(null);
        await end.CancelAsync();
        await EndOfAsync(link);
        intake.Finish();
        abandon.CancelAfter(_parts.Options.StopDeadline);
        await EndOfAsync(taking);
        await first;
    }

    /// <summary>Awaits a task however it ends; its failure is looked at elsewhere.</summary>
    private static Task EndOfAsync(Task task) => task.ContinueWith(
        static _ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);

    private async Task LinkAsync(PartitionIntake intake, CancellationToken cancellation)
    {
        using var link = new BrokerLink(_parts, _parts.Options.Server!, _owned.Partition, intake, _log);
        await link.RunAsync(cancellation);
    }

    private async Task ServeAsync(PartitionIntake intake, CancellationToken cancellation)
    {
        _broker!.Use(intake);
        await _broker.StartAsync();
        _parts.Ready(_broker.Port);
        await Task.Delay(Timeout.InfiniteTimeSpan, _parts.Options.Time, cancellation);
    }

    private async Task<bool> TryPauseAsync(TimeSpan pause)
    {
        try
        {
            await Task.Delay(pause, _parts.Options.Time, _stop.Token);
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }
}
