namespace Millrace.Crash.Mqtt;

/// <summary>What the publishers know of each message, and how many are in the log by what the platform says. Thread safe.</summary>
internal sealed class MqttLedger(MqttPlan plan)
{
    private readonly byte[] _sent = new byte[plan.Count];
    private readonly bool[] _acknowledged = new bool[plan.Count];
    private int _begun, _acknowledgedCount, _taken, _repeats, _sessionsLost, _sentAnew;

    /// <summary>How many were sent at all.</summary>
    public int Begun => Volatile.Read(ref _begun);

    public int Acknowledged => Volatile.Read(ref _acknowledgedCount);

    /// <summary>How many different ones the platform has seen in its log.</summary>
    public int Taken => Volatile.Read(ref _taken);

    /// <summary>How often a message was published again.</summary>
    public int Repeats => _repeats;

    /// <summary>How often a broker did not know a session that it should have kept.</summary>
    public int SessionsLost => _sessionsLost;

    /// <summary>How many messages of quality 2 had to be sent as new ones because of that.</summary>
    public int SentAnew => _sentAnew;

    public void Send(int message)
    {
        if (_sent[message] == 0) Interlocked.Increment(ref _begun);
        else Interlocked.Increment(ref _repeats);
        if (_sent[message] < byte.MaxValue) _sent[message]++;
    }

    public void Acknowledge(int message)
    {
        if (_acknowledged[message]) return;
        _acknowledged[message] = true;
        Interlocked.Increment(ref _acknowledgedCount);
    }

    public void LoseSession() => Interlocked.Increment(ref _sessionsLost);

    public void SendAnew() => Interlocked.Increment(ref _sentAnew);

    public void Take(int count) => Volatile.Write(ref _taken, Math.Max(count, _taken));

    /// <summary>How often a message was published; to be read when nobody publishes any more.</summary>
    public int TimesSent(int message) => _sent[message];

    public bool IsAcknowledged(int message) => _acknowledged[message];
}
