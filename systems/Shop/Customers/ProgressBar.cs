using System.Globalization;

namespace Shop.Customers;

/// <summary>Says how far a replay is: a bar that moves on a terminal, plain lines elsewhere, at most one for every tenth.</summary>
internal sealed class ProgressBar(TextWriter output, bool isTerminal)
{
    private const int Width = 30;

    private int _lastTenth;

    public void Report(long position, long length, long lines, long orders)
    {
        var share = length == 0 ? 1 : Math.Min(1, (double)position / length);
        if (isTerminal)
        {
            var filled = (int)(share * Width);
            output.Write(string.Create(CultureInfo.InvariantCulture,
                $"\r[{new string('#', filled)}{new string('.', Width - filled)}] {share,4:P0}  {lines} lines, {orders} orders"));
            return;
        }

        var tenth = (int)(share * 10);
        if (tenth == _lastTenth) return;
        _lastTenth = tenth;
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Replay: {share:P0}, {lines} lines, {orders} orders"));
    }

    public void Complete(long lines, long orders)
    {
        if (isTerminal) Report(1, 1, lines, orders);
        output.WriteLine(isTerminal ? "" : string.Create(CultureInfo.InvariantCulture, $"Replay: done, {lines} lines, {orders} orders"));
    }
}
