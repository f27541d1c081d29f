using System.Globalization;

namespace Millrace.Cli.Commands;

/// <summary>Asks a system that runs why there is no output, and shows what it answers.</summary>
internal sealed record ExplainStreams
{
    private const double WatchMin = 0.1;
    private const double WatchMax = 3_600;
    private const int ShownMax = 500;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>Where the system's interface is.</summary>
    public Uri Url { get; private init; } = new("http://localhost:5100");

    /// <summary>Whether the answer is shown as JSON.</summary>
    public bool IsJson { get; private init; }

    /// <summary>How often it is asked again; null for once.</summary>
    public TimeSpan? Watch { get; private init; }

    /// <summary>Reads the options; null, and what is wrong, when something is.</summary>
    public static ExplainStreams? Read(IReadOnlyList<string> arguments, out string complaint)
    {
        var options = new ExplainStreams();
        complaint = "";
        for (var i = 0; i < arguments.Count; i++)
        {
            var equals = arguments[i].IndexOf('=', StringComparison.Ordinal);
            var name = equals < 0 ? arguments[i] : arguments[i][..equals];
            if (name == "--json" && equals < 0)
            {
                options = options with { IsJson = true };
                continue;
            }

            if (name is not ("--url" or "--watch"))
            {
                complaint = $"Unknown option '{arguments[i]}'. Try millrace --help.";
                return null;
            }

            var value = equals >= 0 ? arguments[i][(equals + 1)..] : i + 1 < arguments.Count ? arguments[++i] : null;
            if (value is null || Apply(options, name, value) is not { } applied)
            {
                complaint = $"{name} is '{value}': it must be "
                    + (name == "--url" ? "an address such as http://localhost:5100." : "a number of seconds from 0.1 to 3600.");
                return null;
            }

            options = applied;
        }

        return options;
    }

    /// <summary>Asks and shows.</summary>
    public async Task<int> RunAsync(TextWriter output, TextWriter messages, TimeProvider time, CancellationToken cancellation)
    {
        using var http = new HttpClient { BaseAddress = Url, Timeout = Patience };
        try
        {
            while (true)
            {
                using var answer = await http.GetAsync(IsJson ? "/api/streams" : "/api/streams/explain", cancellation);
                var text = await answer.Content.ReadAsStringAsync(cancellation);
                if (!answer.IsSuccessStatusCode)
                {
                    await messages.WriteLineAsync(
                        $"{Url} answers {(int)answer.StatusCode} to {answer.RequestMessage!.RequestUri!.AbsolutePath}: {Shorten(text)}");
                    return CommandLine.Failed;
                }

                await output.WriteLineAsync(text.TrimEnd('\n'));
                if (Watch is not { } pause) return CommandLine.Done;
                await output.WriteLineAsync();
                await Task.Delay(pause, time, cancellation);
            }
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            return CommandLine.Done;
        }
        catch (Exception failure) when (failure is HttpRequestException or TaskCanceledException)
        {
            await messages.WriteLineAsync($"Nothing answers at {Url}: {failure.Message} Say where the system runs with --url.");
            return CommandLine.Failed;
        }
    }

    private static ExplainStreams? Apply(ExplainStreams options, string name, string value)
    {
        if (name == "--url")
        {
            return Uri.TryCreate(value, UriKind.Absolute, out var url) && (url.Scheme is "http" or "https") ? options with { Url = url }
                : null;
        }

        return double.TryParse(value, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var seconds)
            && seconds is >= WatchMin and <= WatchMax
            ? options with { Watch = TimeSpan.FromSeconds(seconds) }
            : null;
    }

    private static string Shorten(string text) => text.Length <= ShownMax ? text : text[..ShownMax] + "...";
}
