using System.Net.Sockets;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Millrace;
using Shop.Api;

namespace Shop;

/// <summary>Runs the shop as a program: what it prints, and how it ends.</summary>
internal static class ShopRun
{
    public const int Done = 0;
    public const int Failed = 1;
    public const int WrongCommandLine = 2;
    public const int DataInUse = 3;
    public const int PortInUse = 4;

    /// <summary>The largest body that the interface reads. A thousand lines take about 100 KB.</summary>
    private const long BodyBytesMax = 1 << 20;

    /// <summary>Runs until Ctrl-C, or until a replay is done, and returns the exit code.</summary>
    public static async Task<int> RunAsync(IReadOnlyList<string> arguments, ShopConsole console)
    {
        switch (CommandLine.Parse(arguments))
        {
            case CommandLine.Help help:
                console.WriteResult(help.Text);
                return Done;
            case CommandLine.Wrong wrong:
                console.WriteFailure(wrong.Message);
                return WrongCommandLine;
            case CommandLine.Run run:
                return await RunAsync(run.Options, console);
            case var other:
                throw new InvalidOperationException($"Unknown command line {other.GetType().Name}.");
        }
    }

    /// <summary>The host's own settings: quiet logs on standard error, limits, a short farewell.</summary>
    public static WebApplicationBuilder CreateBuilder(ShopOptions options)
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
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(1.5));
        builder.Services.ConfigureHttpJsonOptions(json =>
        {
            json.SerializerOptions.TypeInfoResolverChain.Insert(0, PlainJson.Api);
            json.SerializerOptions.NumberHandling = JsonNumberHandling.Strict;
        });
        builder.Services.AddApiDescription();
        return builder;
    }

    private static async Task<int> RunAsync(ShopOptions options, ShopConsole console)
    {
        try
        {
            await using var app = Program.Build(options, console);
            if (!await TryStartAsync(app)) return Done;
            var urls = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses;
            console.WriteOpened(urls, options);
            await app.WaitForShutdownAsync();
            return Done;
        }
        catch (MillraceException failure) when (failure.Code == FailureCodes.DirectoryLocked)
        {
            console.WriteFailure(
                $"The data folder {options.DataDirectory} is in use by another process: end it, or choose another folder with --data.");
            return DataInUse;
        }
        catch (IOException failure) when (IsAddressInUse(failure))
        {
            console.WriteFailure(
                $"{string.Join(" or ", options.Urls)} is in use by another program: end it, or choose another address with --urls.");
            return PortInUse;
        }
        catch (Exception failure) when (failure is MillraceException or IOException or UnauthorizedAccessException or SocketException)
        {
            console.WriteFailure($"The shop cannot run: {failure.Message}");
            return Failed;
        }
    }

    /// <summary>
    /// Starts, or stops in good order what a start that failed half-way had begun; false when it was asked to end before it had started.
    /// </summary>
    private static async Task<bool> TryStartAsync(WebApplication app)
    {
        try
        {
            await app.StartAsync();
            return true;
        }
        catch (OperationCanceledException) when (app.Lifetime.ApplicationStopping.IsCancellationRequested)
        {
            await app.StopAsync();
            return false;
        }
        catch
        {
            await app.StopAsync();
            throw;
        }
    }

    private static bool IsAddressInUse(IOException failure) =>
        failure.InnerException is Microsoft.AspNetCore.Connections.AddressInUseException
        || failure.InnerException is SocketException { SocketErrorCode: SocketError.AddressAlreadyInUse };
}
