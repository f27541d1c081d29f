using CsCheck;
using Shop.Inventory;

namespace Shop.Tests;

public sealed class StockLedgerTests
{
    [Fact]
    public void All_lines_are_reserved_or_none()
    {
        var stock = new StockLedger();
        stock.Set(new StockSet { Sku = "A", Available = 5, Price = 1m });
        stock.Set(new StockSet { Sku = "B", Available = 1, Price = 1m });

        var insufficient = Assert.IsType<ReservationOutcome.Insufficient>(stock.Reserve(Request("1", ("A", 5), ("B", 2), ("C", 1))));
        var reserved = Assert.IsType<ReservationOutcome.Reserved>(stock.Reserve(Request("2", ("A", 5), ("B", 1))));

        Assert.Equal(
            ["B 2 1", "C 1 0"],
            insufficient.Said.Shortages.Select(shortage => $"{shortage.Sku} {shortage.Requested} {shortage.Available}"));
        Assert.Equal("Insufficient stock of B: 2 ordered, 1 available (and 1 more).", insufficient.Said.Reason);
        Assert.Equal(["A 0 5", "B 0 1"], reserved.Levels.Select(level => $"{level.Sku} {level.Available} {level.Reserved}"));
    }

    [Fact]
    public void Setting_a_level_keeps_what_is_reserved()
    {
        var stock = new StockLedger();
        stock.Set(new StockSet { Sku = "A", Available = 5, Price = 1m });
        stock.Reserve(Request("1", ("A", 3)));

        Assert.Equal(
            new StockLevel { Sku = "A", Available = 9, Reserved = 3, Price = 2m },
            stock.Set(new StockSet { Sku = "A", Available = 9, Price = 2m }));
    }

    [Fact]
    public void Nothing_is_ever_oversold_or_lost()
    {
        var lines = Gen.Int[1, 6].Array[1, 3].Select(
            Gen.Int[0, 2], (quantities, first) => quantities.Select((quantity, i) => ($"S{(first + i) % 3}", quantity)).ToArray());

        lines.Array[0, 40].Sample(orders =>
        {
            var stock = new StockLedger();
            var levels = new Dictionary<string, StockLevel>();
            for (var i = 0; i < 3; i++) levels[$"S{i}"] = stock.Set(new StockSet { Sku = $"S{i}", Available = 20, Price = 1m });
            var reserved = new Dictionary<string, long>();
            foreach (var order in orders)
            {
                if (stock.Reserve(Request("1", order)) is not ReservationOutcome.Reserved outcome) continue;
                foreach (var level in outcome.Levels) levels[level.Sku] = level;
                foreach (var (sku, quantity) in order) reserved[sku] = reserved.GetValueOrDefault(sku) + quantity;
            }

            Assert.All(levels.Values, level =>
            {
                Assert.True(level.Available >= 0);
                Assert.Equal((20, reserved.GetValueOrDefault(level.Sku)), (level.Available + level.Reserved, level.Reserved));
            });
        });
    }

    private static ReservationRequested Request(string orderId, params (string Sku, int Quantity)[] lines) => new()
    {
        OrderId = orderId,
        Items = [.. lines.Select(line => new ReservedLine { Sku = line.Sku, Quantity = line.Quantity })],
    };
}
