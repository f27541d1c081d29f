using Millrace.Crash;
using Millrace.Crash.Raw;
using Millrace.Crash.Shop;
using Millrace.Crash.State;

if (!CrashOptions.TryRead(args, out var options, out var complaint))
{
    Console.Error.WriteLine(complaint);
    Console.Error.WriteLine(CrashOptions.Usage);
    return 2;
}

return options.Mode switch
{
    "raw" => await new RawProof(options).RunAsync(),
    "raw-child" => await RawChild.RunAsync(options),
    "state" => await new StateProof(options).RunAsync(),
    "state-child" => await StateChild.RunAsync(options),
    "shop" => await new ShopProof(options).RunAsync(),
    _ => throw new InvalidOperationException($"Unknown mode {options.Mode}."),
};
