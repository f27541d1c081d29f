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

    /// <summary>Says what runs, and where.</summary>
    /// <param name="urls">Its addresses.</param>
    /// <param name="options">What it runs, its data, and whether standard output is kept for a result.</param>
    public void WriteOpened(IEnumerable<string> urls, ShopOptions options)
    {
        var writer = options.ExitsWhenDone ? messages : output;
        var addresses = string.Join(" and ", urls);
        writer.WriteLine(options.Runs(ShopServices.Orders)
            ? $"The shop is open at {addresses}"
            : $"The {options.Services.ToString().ToLowerInvariant()} service runs; its health is at {addresses}");
        writer.WriteLine(options.Engine == ShopEngine.Kafka
            ? $"Its events are on Kafka at {options.Bootstrap}, its data is in {options.DataDirectory}"
            : $"Its data is in {options.DataDirectory}");
        writer.WriteLine("Ctrl-C closes it; started again, it goes on where it was.");
    }

    /// <summary>Prints a result as one line.</summary>
    public void WriteResult(string line) => output.WriteLine(line);

    /// <summary>Says why the shop cannot go on.</summary>
    public void WriteFailure(string line) => messages.WriteLine(line);

    /// <summary>A bar for a replay.</summary>
    public ProgressBar OpenProgressBar() => new(messages, isTerminal);
}
