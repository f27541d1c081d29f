namespace Sensors.Tests;

public sealed class CommandLineTests
{
    [Fact]
    public void Every_option_has_its_place()
    {
        var file = Path.GetTempFileName();
        var run = Assert.IsType<CommandLine.Run>(CommandLine.Parse(
        [
            "--urls", "http://127.0.0.1:1;http://127.0.0.1:2", "--data=d", "--partitions", "7", "--mqtt-port", "0", "--store", "none",
            "--replay", file, "--speed", "60", "--exit-when-done",
        ])).Options;
        File.Delete(file);

        Assert.Equal(["http://127.0.0.1:1", "http://127.0.0.1:2"], run.Urls);
        Assert.Equal((7, 0, SeriesStore.None, 60.0, true), (run.Partitions, run.MqttPort, run.Store, run.Speed, run.ExitsWhenDone));
        Assert.Equal(Path.GetFullPath("d"), run.DataDirectory);
        Assert.Equal(0, run.SimulatedDevices);
        Assert.Null(run.Retention);
    }

    [Theory]
    [InlineData("--devices", "--devices needs a value")]
    [InlineData("--devices x", "--devices is 'x': it must be a whole number from 0 to 1000000")]
    [InlineData("--speed 2", "--speed needs --replay")]
    [InlineData("--exit-when-done", "--exit-when-done needs --replay")]
    [InlineData("--replay /no/such/file", "--replay is '/no/such/file': there is no such file")]
    [InlineData("--engine kafka", "--engine kafka needs --bootstrap")]
    [InlineData("--bootstrap a:1", "--bootstrap needs --engine kafka")]
    [InlineData("--engine pulsar", "--engine is 'pulsar': it must be one of embedded, kafka")]
    [InlineData("--store postgres", "--store postgres needs --postgres")]
    [InlineData("--mqtt nowhere", "--mqtt is 'nowhere': it must be HOST:PORT")]
    [InlineData("--mqtt a:1 --mqtt-port 2", "--mqtt-port is the embedded broker's")]
    [InlineData("--devices 0 --rate 5", "--rate needs simulated devices")]
    [InlineData("--exit-when-done=1", "--exit-when-done takes no value")]
    [InlineData("--what", "Unknown option '--what'")]
    public void What_is_wrong_is_said_with_its_name_and_value(string line, string message) => Assert.StartsWith(
        message, Assert.IsType<CommandLine.Wrong>(CommandLine.Parse(line.Split(' '))).Message, StringComparison.Ordinal);

    [Fact]
    public void Help_names_every_option() =>
        Assert.Contains("--exit-when-done", Assert.IsType<CommandLine.Help>(CommandLine.Parse(["--help"])).Text, StringComparison.Ordinal);
}
