using System.Globalization;
using System.Text;

namespace Millrace.Crash.Mqtt;

/// <summary>
/// Which messages there are: each has a number in its device's sequence, and an id by which the proof counts. A device has one quality and
/// publishes over one connection, which it shares with others. What is sent is the number alone.
/// </summary>
/// <param name="Messages1">How many of quality 1; their ids come first.</param>
/// <param name="Messages2">How many of quality 2.</param>
internal sealed record MqttPlan(int Messages1, int Messages2)
{
    public const string Source = "devices", Readings = "readings", Topics1 = "once-or-more", Topics2 = "once";
    public const int Partitions = 4, Connections = 6;

    private const int Devices1 = 16 * Connections, Devices2 = 4 * Connections;

    public int Count => Messages1 + Messages2;

    public int QualityOf(int message) => message < Messages1 ? 1 : 2;

    public string DeviceOf(int message) => QualityOf(message) == 1
        ? string.Create(CultureInfo.InvariantCulture, $"a{message % Devices1}")
        : string.Create(CultureInfo.InvariantCulture, $"b{(message - Messages1) % Devices2}");

    public int NumberOf(int message) => QualityOf(message) == 1 ? message / Devices1 : (message - Messages1) / Devices2;

    public string TopicOf(int message) => $"{(QualityOf(message) == 1 ? Topics1 : Topics2)}/{DeviceOf(message)}/value";

    /// <summary>The messages of a connection: those of each device in its order, both qualities mixed.</summary>
    public IEnumerable<int> Of(int connection, Random random)
    {
        // Devices are dealt to the connections in turn, and ids to the devices: every so manyth id is the connection's.
        var (next1, next2) = (connection, Messages1 + connection);
        while (next1 < Messages1 || next2 < Count)
        {
            var (left1, left2) = (Math.Max(0, Messages1 - next1), Math.Max(0, Count - next2));
            if (random.Next(left1 + left2) < left1)
            {
                yield return next1;
                next1 += Connections;
            }
            else
            {
                yield return next2;
                next2 += Connections;
            }
        }
    }

    /// <summary>The id of the message that a record was made of.</summary>
    /// <exception cref="InvalidDataException">It was made of no message of this plan.</exception>
    public int Read(in Record record)
    {
        var device = Encoding.UTF8.GetString(record.Key.Span);
        if (!EventCodec.TryReadJson(record.Value, out var view, out var reason)) throw Foreign(record, device, reason);
        return int.TryParse(view.Data.Span, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            && MessageOf(device, number) is >= 0 and var message
            ? message
            : throw Foreign(record, device, Encoding.UTF8.GetString(view.Data.Span));
    }

    /// <summary>The id of a device's message; -1 when there is none.</summary>
    public int MessageOf(string device, int number)
    {
        if (device.Length < 2 || !int.TryParse(device.AsSpan(1), NumberStyles.None, CultureInfo.InvariantCulture, out var index)) return -1;
        var message = device[0] == 'a' ? (number * Devices1) + index : Messages1 + (number * Devices2) + index;
        return message < Count && DeviceOf(message) == device && NumberOf(message) == number ? message : -1;
    }

    private static InvalidDataException Foreign(in Record record, string device, string what) =>
        new($"The record at {record.Offset} with key '{device}' is of no message: {what}.");
}
