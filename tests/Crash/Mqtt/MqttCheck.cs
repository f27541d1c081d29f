using Millrace.Crash.Raw;
using Millrace.Log;

namespace Millrace.Crash.Mqtt;

/// <summary>Reads the topic at the end and compares it with what the publishers know.</summary>
internal sealed class MqttCheck(MqttPlan plan, MqttLedger ledger, DeliveryRecorder? recorder)
{
    private readonly List<string> _complaints = [];
    private readonly byte[] _times = new byte[plan.Count];
    private readonly Dictionary<string, (int Partition, int Last)> _devices = [];
    private int _partition;

    public IReadOnlyCollection<string> Complaints => _complaints;

    public int Records { get; private set; }

    /// <summary>Acknowledged and not there.</summary>
    public int Lost { get; private set; }

    /// <summary>Of quality 2, more often there than a broker delivered them: the platform's fault.</summary>
    public int Doubled { get; private set; }

    /// <summary>Of quality 2, more than once there because HiveMQ delivered them as often, and published more than once by the rules.</summary>
    public int DeliveredTwiceAfterRepeat { get; private set; }

    /// <summary>The same of those that were published once: HiveMQ delivered them under another packet id, or without DUP.</summary>
    public int DeliveredTwice { get; private set; }

    /// <summary>Of quality 1, more than once there, as they may be.</summary>
    public int Again { get; private set; }

    /// <summary>After a later one of the device: for quality 1 the first record of a message, for quality 2 any.</summary>
    public int Misplaced { get; private set; }

    /// <summary>Never published.</summary>
    public int Invented { get; private set; }

    public bool IsClean => Lost + Doubled + Misplaced + Invented + _complaints.Count == 0;

    public async Task ReadAsync(string folder)
    {
        await using var engine = await LogEngine.OpenAsync(folder);
        for (_partition = 0; _partition < MqttPlan.Partitions; _partition++)
            await RawRecord.ForEachAsync(engine, new TopicPartition(MqttPlan.Readings, _partition), Take);
        var letters = await engine.FindTopicAsync($"{MqttPlan.Source}.dlq");
        if (letters?.Partitions.Sum(partition => partition.EndOffset) is not 0) _complaints.Add("There are dead letters, or no topic for them.");
        for (var message = 0; message < plan.Count; message++) Judge(message);
    }

    private void Take(Record record)
    {
        Records++;
        var message = plan.Read(record);
        var (device, number) = (plan.DeviceOf(message), plan.NumberOf(message));
        if (_times[message] < byte.MaxValue) _times[message]++;
        if (ledger.TimesSent(message) == 0) Invented++;
        if (!_devices.TryGetValue(device, out var seen)) seen = (_partition, -1);
        if (seen.Partition != _partition) _complaints.Add($"Device {device} is in the partitions {seen.Partition} and {_partition}.");
        var isFirst = _times[message] == 1;
        if (isFirst && number < seen.Last)
        {
            Misplaced++;
            _complaints.Add($"Message {number} of {device} comes after {seen.Last}, at {record.Offset} of partition {_partition}.");
        }

        _devices[device] = (seen.Partition, Math.Max(seen.Last, number));
    }

    private void Judge(int message)
    {
        var (times, what) = (_times[message], $"message {plan.NumberOf(message)} of {plan.DeviceOf(message)}");
        if (times == 0 && ledger.IsAcknowledged(message))
        {
            Lost++;
            _complaints.Add($"Lost: {what}, published {ledger.TimesSent(message)} times.");
        }

        if (times <= 1) return;
        if (plan.QualityOf(message) == 1)
        {
            Again++;
            return;
        }

        var isDelivered = recorder is not null && times <= recorder.DeliveriesOf(message);
        if (isDelivered && ledger.TimesSent(message) > 1)
        {
            DeliveredTwiceAfterRepeat++;
        }
        else if (isDelivered)
        {
            DeliveredTwice++;
        }
        else
        {
            Doubled++;
            _complaints.Add($"{times} times: {what}, published {ledger.TimesSent(message)} times.");
        }
    }
}
