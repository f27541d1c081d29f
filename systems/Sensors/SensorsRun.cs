using System.Net.Sockets;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Millrace;
using Sensors.Simulation;

namespace Sensors;

/// <summary>Runs the platform as a program: what it prints, and how it ends.</summary>
internal static class SensorsRun
{
    public const int Done = 0;
    public const int Failed = 1;
    public const int WrongCommandLine = 2;
    public const int DataInUse = 3;
    public const int PortInUse = 4;

    private const long BodyBytesMax = 64 << 10;

    /// <summary>Runs until Ctrl-C, or until a replay is done, and returns the exit code.</summary>
    public static async Task<int> RunAsync(IReadOnlyList<string> arguments, SensorsConsole console)
    {
        switch (CommandLine.Parse(arguments))
        {
            case CommandLine.Help help:
                console.WriteResult(help.Text);
                return Done;
            case CommandLine.Wrong wrong:
                console.WriteMessage(wrong.Message);
                return WrongCommandLine;
            case CommandLine.Run run:
                return await RunAsync(run.Options, console);
            case var other:
                throw new InvalidOperationException($"Unknown command line {other.GetType().Name}.");
        }
    }

    /// <summary>The host's own settings: quiet logs on standard error, limits, a short farewell.</summary>
    public static WebApplicationBuilder CreateBuilder(SensorsOptions options)
    {
        // The page lies beside the program, wherever it is started from.
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions
        {
            ContentRootPath = AppContext.BaseDirectory,
            EnvironmentName = Environments.Production,
        });
        builder.WebHost.UseUrls([.. options.Urls]);
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Limits.MaxRequestBodySize = BodyBytesMax);
        builder.Logging.ClearProviders();
        builder.Logging.AddSimpleConsole(format => format.SingleLine = true);
        builder.Logging.Services.Configure<Microsoft.Extensions.Logging.Console.ConsoleLoggerOptions>(
            log => log.LogToStandardErrorThreshold = LogLevel.Trace);
        builder.Logging.SetMinimumLevel(LogLevel.Warning);

        // A failed start is said in one line by RunAsync; the host would print its stack as well.
        builder.Logging.AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.None);
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(2));
        builder.Services.ConfigureHttpJsonOptions(json =>
        {
            json.SerializerOptions.TypeInfoResolverChain.Insert(0, PlainJson.Api);
            json.SerializerOptions.NumberHandling = JsonNumberHandling.Strict;
        });
        builder.Services.AddOpenApi();
        return builder;
    }

    private static async Task<int> RunAsync(SensorsOptions options, SensorsConsole console)
    {
        try
        {
            Directory.CreateDirectory(options.DataDirectory);
            await using var app = Program.Build(options, console);
            await app.StartAsync();
            var urls = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses;
            var server = await app.Services.GetRequiredService<SimulationHost>().Server;
            console.WriteOpened(urls, $"mqtt://{server.Host}:{server.Port}", options);
            await app.WaitForShutdownAsync();
            return app.Services.GetRequiredService<SimulationHost>().ExecuteTask is { IsFaulted: true } ? Failed : Done;
        }
        catch (MillraceException failure) when (failure.Code == FailureCodes.DirectoryLocked)
        {
            console.WriteMessage(
                $"The data folder {options.DataDirectory} is in use by another process: end it, or choose another folder with --data.");
            return DataInUse;
        }
        catch (Exception failure) when (IsAddressInUse(failure))
        {
            console.WriteMessage(
                $"{string.Join(" or ", options.Urls)} or the MQTT port {options.MqttPort} is in use by another program: end it, or choose "
                + "others with --urls and --mqtt-port.");
            return PortInUse;
        }
        catch (Exception failure) when (failure is MillraceException or IOException or UnauthorizedAccessException or SocketException)
        {
            console.WriteMessage($"The platform cannot run: {failure.Message}");
            return Failed;
        }
    }

    private static bool IsAddressInUse(Exception failure) =>
        failure is IOException { InnerException: Microsoft.AspNetCore.Connections.AddressInUseException }
        || (failure as SocketException ?? failure.InnerException as SocketException)
            is { SocketErrorCode: SocketError.AddressAlreadyInUse };
}
