using Shop.Customers;

namespace Shop;

/// <summary>
/// What the shop says on a terminal: a few plain lines. Results go to standard output, everything else to standard error when results are
/// asked for.
/// </summary>
/// <param name="output">For results.</param>
/// <param name="messages">For people.</param>
/// <param name="isTerminal">Whether people see a terminal, where a progress bar can move.</param>
internal sealed class ShopConsole(TextWriter output, TextWriter messages, bool isTerminal)
{
    /// <summary>The process's own.</summary>
    public static ShopConsole Standard { get; } = new(Console.Out, Console.Error, !Console.IsErrorRedirected);

    /// <summary>Says where the shop is.</summary>
    /// <param name="urls">Its addresses.</param>
    /// <param name="options">Its data folder, and whether standard output is kept for a result.</param>
    public void WriteOpened(IEnumerable<string> urls, ShopOptions options)
    {
        var writer = options.ExitsWhenDone ? messages : output;
        writer.WriteLine($"The shop is open at {string.Join(" and ", urls)}");
        writer.WriteLine($"Its data is in {options.DataDirectory}");
        writer.WriteLine("Ctrl-C closes it; started again, it goes on where it was.");
    }

    /// <summary>Prints a result as one line.</summary>
    public void WriteResult(string line) => output.WriteLine(line);

    /// <summary>Says why the shop cannot go on.</summary>
    public void WriteFailure(string line) => messages.WriteLine(line);

    /// <summary>A bar for a replay.</summary>
    public ProgressBar OpenProgressBar() => new(messages, isTerminal);
}
