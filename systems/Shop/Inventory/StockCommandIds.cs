namespace Shop.Inventory;

/// <summary>Makes ids for commands to the stock. Thread safe.</summary>
/// <param name="random">The source of chance; used under this object's lock.</param>
/// <param name="time">The clock; it keeps ids apart that a seed would repeat after a restart.</param>
internal sealed class StockCommandIds(Random random, TimeProvider time)
{
    /// <summary>Guards the random source, which is not thread safe.</summary>
    private readonly Lock _lock = new();

    /// <summary>A new id.</summary>
    public string Next(string sku)
    {
        Span<byte> bits = stackalloc byte[8];
        lock (_lock) random.NextBytes(bits);
        return $"evt-stock-{sku.Replace(' ', '_')}-{time.GetUtcNow().ToUnixTimeMilliseconds():x}{Convert.ToHexStringLower(bits)}";
    }
}
