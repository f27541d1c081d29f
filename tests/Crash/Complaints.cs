namespace Millrace.Crash;

/// <summary>What a proof complains about, in few enough lines to be read.</summary>
internal static class Complaints
{
    private const int ShownMax = 20;

    public static void Print(string proof, IReadOnlyCollection<string> complaints)
    {
        foreach (var complaint in complaints.Take(ShownMax)) Console.WriteLine($"{proof}: {complaint}");
        if (complaints.Count > ShownMax) Console.WriteLine($"{proof}: and {complaints.Count - ShownMax} more of this kind");
    }
}
