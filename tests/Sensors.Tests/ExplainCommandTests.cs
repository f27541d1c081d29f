using static Sensors.Tests.Examples;

namespace Sensors.Tests;

/// <summary>The command <c>millrace streams explain</c> against a platform that runs.</summary>
public sealed class ExplainCommandTests : IDisposable
{
    private readonly StringWriter _output = new();
    private readonly StringWriter _messages = new();

    [Fact]
    public async Task It_shows_what_each_operator_has_done_and_what_it_waits_for()
    {
        await using var platform = await RunningPlatform.StartAsync();
        await platform.SendAsync(Reading(20, TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds()));
        var url = platform.Http.BaseAddress!.ToString();

        Assert.Equal(0, await RunAsync("streams", "explain", "--url", url));
        Assert.Contains("source sensors.raw: 1 in, 1 out", _output.ToString(), StringComparison.Ordinal);
        Assert.Contains("waits for", _output.ToString(), StringComparison.Ordinal);
        Assert.Equal(0, await RunAsync("streams", "explain", "--json", $"--url={url}"));
        Assert.Contains("\"recordsIn\":1", _output.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("There is no command 'stream'", "stream")]
    [InlineData("Unknown option '--all'", "streams", "explain", "--all")]
    [InlineData("--url is 'here': it must be an address", "streams", "explain", "--url", "here")]
    [InlineData("--watch is '0': it must be a number of seconds", "streams", "explain", "--watch", "0")]
    [InlineData("--watch is ''", "streams", "explain", "--watch")]
    public async Task A_wrong_command_line_says_what_is_wrong(string message, params string[] arguments)
    {
        Assert.Equal(2, await RunAsync(arguments));
        Assert.StartsWith(message, _messages.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Where_nothing_runs_it_says_so()
    {
        Assert.Equal(1, await RunAsync("streams", "explain", "--url", "http://127.0.0.1:1"));
        Assert.StartsWith("Nothing answers at http://127.0.0.1:1/", _messages.ToString(), StringComparison.Ordinal);
    }

    public void Dispose()
    {
        _output.Dispose();
        _messages.Dispose();
    }

    private Task<int> RunAsync(params string[] arguments) => Millrace.Cli.Commands.CommandLine.RunAsync(
        arguments, _output, _messages, TimeProvider.System, TestContext.Current.CancellationToken);
}
