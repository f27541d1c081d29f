using Millrace;

namespace Shop.Customers;

/// <summary>
/// For those who come without HTTP: what failed for a while, or has an unknown result, is done again until it succeeds. Only for what may
/// be done twice.
/// </summary>
internal static class Insistence
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    public static Task InsistAsync(this TimeProvider time, Func<ValueTask> call, CancellationToken cancellation) => time.InsistAsync(
        async () =>
        {
            await call();
            return true;
        },
        cancellation);

    public static async Task<T> InsistAsync<T>(this TimeProvider time, Func<ValueTask<T>> call, CancellationToken cancellation)
    {
        while (true)
        {
            try
            {
                return await call();
            }
            catch (MillraceException failure) when (failure.IsTransient || failure.Code == FailureCodes.UnknownResult)
            {
                await Task.Delay(Pause, time, cancellation);
            }
        }
    }
}
