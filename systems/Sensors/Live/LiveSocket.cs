using System.Buffers;
using System.Buffers.Binary;
using System.Net.WebSockets;
using System.Text.Json;
using Sensors.Api;
using Sensors.View;

namespace Sensors.Live;

/// <summary>
/// The live feed over a WebSocket (RFC 6455): a snapshot as text, then what changed, values as binary frames. It asks the view for what is
/// newer than the last it told, so a page that reads slowly is told less often and misses nothing that still holds. The README has the
/// frames. Thread safe.
/// </summary>
internal sealed class LiveSocket(SensorsView view, StatsSource stats, TimeProvider time, IHostApplicationLifetime lifetime)
{
    /// <summary>How many pages may listen at once.</summary>
    public const int ListenersMax = 100;

    private const uint ValuesVersion = 1;
    private const int HeaderBytes = 16;
    private const int SnapshotAlertsMax = 250;

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan StatsPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan SendPatience = TimeSpan.FromSeconds(30);

    private int _listeners;

    /// <summary>Serves one page until it goes.</summary>
    public async Task ServeAsync(HttpContext http)
    {
        if (!http.WebSockets.IsWebSocketRequest)
        {
            await Problems.Of(StatusCodes.Status400BadRequest, "This is a WebSocket; connect to it as one.").ExecuteAsync(http);
            return;
        }

        if (Interlocked.Increment(ref _listeners) > ListenersMax)
        {
            Interlocked.Decrement(ref _listeners);
            var full = Problems.Of(StatusCodes.Status503ServiceUnavailable, $"{ListenersMax} pages listen already; close one.");
            await full.ExecuteAsync(http);
            return;
        }

        try
        {
            using var socket = await http.WebSockets.AcceptWebSocketAsync();
            using var ending = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, lifetime.ApplicationStopping);
            var listening = ListenAsync(socket, ending);
            await SpeakAsync(socket, ending.Token);
            await listening;
        }
        catch (Exception failure) when (failure is OperationCanceledException or WebSocketException)
        {
            // The page is gone, or the platform goes.
        }
        finally
        {
            Interlocked.Decrement(ref _listeners);
        }
    }

    /// <summary>The page says nothing; what it sends is passed over until it closes.</summary>
    private static async Task ListenAsync(WebSocket socket, CancellationTokenSource ending)
    {
        var buffer = new byte[1_024];
        try
        {
            while ((await socket.ReceiveAsync(buffer.AsMemory(), ending.Token)).MessageType != WebSocketMessageType.Close)
            {
            }
        }
        catch (Exception failure) when (failure is OperationCanceledException or WebSocketException)
        {
            // Its end is the end.
        }

        await ending.CancelAsync();
    }

    private async Task SpeakAsync(WebSocket socket, CancellationToken cancellation)
    {
        var output = new ArrayBufferWriter<byte>(64 * 1024);
        var told = view.Change;
        var latest = await stats.ReadAsync(cancellation);
        WriteSnapshot(output, latest);
        await SendAsync(socket, output, WebSocketMessageType.Text, cancellation);
        var statsAt = time.GetTimestamp();
        while (true)
        {
            await Task.Delay(Pause, time, cancellation);
            var since = told;
            told = view.Change;
            if (told != since) await SendChangesAsync(socket, output, since, cancellation);
            if (time.GetElapsedTime(statsAt) < StatsPause) continue;
            statsAt = time.GetTimestamp();
            var numbers = await stats.ReadAsync(cancellation);
            if (ReferenceEquals(numbers, latest)) continue;
            latest = numbers;
            Write(output, json =>
            {
                json.WriteString("type"u8, "stats"u8);
                json.WritePropertyName("stats"u8);
                JsonSerializer.Serialize(json, numbers, PlainJson.Api.SensorsStats);
            });
            await SendAsync(socket, output, WebSocketMessageType.Text, cancellation);
        }
    }

    private async Task SendChangesAsync(WebSocket socket, ArrayBufferWriter<byte> output, long since, CancellationToken cancellation)
    {
        if (view.DescriptionsSince(since) is { Count: > 0 } described)
        {
            Write(output, json =>
            {
                json.WriteString("type"u8, "devices"u8);
                WriteDevices(json, described);
            });
            await SendAsync(socket, output, WebSocketMessageType.Text, cancellation);
        }

        if (view.ValuesSince(since) is { Count: > 0 } values)
        {
            WriteValues(output, values, time.GetUtcNow().ToUnixTimeMilliseconds());
            await SendAsync(socket, output, WebSocketMessageType.Binary, cancellation);
        }

        foreach (var alert in view.AlertsSince(since))
        {
            Write(output, json =>
            {
                json.WriteString("type"u8, "alert"u8);
                json.WritePropertyName("alert"u8);
                JsonSerializer.Serialize(json, alert, PlainJson.Api.AlertAnswer);
            });
            await SendAsync(socket, output, WebSocketMessageType.Text, cancellation);
        }
    }

    private void WriteSnapshot(ArrayBufferWriter<byte> output, SensorsStats numbers) => Write(output, json =>
    {
        json.WriteString("type"u8, "snapshot"u8);
        json.WritePropertyName("stats"u8);
        JsonSerializer.Serialize(json, numbers, PlainJson.Api.SensorsStats);
        json.WriteStartArray("alerts"u8);
        var (open, _) = view.ListAlerts(alert => alert.State != AlertStates.Cleared, 1, SnapshotAlertsMax - 50);
        var (cleared, _) = view.ListAlerts(alert => alert.State == AlertStates.Cleared, 1, 50);
        foreach (var alert in open.Concat(cleared)) JsonSerializer.Serialize(json, alert, PlainJson.Api.AlertAnswer);
        json.WriteEndArray();
        WriteDevices(json, view.DescriptionsSince(-1));
    });

    private static void WriteDevices(Utf8JsonWriter json, IReadOnlyList<(LiveValue Value, DeviceAnswer Device)> devices)
    {
        json.WriteStartArray("devices"u8);
        foreach (var (value, device) in devices)
        {
            json.WriteStartArray();
            json.WriteNumberValue(value.Index);
            json.WriteStringValue(device.DeviceId);
            json.WriteStringValue(device.Zone);
            json.WriteStringValue(device.SensorType);
            json.WriteStringValue(device.Unit);
            WriteNumber(json, device.Location?.Lat);
            WriteNumber(json, device.Location?.Lon);
            WriteNumber(json, device.Value);
            WriteNumber(json, value.Time == 0 ? null : value.Time);
            json.WriteNumberValue((int)value.Status);
            json.WriteEndArray();
        }

        json.WriteEndArray();
    }

    private static void WriteNumber(Utf8JsonWriter json, double? number)
    {
        if (number is { } known) json.WriteNumberValue(known);
        else json.WriteNullValue();
    }

    /// <summary>
    /// Values, little endian: version and count (32 bits each), the clock, then the event times (64-bit floating point, milliseconds), the
    /// numbers (32 bits), the values (32-bit floating point) and the statuses (8 bits), column by column, so that a page reads them as
    /// typed arrays without copying.
    /// </summary>
    internal static void WriteValues(ArrayBufferWriter<byte> output, IReadOnlyList<LiveValue> values, long now)
    {
        var count = values.Count;
        var bytes = output.GetSpan(HeaderBytes + (count * 17))[..(HeaderBytes + (count * 17))];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, ValuesVersion);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[4..], (uint)count);
        BinaryPrimitives.WriteDoubleLittleEndian(bytes[8..], now);
        var times = bytes[HeaderBytes..];
        var indexes = times[(count * 8)..];
        var numbers = indexes[(count * 4)..];
        var statuses = numbers[(count * 4)..];
        for (var i = 0; i < count; i++)
        {
            BinaryPrimitives.WriteDoubleLittleEndian(times[(i * 8)..], values[i].Time);
            BinaryPrimitives.WriteUInt32LittleEndian(indexes[(i * 4)..], (uint)values[i].Index);
            BinaryPrimitives.WriteSingleLittleEndian(numbers[(i * 4)..], (float)values[i].Value);
            statuses[i] = (byte)values[i].Status;
        }

        output.Advance(bytes.Length);
    }

    private static void Write(ArrayBufferWriter<byte> output, Action<Utf8JsonWriter> content)
    {
        using var json = new Utf8JsonWriter(output, new JsonWriterOptions { Encoder = PlainJson.Api.Options.Encoder });
        json.WriteStartObject();
        content(json);
        json.WriteEndObject();
    }

    /// <summary>A page that takes nothing for so long is taken for gone.</summary>
    private async Task SendAsync(
        WebSocket socket, ArrayBufferWriter<byte> output, WebSocketMessageType type, CancellationToken cancellation)
    {
        using var patience = new CancellationTokenSource(SendPatience, time);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellation);
        await socket.SendAsync(output.WrittenMemory, type, endOfMessage: true, ending.Token);
        output.ResetWrittenCount();
    }
}
