using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Shop.Live;

/// <summary>
/// Writes the live feed as Server-Sent Events (WHATWG HTML, section 9.2): a snapshot, then what changes, at most five times a second.
/// </summary>
internal sealed class LiveEndpoint(LiveFeed feed, LiveContent content, TimeProvider time, IHostApplicationLifetime lifetime)
{
    /// <summary>Five times a second.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);

    /// <summary>How long to wait for a change before the numbers are looked at without one: a lag shrinks after the last event.</summary>
    private static readonly TimeSpan Idle = TimeSpan.FromSeconds(1);

    /// <summary>A page that is gone is noticed by a write, so one is made at least this often: every so many idle rounds.</summary>
    private const int IdleRoundsMax = 15;

    public async Task ServeAsync(HttpContext http)
    {
        using var subscriber = feed.Subscribe();
        if (subscriber is null)
        {
            await Problems.WriteAsync(
                http, StatusCodes.Status503ServiceUnavailable, $"{LiveFeed.SubscribersMax} pages listen already; close one.");
            return;
        }

        http.Response.ContentType = "text/event-stream";
        http.Response.Headers.CacheControl = "no-cache";
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, lifetime.ApplicationStopping);
        try
        {
            await WriteAsync(subscriber, http.Response, ending.Token);
        }
        catch (OperationCanceledException) when (ending.IsCancellationRequested)
        {
        }
    }

    private async Task WriteAsync(LiveSubscriber subscriber, HttpResponse response, CancellationToken cancellation)
    {
        var output = new ArrayBufferWriter<byte>(16 * 1024);
        var lastStats = await WriteSnapshotAsync(output, cancellation);
        var idleRounds = 0;
        while (true)
        {
            await response.BodyWriter.WriteAsync(output.WrittenMemory, cancellation);
            output.ResetWrittenCount();
            await Task.Delay(Pause, time, cancellation);
            while (output.WrittenCount == 0)
            {
                var isChanged = await ChangesAsync(subscriber, cancellation);
                var update = subscriber.Take();
                if (update.IsOverrun)
                {
                    lastStats = await WriteSnapshotAsync(output, cancellation);
                    break;
                }

                Write(output, update);
                var newStats = JsonSerializer.SerializeToUtf8Bytes(await content.ReadStatsAsync(cancellation), PlainJson.Api.ShopStats);
                if (!newStats.AsSpan().SequenceEqual(lastStats)) WriteEvent(output, "stats"u8, newStats);
                lastStats = newStats;
                idleRounds = isChanged ? 0 : idleRounds + 1;
                if (output.WrittenCount == 0 && idleRounds % IdleRoundsMax == 0) output.Write(":\n\n"u8);
            }
        }
    }

    private async Task<bool> ChangesAsync(LiveSubscriber subscriber, CancellationToken cancellation)
    {
        try
        {
            await subscriber.Changed.WaitAsync(Idle, time, cancellation);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    private async ValueTask<byte[]> WriteSnapshotAsync(ArrayBufferWriter<byte> output, CancellationToken cancellation)
    {
        var snapshot = await content.ReadSnapshotAsync(cancellation);
        Write(output, "snapshot"u8, PlainJson.Api.LiveSnapshot, snapshot);
        return JsonSerializer.SerializeToUtf8Bytes(snapshot.Stats, PlainJson.Api.ShopStats);
    }

    private void Write(ArrayBufferWriter<byte> output, LiveUpdate update)
    {
        foreach (var order in content.Summarise(update.Orders)) Write(output, "order"u8, PlainJson.Api.OrderSummary, order);
        foreach (var entry in update.Timeline) Write(output, "timeline"u8, PlainJson.Api.LiveTimelineEntry, entry);
        foreach (var level in update.Stock.Values) Write(output, "stock"u8, PlainJson.Api.StockView, level);
        foreach (var mail in update.Mails) Write(output, "mail"u8, PlainJson.Api.LiveMail, mail);
    }

    private static void Write<T>(ArrayBufferWriter<byte> output, ReadOnlySpan<byte> name, JsonTypeInfo<T> type, T data) =>
        WriteEvent(output, name, JsonSerializer.SerializeToUtf8Bytes(data, type));

    private static void WriteEvent(ArrayBufferWriter<byte> output, ReadOnlySpan<byte> name, ReadOnlySpan<byte> json)
    {
        output.Write("event: "u8);
        output.Write(name);
        output.Write("\ndata: "u8);
        output.Write(json);
        output.Write("\n\n"u8);
    }
}
