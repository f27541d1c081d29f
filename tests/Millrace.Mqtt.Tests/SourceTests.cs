using Microsoft.Extensions.Logging;
using MQTTnet.Packets;
using MQTTnet.Protocol;

namespace Millrace.Mqtt.Tests;

/// <summary>The source at a broker that a test plays packet by packet.</summary>
public sealed class SourceTests : MqttRig
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_message_whose_append_fails_is_not_acknowledged(int quality)
    {
        Engine.Before = _ => throw new MillraceException(FailureCodes.DiskFull, "full");
        await using var source = await StartAsync(AtListener(Readings));
        using var wire = await Wire.AcceptAsync(Listener, Cancellation);
        await wire.WelcomeAsync(true, Cancellation);

        await wire.SendAsync(Publish(7, "1", quality), Cancellation);
        var answers = await wire.ReceiveToEndAsync(Cancellation);

        Assert.Empty(answers);
        Assert.Empty(await DataAsync());
    }

    [Fact]
    public async Task A_message_is_in_the_log_when_it_is_acknowledged()
    {
        await using var source = await StartAsync(AtListener(Readings));
        using var wire = await Wire.AcceptAsync(Listener, Cancellation);
        await wire.WelcomeAsync(true, Cancellation);

        await wire.SendAsync(Publish(7, "23.5"), Cancellation);
        var answer = await wire.ReceiveAsync<MqttPubAckPacket>(Cancellation);

        Assert.Equal(7, answer.PacketIdentifier);
        var (key, value, headers, _) = Assert.Single(await ReadAsync("sensors.raw"));
        Assert.Equal("d1", key);
        Assert.Contains("\"source\":\"/devices/d1\"", value, StringComparison.Ordinal);
        Assert.Contains("\"subject\":\"hall\"", value, StringComparison.Ordinal);
        Assert.Contains("\"data\":23.5", value, StringComparison.Ordinal);
        Assert.Equal("sensors/hall/d1/reading", headers[MqttHeaders.Topic]);
        Assert.Equal(EventCodec.StructuredContentType, headers["content-type"]);
    }

    [Fact]
    public async Task It_asks_for_a_persistent_session_under_a_stable_name_and_for_no_more_than_may_wait()
    {
        await using var source = await StartAsync(AtListener(Readings) with { ReceiveMaximum = 5, SessionExpiry = TimeSpan.FromHours(2) });
        using var wire = await Wire.AcceptAsync(Listener, Cancellation);

        var (connect, subscribe) = await wire.WelcomeAsync(true, Cancellation);

        Assert.Equal("readings-0", connect.ClientId);
        Assert.False(connect.CleanSession);
        Assert.Equal(7_200u, connect.SessionExpiryInterval);
        Assert.Equal(5, connect.ReceiveMaximum);
        var filter = Assert.Single(subscribe.TopicFilters);
        Assert.Equal("sensors/+/+/reading", filter.Topic);
        Assert.Equal(MqttQualityOfServiceLevel.ExactlyOnce, filter.QualityOfServiceLevel);
    }

    [Fact]
    public async Task What_waits_behind_a_commit_is_bounded_and_acknowledged_in_the_order_of_arrival()
    {
        var gate = new TaskCompletionSource();
        var reached = new TaskCompletionSource();
        Engine.Before = _ =>
        {
            reached.TrySetResult();
            return gate.Task;
        };
        await using var source = await StartAsync(AtListener(Readings) with { ReceiveMaximum = 10 });
        using var wire = await Wire.AcceptAsync(Listener, Cancellation);
        await wire.WelcomeAsync(true, Cancellation);
        for (var i = 1; i <= 50; i++) await wire.SendAsync(Publish((ushort)i, $"{i}", i % 2 + 1), Cancellation);
        await reached.Task.WaitAsync(Cancellation);
        gate.SetResult();

        var ids = new List<int>();
        for (var i = 1; i <= 50; i++) ids.Add(((MqttPacketWithIdentifier)(await wire.ReceiveAsync(Cancellation))!).PacketIdentifier);

        Assert.Equal(Enumerable.Range(1, 50), ids);
        Assert.Equal(Enumerable.Range(1, 50).Select(i => $"{i}"), await DataAsync());
    }

    [Fact]
    public async Task A_pause_becomes_longer_only_while_nothing_becomes_durable()
    {
        var pauses = new Pauses();
        await using var source = await StartAsync(AtListener(Readings) with { LoggerFactory = pauses });
        for (var life = 0; life < 3; life++)
        {
            using var wire = await Wire.AcceptAsync(Listener, Cancellation);
            await wire.WelcomeAsync(true, Cancellation);
        }

        for (var life = 0; life < 3; life++)
        {
            using var wire = await Wire.AcceptAsync(Listener, Cancellation);
            await wire.WelcomeAsync(true, Cancellation);
            await wire.SendAsync(Publish(7, "1"), Cancellation);
            await wire.ReceiveAsync<MqttPubAckPacket>(Cancellation);
        }

        using var last = await Wire.AcceptAsync(Listener, Cancellation);
        await last.WelcomeAsync(true, Cancellation);

        Assert.Equal([1, 2, 4, 1, 1, 1], pauses.Milliseconds);
    }

    [Fact]
    public async Task Messages_that_wait_share_a_commit()
    {
        var gate = new TaskCompletionSource();
        var sizes = new List<int>();
        Engine.Before = commit =>
        {
            sizes.Add(commit.Batches.Sum(batch => batch.Records.Count));
            return gate.Task;
        };
        await using var source = await StartAsync(AtListener(Readings));
        using var wire = await Wire.AcceptAsync(Listener, Cancellation);
        await wire.WelcomeAsync(true, Cancellation);
        for (var i = 1; i <= 100; i++) await wire.SendAsync(Publish((ushort)i, $"{i}"), Cancellation);
        await wire.SendAsync(new MqttPingRespPacket(), Cancellation);
        gate.SetResult();

        for (var i = 1; i <= 100; i++) await wire.ReceiveAsync<MqttPubAckPacket>(Cancellation);

        Assert.Equal(100, sizes.Sum());
        Assert.InRange(sizes.Count, 1, 99);
    }

    [Fact]
    public async Task A_packet_of_quality_2_that_comes_again_after_a_crash_before_its_PUBREC_is_taken_once()
    {
        var reached = new TaskCompletionSource();
        Engine.After = _ =>
        {
            reached.TrySetResult();
            throw new MillraceException(FailureCodes.Unreachable, "the answer was lost");
        };
        await using (await StartAsync(WithoutReturn(Readings)))
        {
            using var before = await Wire.AcceptAsync(Listener, Cancellation);
            await before.WelcomeAsync(true, Cancellation);
            await before.SendAsync(Publish(7, "1", 2), Cancellation);
            await reached.Task.WaitAsync(Cancellation);
            Assert.Empty(await before.ReceiveToEndAsync(Cancellation));
        }

        await ReopenAsync();
        await using var source = await StartAsync(AtListener(Readings));
        using var wire = await Wire.AcceptAsync(Listener, Cancellation);
        await wire.WelcomeAsync(true, Cancellation);
        await wire.SendAsync(Publish(7, "1", 2, isAgain: true), Cancellation);
        Assert.Equal(7, (await wire.ReceiveAsync<MqttPubRecPacket>(Cancellation)).PacketIdentifier);
        Assert.Equal(["1"], await DataAsync());

        await wire.SendAsync(new MqttPubRelPacket { PacketIdentifier = 7 }, Cancellation);
        Assert.Equal(7, (await wire.ReceiveAsync<MqttPubCompPacket>(Cancellation)).PacketIdentifier);
        await wire.SendAsync(Publish(7, "2", 2, isAgain: true), Cancellation);
        await wire.ReceiveAsync<MqttPubRecPacket>(Cancellation);

        Assert.Equal(["1", "2"], await DataAsync());
    }

    [Fact]
    public async Task A_release_that_is_not_durable_is_not_completed()
    {
        await using var source = await StartAsync(AtListener(Readings));
        using var wire = await Wire.AcceptAsync(Listener, Cancellation);
        await wire.WelcomeAsync(true, Cancellation);
        await wire.SendAsync(Publish(7, "1", 2), Cancellation);
        await wire.ReceiveAsync<MqttPubRecPacket>(Cancellation);
        Engine.Before = _ => throw new MillraceException(FailureCodes.DiskFull, "full");

        await wire.SendAsync(new MqttPubRelPacket { PacketIdentifier = 7 }, Cancellation);

        Assert.Empty(await wire.ReceiveToEndAsync(Cancellation));
    }

    [Fact]
    public async Task A_broker_that_forgot_the_session_uses_packet_ids_anew()
    {
        await using var source = await StartAsync(AtListener(Readings));
        using (var before = await Wire.AcceptAsync(Listener, Cancellation))
        {
            await before.WelcomeAsync(true, Cancellation);
            await before.SendAsync(Publish(7, "1", 2), Cancellation);
            await before.ReceiveAsync<MqttPubRecPacket>(Cancellation);
        }

        using var wire = await Wire.AcceptAsync(Listener, Cancellation);
        await wire.WelcomeAsync(false, Cancellation);
        await wire.SendAsync(Publish(7, "2", 2, isAgain: true), Cancellation);
        await wire.ReceiveAsync<MqttPubRecPacket>(Cancellation);

        Assert.Equal(["1", "2"], await DataAsync());
    }

    [Theory]
    [InlineData(MqttRetained.Take, 3)]
    [InlineData(MqttRetained.Ignore, 1)]
    [InlineData(MqttRetained.OnlyWhenNew, 2)]
    public async Task Retained_messages_are_taken_by_policy(MqttRetained policy, int taken)
    {
        await using var source = await StartAsync(AtListener(Readings with { Retained = policy }));
        using var wire = await Wire.AcceptAsync(Listener, Cancellation);
        var (_, subscribe) = await wire.WelcomeAsync(true, Cancellation);

        await wire.SendAsync(Publish(1, "1"), Cancellation);
        await wire.SendAsync(Publish(2, "1", retain: true), Cancellation);
        await wire.SendAsync(Publish(3, "2", retain: true), Cancellation);
        for (var i = 1; i <= 3; i++) Assert.Equal(i, (await wire.ReceiveAsync<MqttPubAckPacket>(Cancellation)).PacketIdentifier);

        Assert.Equal(taken, (await DataAsync()).Count);
        var handling = policy == MqttRetained.Ignore ? MqttRetainHandling.DoNotSendOnSubscribe : MqttRetainHandling.SendAtSubscribe;
        Assert.Equal(handling, subscribe.TopicFilters[0].RetainHandling);
    }

    [Fact]
    public async Task What_was_retained_and_taken_before_a_restart_is_not_new_after_it()
    {
        var options = WithoutReturn(Readings with { Retained = MqttRetained.OnlyWhenNew });
        for (var i = 0; i < 2; i++)
        {
            await using (await StartAsync(options))
            {
                using var wire = await Wire.AcceptAsync(Listener, Cancellation);
                await wire.WelcomeAsync(true, Cancellation);
                await wire.SendAsync(Publish(1, "1", retain: true), Cancellation);
                await wire.ReceiveAsync<MqttPubAckPacket>(Cancellation);
            }

            await ReopenAsync();
        }

        Assert.Equal(["1"], await DataAsync());
    }

    [Fact]
    public async Task What_cannot_be_taken_becomes_a_dead_letter_with_its_reason_and_stops_nothing()
    {
        await using var source = await StartAsync(AtListener(Readings) with { PayloadBytesMax = 100 });
        using var wire = await Wire.AcceptAsync(Listener, Cancellation);
        await wire.WelcomeAsync(true, Cancellation);
        await wire.SendAsync(Publish(1, "no json"), Cancellation);
        await wire.SendAsync(Publish(2, new string('1', 101)), Cancellation);
        await wire.SendAsync(Publish(3, "3"), Cancellation);
        for (var i = 1; i <= 3; i++) await wire.ReceiveAsync<MqttPubAckPacket>(Cancellation);

        Assert.Equal(["3"], await DataAsync());
        var letters = await ReadAsync("readings.dlq");
        Assert.Equal(2, letters.Count);
        Assert.Equal("no json", letters[0].Value);
        Assert.Contains("not JSON", letters[0].Headers[MqttHeaders.Reason], StringComparison.Ordinal);
        Assert.Equal("sensors/hall/d1/reading", letters[0].Headers[MqttHeaders.Topic]);
        Assert.Equal("readings-0", letters[0].Headers[MqttHeaders.Client]);
        Assert.Equal("", letters[1].Value);
        Assert.Contains("101 bytes", letters[1].Headers[MqttHeaders.Reason], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_message_that_is_too_large_for_the_engine_becomes_a_dead_letter_and_its_neighbours_are_taken()
    {
        Engine.Before = commit => commit.Batches.Any(batch => batch.Records.SizeBytes > 50_000)
            ? throw new MillraceException(FailureCodes.TooLarge, "too large")
            : Task.CompletedTask;
        await using var source = await StartAsync(AtListener(Readings));
        using var wire = await Wire.AcceptAsync(Listener, Cancellation);
        await wire.WelcomeAsync(true, Cancellation);
        for (var i = 1; i <= 9; i++) await wire.SendAsync(Publish((ushort)i, i == 5 ? new string('1', 60_000) : $"{i}"), Cancellation);
        for (var i = 1; i <= 9; i++) Assert.Equal(i, (await wire.ReceiveAsync<MqttPubAckPacket>(Cancellation)).PacketIdentifier);

        Assert.Equal(["1", "2", "3", "4", "6", "7", "8", "9"], await DataAsync());
        Assert.Single(await ReadAsync("readings.dlq"));
    }

    [Fact]
    public async Task Shared_subscriptions_and_clients_of_their_own_are_asked_for_as_the_routes_say()
    {
        var options = AtListener(
            Readings with { Topics = "a/{zone}/{device}/reading", Client = 1 },
            Readings with { Topics = "b/{zone}/{device}/reading", ShareGroup = "all" }) with { Clients = 2 };
        await using var source = await StartAsync(options);
        var asked = new SortedDictionary<string, string[]>(StringComparer.Ordinal);
        var wires = new List<Wire>();
        for (var i = 0; i < 2; i++)
        {
            wires.Add(await Wire.AcceptAsync(Listener, Cancellation));
            var (connect, subscribe) = await wires[i].WelcomeAsync(true, Cancellation);
            asked[connect.ClientId] = [.. subscribe.TopicFilters.Select(filter => filter.Topic)];
        }

        Assert.Equal(["$share/all/b/+/+/reading"], asked["readings-0"]);
        Assert.Equal(["a/+/+/reading", "$share/all/b/+/+/reading"], asked["readings-1"]);
        wires.ForEach(wire => wire.Dispose());
    }

    [Fact]
    public async Task A_topic_that_is_missing_stops_the_start_and_is_named()
    {
        await using var source = new MqttSource(Engine, AtListener(Readings with { Target = "nowhere" }));

        var failure = await Assert.ThrowsAsync<MillraceException>(() => source.StartAsync(Cancellation));

        Assert.Equal(FailureCodes.TopicNotFound, failure.Code);
        Assert.Contains("'nowhere'", failure.Message, StringComparison.Ordinal);
    }

    /// <summary>The pauses that the source says it makes.</summary>
    private sealed class Pauses : ILoggerFactory, ILogger
    {
        private const int Restarts = 5003;

        public List<double> Milliseconds { get; } = [];

        public ILogger CreateLogger(string categoryName) => this;

        public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (eventId.Id != Restarts) return;
            var values = (IEnumerable<KeyValuePair<string, object?>>)state!;
            Milliseconds.Add(((TimeSpan)values.Single(value => value.Key == "Pause").Value!).TotalMilliseconds);
        }

        public void Dispose()
        {
        }
    }
}
