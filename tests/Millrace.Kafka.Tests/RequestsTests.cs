using Confluent.Kafka;
using Microsoft.Extensions.Logging.Abstractions;
using Millrace.Kafka.Clients;

namespace Millrace.Kafka.Tests;

/// <summary>What becomes of calls and clients when an engine stops, or a client is of no use any more.</summary>
public sealed class RequestsTests
{
    private static readonly KafkaOptions Options = new() { BootstrapServers = "127.0.0.1:1" };
    private static readonly ClientLog Log = new(NullLogger.Instance);

    [Fact]
    public async Task Who_waits_for_the_calls_under_way_waits_until_the_last_has_returned()
    {
        using var stopping = new CancellationTokenSource();
        var requests = new Requests(Options, Log, stopping.Token);
        using var mayReturn = new ManualResetEventSlim();
        var entered = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var calling = requests.AskAsync("Asking", () => requests.CallAsync<string?>(() =>
        {
            entered.SetResult();
            mayReturn.Wait();
            return "answer";
        }), CancellationToken.None);
        await entered.Task;

        await stopping.CancelAsync();
        var returned = requests.WhenReturnedAsync();
        var failure = await Assert.ThrowsAsync<MillraceException>(async () => await calling); // whoever asked does not wait for it
        var isWaiting = !returned.IsCompleted;
        mayReturn.Set();
        await returned;

        Assert.Equal(FailureCodes.Stopped, failure.Code);
        Assert.True(isWaiting);
    }

    [Fact]
    public async Task No_call_begins_once_the_engine_stops()
    {
        using var stopping = new CancellationTokenSource();
        var requests = new Requests(Options, Log, stopping.Token);
        await stopping.CancelAsync();

        var failure = await Assert.ThrowsAsync<MillraceException>(
            async () => await requests.CallAsync<string>(() => throw new InvalidOperationException("called")));

        Assert.Equal(FailureCodes.Stopped, failure.Code);
    }

    [Theory]
    [InlineData(ErrorCode.Local_TimedOut, false)]
    [InlineData(ErrorCode.NotLeaderForPartition, true)]
    [InlineData(ErrorCode.FencedLeaderEpoch, true)]
    [InlineData(ErrorCode.UnknownTopicOrPart, true)]
    [InlineData(ErrorCode.TopicAuthorizationFailed, false)]
    [InlineData(ErrorCode.TopicAlreadyExists, false)]
    public async Task An_admin_client_that_knows_what_is_no_more_is_replaced(ErrorCode code, bool isReplaced)
    {
        var clients = new ClientFactory(Options, Log);
        using var admins = new AdminClients(clients.Admin, TimeProvider.System);
        var first = await admins.AskAsync(Task.FromResult);

        await Assert.ThrowsAsync<KafkaException>(() => admins.AskAsync<string>(_ => throw new KafkaException(code)));
        var second = await admins.AskAsync(Task.FromResult);

        Assert.Equal(isReplaced, !ReferenceEquals(first, second));
    }
}
