using System.Diagnostics;
using System.Globalization;
using Millrace.Servers;

namespace Millrace.Crash.Shop;

/// <summary>The Shop's services, each a process with data of its own; mails go to one folder. Thread safe.</summary>
internal sealed class ServiceProcesses : IDisposable
{
    private readonly Lock _gate = new(); // guards _free
    private readonly ServiceProcess[] _all;
    private readonly List<ServiceProcess> _free;

    public ServiceProcesses(string shop, string bootstrap, string data, TimeSpan session, IReadOnlyList<string> services)
    {
        _all = [.. services.Select((service, number) => new ServiceProcess(service, $"{service}-{number}", arguments =>
            new ChildProcess(shop, ["--engine", "kafka", "--bootstrap", bootstrap, "--session", Seconds(session), .. arguments], _ => { }), data))];
        _free = [.. _all];
    }

    public void StartAll()
    {
        foreach (var process in _all) process.Start();
    }

    public IReadOnlyList<Uri> AddressesOf(string service) =>
        [.. _all.Where(process => process.Service == service).Select(process => process.Address)];

    /// <summary>Takes one that nobody does anything to; null when there is none.</summary>
    public ServiceProcess? TryTake(Random random)
    {
        lock (_gate)
        {
            if (_free.Count == 0) return null;
            var taken = _free[random.Next(_free.Count)];
            _free.Remove(taken);
            return taken;
        }
    }

    public void GiveBack(ServiceProcess process)
    {
        lock (_gate) _free.Add(process);
    }

    /// <summary>
    /// Throws when one that nobody does anything to has ended. One that found no broker when it started is started again, as a supervisor
    /// would.
    /// </summary>
    public void DemandRunning()
    {
        lock (_gate) _free.ForEach(process => process.KeepRunning());
    }

    /// <summary>Waits until all say that they are ready: they run, and no processor of theirs is failing.</summary>
    public async Task WaitUntilReadyAsync(TimeSpan within, CancellationToken cancellation)
    {
        var since = Stopwatch.GetTimestamp();
        foreach (var process in _all)
        {
            using var client = new HttpClient { BaseAddress = process.Address, Timeout = TimeSpan.FromSeconds(5) };
            while (!await new ShopClient(client).IsReadyAsync())
            {
                process.KeepRunning();
                if (Stopwatch.GetElapsedTime(since) > within)
                    throw new InvalidOperationException($"{process.Name} is not ready within {within.TotalSeconds} s: {process.Errors}");
                await Task.Delay(20, cancellation);
            }
        }
    }

    public void Dispose()
    {
        foreach (var process in _all) process.Dispose();
    }

    private static string Seconds(TimeSpan time) => time.TotalSeconds.ToString(CultureInfo.InvariantCulture);
}

/// <summary>One service's process, which is started again and again in the same place.</summary>
internal sealed class ServiceProcess(string service, string name, Func<IEnumerable<string>, ChildProcess> start, string data) : IDisposable
{
    private const string NoBroker = "No broker answered";

    private readonly string _folder = Path.Combine(data, name);
    private ChildProcess? _child;

    public string Service => service;

    public string Name => name;

    public Uri Address { get; } = new($"http://127.0.0.1:{Ports.Free()}");

    public string Errors => _child?.Errors ?? "";

    public void Start()
    {
        _child?.Dispose();
        string[] own = service switch
        {
            "orders" => ["--rate", "0"],
            "payments" => ["--payment-failure-rate", "0.1"],
            "notifications" => ["--mail", Path.Combine(data, "mail")],
            _ => [],
        };
        _child = start(["--service", service, "--urls", Address.ToString().TrimEnd('/'), "--data", _folder, .. own]);
    }

    /// <summary>Starts it again if it found no broker to start with; throws when it ended for any other reason.</summary>
    public void KeepRunning()
    {
        if (_child is { HasExited: true } && Errors.Contains(NoBroker, StringComparison.Ordinal)) Start();
        DemandRunning();
    }

    private void DemandRunning()
    {
        if (_child is not { HasExited: false })
            throw new InvalidOperationException($"{Name} ended by itself, {_child?.LastWords}");
    }

    public async Task KillAsync()
    {
        KeepRunning();
        if (!await _child!.KillAsync()) throw new InvalidOperationException($"{Name} ended by itself, {_child.LastWords}");
    }

    /// <summary>Ends it as an operator would (SIGTERM).</summary>
    public async Task EndAsync()
    {
        KeepRunning();
        await _child!.TerminateAsync(TimeSpan.FromSeconds(30), NoBroker);
    }

    public Task StopAsync() => _child!.StopAsync();

    public Task ContinueAsync() => _child!.ContinueAsync();

    /// <summary>Its folder is gone: copies of state, and the instance's name.</summary>
    public void LoseData()
    {
        if (Directory.Exists(_folder)) Directory.Delete(_folder, recursive: true);
    }

    public void Dispose() => _child?.Dispose();
}
