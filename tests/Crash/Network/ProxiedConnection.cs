using System.Net.Sockets;

namespace Millrace.Crash.Network;

/// <summary>One connection through the proxy: two sockets and a pump for each direction.</summary>
internal sealed class ProxiedConnection(Socket client, Socket broker, Action<Disturbance> onDisturbed)
{
    private readonly Direction _towardsBroker = new(client, broker), _towardsClient = new(broker, client);

    /// <summary>Passes bytes on until both directions have ended, or one is cut.</summary>
    public async Task PumpAsync(CancellationToken cancellation) =>
        await Task.WhenAll(PumpAsync(_towardsBroker, cancellation), PumpAsync(_towardsClient, cancellation));

    /// <summary>Plans a disturbance after so many more bytes of a direction, unless one is planned there already.</summary>
    public void Disturb(bool isTowardsBroker, Disturbance what, int bytesUntil, TimeSpan time) =>
        Interlocked.CompareExchange(
            ref (isTowardsBroker ? _towardsBroker : _towardsClient).Planned, new Plan(what, bytesUntil, time), null);

    /// <summary>Ends both sockets; with a reset, what is under way is thrown away.</summary>
    public void Cut(bool isReset)
    {
        foreach (var socket in new[] { client, broker })
        {
            try
            {
                if (isReset) socket.LingerState = new LingerOption(true, 0);
            }
            catch (Exception failure) when (failure is SocketException or ObjectDisposedException)
            {
                // It is gone already.
            }

            socket.Dispose();
        }
    }

    private async Task PumpAsync(Direction direction, CancellationToken cancellation)
    {
        var buffer = new byte[16 << 10];
        try
        {
            while (await direction.From.ReceiveAsync(buffer, cancellation) is var count and > 0)
            {
                var sent = 0;
                if (Volatile.Read(ref direction.Planned) is { } plan)
                {
                    sent = Math.Min(plan.BytesUntil, count);
                    await SendAsync(direction.To, buffer.AsMemory(0, sent), cancellation);
                    plan.BytesUntil -= sent;
                    if (plan.BytesUntil == 0 && !await DisturbAsync(direction, plan, cancellation)) return;
                }

                await SendAsync(direction.To, buffer.AsMemory(sent, count - sent), cancellation);
            }

            direction.To.Shutdown(SocketShutdown.Send);
        }
        catch (Exception failure) when (failure is SocketException or ObjectDisposedException or OperationCanceledException)
        {
            Cut(isReset: false);
        }
    }

    /// <summary>Does what is planned; false when the direction is over.</summary>
    private async Task<bool> DisturbAsync(Direction direction, Plan plan, CancellationToken cancellation)
    {
        onDisturbed(plan.What);
        switch (plan.What)
        {
            case Disturbance.Reset or Disturbance.Close:
                Cut(plan.What == Disturbance.Reset);
                return false;
            case Disturbance.HalfClose:
                direction.To.Shutdown(SocketShutdown.Send);
                await Task.Delay(plan.Time, cancellation);
                Cut(isReset: false);
                return false;
            case Disturbance.Delay:
                await Task.Delay(plan.Time, cancellation);
                Volatile.Write(ref direction.Planned, null);
                return true;
            default:
                throw new InvalidOperationException($"Unknown disturbance {plan.What}.");
        }
    }

    private static async Task SendAsync(Socket to, ReadOnlyMemory<byte> bytes, CancellationToken cancellation)
    {
        for (var left = bytes; left.Length > 0;) left = left[await to.SendAsync(left, cancellation)..];
    }

    private sealed class Plan(Disturbance what, int bytesUntil, TimeSpan time)
    {
        public Disturbance What => what;

        public TimeSpan Time => time;

        public int BytesUntil { get; set; } = bytesUntil;
    }

    private sealed class Direction(Socket from, Socket to)
    {
        public Plan? Planned;

        public Socket From => from;

        public Socket To => to;
    }
}
