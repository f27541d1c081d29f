namespace Shop.Tests;

public sealed class CommandLineTests
{
    [Fact]
    public void Options_are_read_in_both_forms()
    {
        var run = Assert.IsType<CommandLine.Run>(CommandLine.Parse(
            ["--urls", "http://*:80;http://[::1]:81", "--data=x", "--rate", "0.5",
                "--payment-failure-rate=1", "--initial-stock", "7", "--unsynced-mail"]));

        Assert.Equal(["http://*:80", "http://[::1]:81"], run.Options.Urls);
        Assert.Equal((Path.GetFullPath("x"), 0.5, 1.0, 7L, false), (
            run.Options.DataDirectory, run.Options.CustomersPerSecond, run.Options.PaymentFailureRate,
            run.Options.InitialStock, run.Options.SyncsMail));
    }

    [Fact]
    public void Five_customers_a_second_come_by_default_and_none_to_a_replay()
    {
        Assert.Equal(5, new ShopOptions().CustomersPerSecond);
        Assert.Equal(0, new ShopOptions { OrdersFile = "x" }.CustomersPerSecond);
        Assert.Equal(2, new ShopOptions { OrdersFile = "x", Rate = 2 }.CustomersPerSecond);
    }

    [Theory]
    [InlineData("--nope", "Unknown option '--nope'")]
    [InlineData("data", "Unknown option 'data'")]
    [InlineData("--rate", "--rate needs a value")]
    [InlineData("--rate --data x", "--rate needs a value")]
    [InlineData("--rate fast", "--rate is 'fast'")]
    [InlineData("--rate -1", "--rate is '-1'")]
    [InlineData("--rate NaN", "--rate is 'NaN'")]
    [InlineData("--payment-failure-rate 1.1", "--payment-failure-rate is '1.1'")]
    [InlineData("--initial-stock 1.5", "--initial-stock is '1.5'")]
    [InlineData("--urls localhost:5000", "--urls is 'localhost:5000'")]
    [InlineData("--urls https://localhost:5000", "--urls is 'https://localhost:5000'")]
    [InlineData("--orders no-such-file.csv", "--orders is 'no-such-file.csv': there is no such file")]
    [InlineData("--exit-when-done", "--exit-when-done needs a replay")]
    [InlineData("--exit-when-done=1", "--exit-when-done takes no value")]
    [InlineData("--currency usd", "--currency is 'usd'")]
    public async Task A_wrong_line_is_named_with_its_value_and_ends_with_2(string line, string message)
    {
        var output = new StringWriter();

        var code = await ShopRun.RunAsync(line.Split(' '), new ShopConsole(output, output, isTerminal: false));

        Assert.Equal(SystemRun.WrongCommandLine, code);
        Assert.StartsWith(message, output.ToString(), StringComparison.Ordinal);
        Assert.Single(output.ToString().TrimEnd().Split('\n'));
    }

    [Fact]
    public async Task Help_names_every_option()
    {
        var output = new StringWriter();

        Assert.Equal(SystemRun.Done, await ShopRun.RunAsync(["--help"], new ShopConsole(output, output, isTerminal: false)));
        Assert.All(
            ["--urls", "--data", "--rate", "--payment-failure-rate", "--orders", "--initial-stock", "--exit-when-done"],
            option => Assert.Contains(option, output.ToString(), StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_second_shop_on_the_folder_or_the_port_is_refused_in_one_line()
    {
        using var folder = new TemporaryFolder();
        using var other = new TemporaryFolder();
        await using var shop = await RunningShop.StartAsync(null, folder: folder);
        var (first, second) = (new StringWriter(), new StringWriter());

        var inUse = await ShopRun.RunAsync(
            ["--data", folder.Path, "--urls", "http://127.0.0.1:0"], new ShopConsole(first, first, isTerminal: false));
        var portInUse = await ShopRun.RunAsync(
            ["--data", other.Path, "--rate", "0", "--urls", shop.Http.BaseAddress!.ToString()], new ShopConsole(
                second, second, isTerminal: false));

        Assert.Equal((SystemRun.DataInUse, SystemRun.PortInUse), (inUse, portInUse));
        Assert.Contains(folder.Path, Assert.Single(first.ToString().TrimEnd().Split('\n')), StringComparison.Ordinal);
        Assert.Contains(shop.Http.BaseAddress.Authority, Assert.Single(second.ToString().TrimEnd().Split('\n')), StringComparison.Ordinal);
    }
}
