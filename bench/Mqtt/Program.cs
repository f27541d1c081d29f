using MqttFigures;

if (args is [DeviceLoad.Name, .. var numbers]) return await DeviceLoad.RunAsync(numbers);

if (!BenchOptions.TryRead(args, out var options, out var complaint))
{
    Console.Error.WriteLine(complaint);
    Console.Error.WriteLine(BenchOptions.Usage);
    return 2;
}

await new IntakeBench(options).RunAsync();
return 0;
