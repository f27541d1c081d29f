using Shop.Api;

namespace Shop.View;

/// <summary>The events of one order, which arrive by several topics and so in any order.</summary>
internal static class Chronicle
{
    /// <summary>Adds an event unless it is there: the same event may be in a topic twice.</summary>
    public static bool Add(List<TimelineEntry> timeline, TimelineEntry entry)
    {
        foreach (var known in timeline)
        {
            if (known.Id == entry.Id && known.Service == entry.Service) return false;
        }

        timeline.Add(entry);
        return true;
    }

    /// <summary>Orders events so that none stands before the one that led to it; by time, where that leaves a choice.</summary>
    public static List<TimelineEntry> Order(IReadOnlyList<TimelineEntry> timeline)
    {
        var waiting = timeline.OrderBy(entry => entry.Time).ThenBy(entry => entry.Id, StringComparer.Ordinal).ToList();
        var ordered = new List<TimelineEntry>(waiting.Count);
        while (waiting.Count > 0)
        {
            var next = waiting.FindIndex(entry => entry.Causation is null || !waiting.Exists(other => other.Id == entry.Causation));

            // Events that name each other as causes come from elsewhere; they keep the order of their times.
            next = Math.Max(next, 0);
            ordered.Add(waiting[next]);
            waiting.RemoveAt(next);
        }

        return ordered;
    }
}
