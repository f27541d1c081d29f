namespace Millrace.Crash.Accounts;

/// <summary>What was found; all of it should be 0.</summary>
internal sealed class AccountsFindings
{
    /// <summary>Bookings, statements or timers that should be there and are not.</summary>
    public int Lost { get; set; }

    /// <summary>Statements that are there more than once.</summary>
    public int Doubled { get; set; }

    /// <summary>Statements that stand after a later one of the same partition.</summary>
    public int Reordered { get; set; }

    /// <summary>Statements and entries of state that do not say what follows from the bookings.</summary>
    public int Wrong { get; set; }

    /// <summary>Statements of a life after those of a later life of the same partition.</summary>
    public int Haunted { get; set; }

    public List<string> Complaints { get; } = [];

    public bool IsClean => Lost + Doubled + Reordered + Wrong + Haunted + Complaints.Count == 0;

    public void Complain(string complaint)
    {
        if (Complaints.Count < 1_000) Complaints.Add(complaint);
    }

    /// <summary>Prints what there is to complain about, and the sums.</summary>
    public void Print(string proof)
    {
        Crash.Complaints.Print(proof, Complaints);
        Console.WriteLine(
            $"{proof}: {Lost} lost, {Doubled} doubled, {Reordered} reordered, {Wrong} wrong, {Haunted} said by an owner of before, " +
            $"{Complaints.Count} complaints");
    }
}
