using System.Net.Sockets;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.Logging.Console;
using Millrace;

namespace Front;

/// <summary>Runs a system as a program: its host's settings, and how it ends. Immutable.</summary>
public sealed record SystemRun
{
    /// <summary>Exit codes.</summary>
    public const int Done = 0;
    public const int Failed = 1;
    public const int WrongCommandLine = 2;
    public const int DataInUse = 3;
    public const int PortInUse = 4;

    /// <summary>What the system is called at the start of a sentence: "The shop".</summary>
    public required string Name { get; init; }

    /// <summary>Its data folder.</summary>
    public required string DataDirectory { get; init; }

    /// <summary>What is said when a port is in use: which, and how to choose another.</summary>
    public required string PortInUseMessage { get; init; }

    /// <summary>Makes it, ready to start.</summary>
    public required Func<WebApplication> Build { get; init; }

    /// <summary>It runs, at these addresses: waits for its end and tells the exit code.</summary>
    public required Func<WebApplication, IEnumerable<string>, Task<int>> Opened { get; init; }

    /// <summary>Tells people why it cannot go on.</summary>
    public required Action<string> Complain { get; init; }

    /// <summary>The host's own settings: quiet logs on standard error, limits, a short farewell.</summary>
    /// <param name="urls">Where to listen.</param>
    /// <param name="bodyBytesMax">The largest body that the interface reads.</param>
    /// <param name="farewell">How long a stop may take.</param>
    /// <param name="json">How answers are written.</param>
    public static WebApplicationBuilder CreateBuilder(
        IEnumerable<string> urls, long bodyBytesMax, TimeSpan farewell, JsonSerializerContext json)
    {
        // The page lies beside the program, wherever it is started from.
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions
        {
            ContentRootPath = AppContext.BaseDirectory,
            EnvironmentName = Environments.Production,
        });
        builder.WebHost.UseUrls([.. urls]);
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Limits.MaxRequestBodySize = bodyBytesMax);
        builder.Logging.ClearProviders();
        builder.Logging.AddSimpleConsole(format => format.SingleLine = true);
        builder.Logging.Services.Configure<ConsoleLoggerOptions>(log => log.LogToStandardErrorThreshold = LogLevel.Trace);
        builder.Logging.SetMinimumLevel(LogLevel.Warning);

        // A failed start is said in one line by RunAsync; the host would print its stack as well.
        builder.Logging.AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.None);
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = farewell);
        builder.Services.ConfigureHttpJsonOptions(options =>
        {
            options.SerializerOptions.TypeInfoResolverChain.Insert(0, json);
            options.SerializerOptions.TypeInfoResolverChain.Insert(1, PlainAnswers.Json);
            options.SerializerOptions.NumberHandling = JsonNumberHandling.Strict;
        });
        return builder;
    }

    /// <summary>Runs it to its end and returns the exit code.</summary>
    public async Task<int> RunAsync()
    {
        try
        {
            await using var app = Build();
            if (!await TryStartAsync(app)) return Done;
            var urls = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses;
            return await Opened(app, urls);
        }
        catch (MillraceException failure) when (failure.Code == FailureCodes.DirectoryLocked)
        {
            Complain($"The data folder {DataDirectory} is in use by another process: end it, or choose another folder with --data.");
            return DataInUse;
        }
        catch (Exception failure) when (IsAddressInUse(failure))
        {
            Complain(PortInUseMessage);
            return PortInUse;
        }
        catch (Exception failure) when (failure is MillraceException or IOException or UnauthorizedAccessException or SocketException)
        {
            Complain($"{Name} cannot run: {failure.Message}");
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

    /// <summary>Kestrel wraps what the system says; others do not.</summary>
    private static bool IsAddressInUse(Exception failure) =>
        failure is IOException { InnerException: Microsoft.AspNetCore.Connections.AddressInUseException }
        || (failure as SocketException ?? failure.InnerException as SocketException)
            is { SocketErrorCode: SocketError.AddressAlreadyInUse };
}
