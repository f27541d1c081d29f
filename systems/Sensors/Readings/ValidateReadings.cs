using System.Buffers;
using System.Buffers.Binary;
using Millrace.Streams;

namespace Sensors.Readings;

/// <summary>The ids that a device used last, as hashes over id and time. Not thread safe.</summary>
internal sealed class RecentIds
{
    /// <summary>
    /// How many are remembered: a device or its gateway sends again what it did not see acknowledged, which is the latest.
    /// </summary>
    public const int Max = 32;

    private readonly ulong[] _hashes = new ulong[Max];
    private int _count;
    private int _next;

    /// <summary>How they are kept.</summary>
    public static StateCodec<RecentIds> Codec { get; } = new(1, Write, Read);

    /// <summary>Remembers an id; false when it was there already.</summary>
    /// <remarks>
    /// Two ids of one hash would have to come from one device within <see cref="Max"/> readings, with the same time: at 64 bits that is not
    /// going to happen.
    /// </remarks>
    public bool Add(string id, long time)
    {
        var hash = Hash(id, time);
        for (var i = 0; i < _count; i++)
        {
            if (_hashes[i] == hash) return false;
        }

        _hashes[_next] = hash;
        _next = (_next + 1) % Max;
        if (_count < Max) _count++;
        return true;
    }

    /// <summary>FNV-1a of 64 bits (Fowler, Noll, Vo) over the time and the id's UTF-16 units: the same in every process.</summary>
    private static ulong Hash(string id, long time)
    {
        const ulong Prime = 1_099_511_628_211;
        var hash = (14_695_981_039_346_656_037 ^ (ulong)time) * Prime;
        foreach (var unit in id) hash = (hash ^ unit) * Prime;
        return hash;
    }

    private static void Write(RecentIds ids, IBufferWriter<byte> output)
    {
        var bytes = output.GetSpan(1 + (ids._count * 8));
        bytes[0] = (byte)ids._next;
        for (var i = 0; i < ids._count; i++) BinaryPrimitives.WriteUInt64BigEndian(bytes[(1 + (i * 8))..], ids._hashes[i]);
        output.Advance(1 + (ids._count * 8));
    }

    private static RecentIds Read(ReadOnlySpan<byte> bytes)
    {
        var count = (bytes.Length - 1) / 8;
        if (bytes.Length != 1 + (count * 8) || count > Max || bytes[0] >= Max)
            throw new FormatException($"{bytes.Length} bytes are no ids.");
        var ids = new RecentIds { _count = count, _next = bytes[0] };
        for (var i = 0; i < count; i++) ids._hashes[i] = BinaryPrimitives.ReadUInt64BigEndian(bytes[(1 + (i * 8))..]);
        return ids;
    }
}

/// <summary>Lets readings through that pass the rules, and says the others to a side output with the reason.</summary>
/// <param name="bounds">What devices' clocks are held against.</param>
/// <param name="rejected">Where the others go.</param>
internal sealed class ValidateReadings(ClockBounds bounds, OutputTag<ReadingRejected> rejected)
    : ProcessFunction<string, SensorReading, SensorReading>
{
    private ValueState<RecentIds> _recent = null!;

    /// <inheritdoc/>
    public override void Open(StateDeclarations states) =>
        _recent = states.Value("recent", new StateOptions<RecentIds> { Codec = RecentIds.Codec });

    /// <inheritdoc/>
    public override void OnRecord(SensorReading reading, ProcessContext<string, SensorReading> context)
    {
        if (ReadingCheck.Fault(reading, bounds, context.Now) is { } fault)
        {
            Reject(reading, fault.Reason, fault.Detail, context);
            return;
        }

        var recent = _recent.Value ?? new RecentIds();
        if (!recent.Add(reading.Id, reading.Time))
        {
            Reject(reading, Rejections.Duplicate, $"id '{reading.Id}' came before", context);
            return;
        }

        _recent.Value = recent;
        context.Say(reading);
    }

    private void Reject(SensorReading reading, string reason, string detail, ProcessContext<string, SensorReading> context) =>
        context.Say(rejected, new ReadingRejected
        {
            Reason = reason,
            Detail = detail,
            ReadingId = reading.Id,
            DeviceId = reading.DeviceId,
            SensorType = reading.SensorType,
            Value = double.IsFinite(reading.Value) ? reading.Value : null,
            Unit = reading.Unit,
            Time = EventClock.Time(reading.Time),
        });
}

/// <summary>What ids and names may be.</summary>
internal static class SensorLimits
{
    /// <summary>The longest id of a reading, in characters.</summary>
    public const int IdLengthMax = 128;

    /// <summary>The longest id of a device, name of a zone, type or unit, in characters.</summary>
    public const int NameLengthMax = 64;

    private static readonly SearchValues<char> DeviceCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-");

    /// <summary>Whether a device may be called so: 1 to 64 of <c>[A-Za-z0-9._:-]</c>, which is safe in addresses and MQTT topics.</summary>
    public static bool IsDevice(ReadOnlySpan<char> id) => id.Length is > 0 and <= NameLengthMax && !id.ContainsAnyExcept(DeviceCharacters);
}
