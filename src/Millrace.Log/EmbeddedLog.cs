namespace Millrace.Log;

/// <summary>Chooses the embedded engine for a host.</summary>
public static class EmbeddedLog
{
    /// <summary>The host runs on the embedded engine: one process, one directory.</summary>
    /// <param name="builder">What the host runs.</param>
    /// <param name="directory">The directory; absolute, or relative to the working directory. It is made where it is missing.</param>
    /// <param name="options">Limits and parameters, or null for the defaults.</param>
    /// <exception cref="InvalidOperationException">An engine is chosen already.</exception>
    public static MillraceBuilder UseEmbeddedLog(this MillraceBuilder builder, string directory, LogOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrWhiteSpace(directory);
        return builder.UseEngine(async (_, cancellation) => await LogEngine.OpenAsync(directory, options, cancellation));
    }
}
