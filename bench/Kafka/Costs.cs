using System.Globalization;
using Millrace.Figures;

namespace KafkaFigures;

/// <summary>What one side's work took in one round, as figures and as a line.</summary>
internal static class Costs
{
    public static void Round(this Report report, int round, string side, long records, Cost cost, string more = "")
    {
        if (round < 0) return; // it only warmed up: the compilers, the page cache
        report.Add($"{side}: by the clock", "records/s", records / cost.Seconds);
        report.Add($"{side}: processor time here", "us/record", cost.ProcessorSeconds / records * 1e6);
        if (cost.BrokerSeconds > 0) report.Add($"{side}: processor time of the broker", "us/record", cost.BrokerSeconds / records * 1e6);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"round {round + 1} {side,-34} {records / cost.Seconds,9:N0}/s {cost.ProcessorSeconds / records * 1e6,6:N2} us here " +
            $"{cost.BrokerSeconds / records * 1e6,6:N2} us broker {more}"));
    }
}
