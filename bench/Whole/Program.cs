using Millrace.Figures;
using Millrace.Whole;

if (!BenchOptions.TryRead(args, out var options, out var complaint))
{
    Console.Error.WriteLine(complaint);
    Console.Error.WriteLine(BenchOptions.Usage);
    return 2;
}

var report = new Report(options.Data, options.Rounds, ("durability", "every append is acknowledged after fdatasync"));
report.Begin();
if (options.Runs("append") || options.Runs("read")) await new LogBench(options, report).RunAsync();
if (options.Runs("handler")) await new HandlerBench(options, report).RunAsync();
if (options.Runs("shop")) await new ShopBench(options, report).RunAsync();
report.End();
return 0;
