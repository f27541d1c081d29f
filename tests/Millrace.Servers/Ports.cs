using System.Net;
using System.Net.Sockets;

namespace Millrace.Servers;

/// <summary>Ports of the loopback interface for servers that are started by tests.</summary>
public static class Ports
{
    /// <summary>
    /// A port that is free, and the next one, which is too. Both are below those that systems give to outgoing connections: else one of
    /// those could take the port while a server is away, or be the client that connects to itself.
    /// </summary>
    public static int Free()
    {
        while (true)
        {
            var port = Random.Shared.Next(20_000, 32_000);
            try
            {
                using var first = new TcpListener(IPAddress.Loopback, port);
                using var second = new TcpListener(IPAddress.Loopback, port + 1);
                first.Start();
                second.Start();
                return port;
            }
            catch (SocketException)
            {
                // Taken; another pair.
            }
        }
    }
}
