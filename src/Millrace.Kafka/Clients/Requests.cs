using System.Collections.Concurrent;
using Confluent.Kafka;

namespace Millrace.Kafka.Clients;

/// <summary>
/// Asks the brokers again until they answer, or refuse, or the time is over. An answer that is still out when the engine stops, or the
/// caller cancels, is not waited for. Thread safe.
/// </summary>
internal sealed class Requests(KafkaOptions options, ClientLog log, CancellationToken stopping)
{
    private static readonly TimeSpan PauseMin = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan PauseMax = TimeSpan.FromSeconds(1);

    /// <summary>What is normal for a moment is worth a warning once it lasts.</summary>
    private static readonly TimeSpan MomentMax = TimeSpan.FromSeconds(2);

    private readonly ConcurrentDictionary<TaskCompletionSource, bool> _calls = new();

    /// <summary>How long a call waits that holds a thread, and that a stop of the engine therefore waits for.</summary>
    public static TimeSpan CallTime { get; } = TimeSpan.FromSeconds(2);

    /// <summary>How long one request waits for its answer.</summary>
    public static TimeSpan Timeout { get; } = TimeSpan.FromSeconds(10);

    /// <summary>Calls until it returns; a null answer means "not yet".</summary>
    /// <param name="what">What is asked, as the beginning of a message.</param>
    /// <param name="ask">The call.</param>
    /// <param name="cancellation">Ends the trying.</param>
    /// <param name="within">For how long; <see cref="KafkaOptions.DeliveryTimeout"/> when null.</param>
    public async ValueTask<T> AskAsync<T>(
        string what, Func<ValueTask<T?>> ask, CancellationToken cancellation, TimeSpan? within = null)
        where T : class
    {
        var started = options.Time.GetTimestamp();
        var pause = PauseMin;
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellation, stopping);
        while (true)
        {
            cancellation.ThrowIfCancellationRequested();
            if (stopping.IsCancellationRequested) throw Stopped();
            Error error;
            try
            {
                if (await ask().AsTask().WaitAsync(both.Token) is { } answer) return answer;
                error = new Error(ErrorCode.LeaderNotAvailable, "not all brokers know of it yet");
            }
            catch (KafkaException failure) when (!KafkaErrors.IsRefusal(failure.Error.Code))
            {
                error = failure.Error;
            }
            catch (KafkaException failure)
            {
                throw KafkaErrors.ToFailure(what, failure.Error, failure);
            }
            catch (Exception failure) when (stopping.IsCancellationRequested && !cancellation.IsCancellationRequested
                && failure is ObjectDisposedException or OperationCanceledException)
            {
                throw Stopped();
            }

            var elapsed = options.Time.GetElapsedTime(started);
            if (elapsed >= (within ?? options.DeliveryTimeout)) throw KafkaErrors.ToFailure(what, error);
            if (elapsed >= MomentMax || !IsOfAMoment(error.Code)) log.RequestRetried(what, error.Code, error.Reason);
            await PauseAsync(pause, both.Token, cancellation);
            pause = pause * 2 < PauseMax ? pause * 2 : PauseMax;
        }
    }

    /// <summary>
    /// A call of a client that blocks, off the caller's thread. A client may not be disposed of during such a call, which would go on in
    /// memory that is freed: see <see cref="WhenReturnedAsync"/>.
    /// </summary>
    /// <exception cref="MillraceException"><see cref="FailureCodes.Stopped"/>: the engine stops.</exception>
    public async ValueTask<T> CallAsync<T>(Func<T> call)
    {
        var returned = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _calls[returned] = true; // before it is asked whether the engine stops: so either sees the other
        try
        {
            if (stopping.IsCancellationRequested) throw Stopped();
            return await BlockingAsync(call);
        }
        finally
        {
            _calls.TryRemove(returned, out _);
            returned.SetResult();
        }
    }

    /// <summary>Completes when no blocking call is under way; none begins once the engine stops.</summary>
    public Task WhenReturnedAsync() => Task.WhenAll(_calls.Keys.Select(call => call.Task));

    /// <summary>Work that blocks, off the caller's thread.</summary>
    public static async ValueTask<T> BlockingAsync<T>(Func<T> call) =>
        await Task.Factory.StartNew(call, CancellationToken.None, TaskCreationOptions.DenyChildAttach, TaskScheduler.Default);

    public static MillraceException Stopped() => new(FailureCodes.Stopped, "The Kafka engine has stopped.");

    /// <summary>What brokers answer while a topic or a group is just being made, or a transaction just ends.</summary>
    private static bool IsOfAMoment(ErrorCode code) => code is ErrorCode.LeaderNotAvailable or ErrorCode.NotLeaderForPartition
        or ErrorCode.UnknownLeaderEpoch or ErrorCode.UnstableOffsetCommit or ErrorCode.GroupLoadInProgress;

    private async ValueTask PauseAsync(TimeSpan pause, CancellationToken both, CancellationToken cancellation)
    {
        try
        {
            await Task.Delay(pause, options.Time, both);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested && !cancellation.IsCancellationRequested)
        {
            throw Stopped();
        }
    }
}
