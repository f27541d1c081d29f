namespace Millrace.Streams.Running;

/// <summary>
/// Source partitions of this process that are to stay together in event time. One that is too far ahead of the least active one is held
/// until that has come closer. Thread safe.
/// </summary>
internal sealed class AlignmentGroup
{
    private readonly Lock _gate = new(); // guards _members; what is released is completed outside it
    private readonly Dictionary<object, Member> _members = [];

    /// <summary>A partition says where it is. Returns what it has to wait for; null when it may go on.</summary>
    /// <param name="who">The partition.</param>
    /// <param name="watermark">Its watermark.</param>
    /// <param name="isActive">Whether the others wait for it.</param>
    /// <param name="maxDrift">How far ahead of the least active one it may be, in milliseconds.</param>
    public Task? Report(object who, long watermark, bool isActive, long maxDrift)
    {
        List<TaskCompletionSource> released;
        Task? hold;
        lock (_gate)
        {
            if (!_members.TryGetValue(who, out var member)) _members.Add(who, member = new Member());
            (member.Watermark, member.IsActive, member.MaxDrift) = (watermark, isActive, maxDrift);
            var least = Least();
            if (IsAhead(member, least)) member.Held ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            released = Release(least);
            hold = member.Held?.Task;
        }

        foreach (var one in released) one.SetResult();
        return hold;
    }

    /// <summary>A partition is not worked on here any more.</summary>
    public void Leave(object who)
    {
        List<TaskCompletionSource> released;
        lock (_gate)
        {
            if (!_members.Remove(who, out var gone)) return;
            released = Release(Least());
            if (gone.Held is { } held) released.Add(held);
        }

        foreach (var one in released) one.SetResult();
    }

    private long Least()
    {
        var least = long.MaxValue;
        foreach (var member in _members.Values)
        {
            if (member.IsActive) least = Math.Min(least, member.Watermark);
        }

        return least;
    }

    private List<TaskCompletionSource> Release(long least)
    {
        var released = new List<TaskCompletionSource>();
        foreach (var member in _members.Values)
        {
            if (member.Held is not { } held || IsAhead(member, least)) continue;
            released.Add(held);
            member.Held = null;
        }

        return released;
    }

    private static bool IsAhead(Member member, long least) =>
        member.Watermark != long.MinValue && member.Watermark > EventTime.Add(least, member.MaxDrift);

    private sealed class Member
    {
        public long Watermark { get; set; }

        public bool IsActive { get; set; }

        public long MaxDrift { get; set; }

        public TaskCompletionSource? Held { get; set; }
    }
}
