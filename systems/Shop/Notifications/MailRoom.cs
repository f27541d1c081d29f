using System.Threading.Channels;
using Millrace.Log;

namespace Shop.Notifications;

/// <summary>Where mails go and how safely.</summary>
internal sealed record MailRoomOptions
{
    /// <summary>The folder, absolute; several mail rooms may share it.</summary>
    public required string Directory { get; init; }

    /// <summary>A name that no other mail room of the folder has at the same time; it is a part of temporary files' names.</summary>
    public required string Writer { get; init; }

    /// <summary>Whether a mail is on the disk, not only with the operating system, before its event counts as handled.</summary>
    public required bool IsSynced { get; init; }

    /// <summary>How many mails may wait to be written; above it the handlers wait.</summary>
    public int WaitingMax { get; init; } = 1_024;

    /// <summary>How many mails share one sync of the folder.</summary>
    public int BatchMax { get; init; } = 128;
}

/// <summary>
/// Writes mails as files, many at a time: each under a temporary name, then renamed, so that a file is whole or absent; one sync of the
/// folder serves all. Writing a mail again replaces it by itself. Thread safe once started.
/// </summary>
internal sealed class MailRoom(MailRoomOptions options, IStorage storage) : IHostedService, IAsyncDisposable
{
    private const string Extension = ".eml";

    private readonly string _temporaryExtension = $".{options.Writer}.tmp";
    private readonly Channel<WaitingMail> _waiting = Channel.CreateBounded<WaitingMail>(options.WaitingMax);
    private readonly CancellationTokenSource _stopping = new();
    private Task? _loop;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        storage.CreateDirectory(options.Directory);
        foreach (var name in storage.ListFiles(options.Directory))
        {
            if (name.EndsWith(_temporaryExtension, StringComparison.Ordinal)) storage.DeleteFile(Path.Combine(options.Directory, name));
        }

        _loop = storage.RunBlocking(RunAsync);
        return Task.CompletedTask;
    }

    /// <summary>
    /// Writes a mail, and returns its file's name when it is safe. The order's id must be fit for a file name.
    /// </summary>
    public async Task<string> WriteAsync(string orderId, byte[] text, CancellationToken cancellation)
    {
        var mail = new WaitingMail(orderId, text, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        await _waiting.Writer.WriteAsync(mail, cancellation);
        await mail.Written.Task.WaitAsync(cancellation);
        return orderId + Extension;
    }

    public async Task StopAsync(CancellationToken cancellationToken) => await DisposeAsync();

    public async ValueTask DisposeAsync()
    {
        if (!_waiting.Writer.TryComplete()) return;
        await _stopping.CancelAsync();
        if (_loop is not null) await _loop;
        _stopping.Dispose();
    }

    private async Task RunAsync()
    {
        var batch = new List<WaitingMail>(options.BatchMax);
        while (await _waiting.Reader.WaitToReadAsync())
        {
            while (batch.Count < options.BatchMax && _waiting.Reader.TryRead(out var mail)) batch.Add(mail);
            try
            {
                // What waits when the shop closes is not committed: the next start writes it.
                _stopping.Token.ThrowIfCancellationRequested();
                Write(batch.DistinctBy(mail => mail.OrderId).ToList());
                foreach (var mail in batch) mail.Written.SetResult();
            }
            catch (OperationCanceledException)
            {
                foreach (var mail in batch) mail.Written.SetCanceled(_stopping.Token);
            }
            catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
            {
                // The handlers hear of it and try again; what was written already is written again, which changes nothing.
                foreach (var mail in batch) mail.Written.SetException(failure);
            }

            batch.Clear();
        }
    }

    private void Write(IReadOnlyList<WaitingMail> batch)
    {
        var files = new List<IStorageFile>(batch.Count);
        try
        {
            foreach (var mail in batch)
            {
                files.Add(storage.Open(PathOf(mail, _temporaryExtension), create: true));
                files[^1].Write(0, mail.Text);
            }

            // All are written before the first is synced: that sync then carries most of what the others would wait for, which makes
            // about four times as many a second on ext4.
            foreach (var file in files)
            {
                if (options.IsSynced) file.Sync();
            }
        }
        finally
        {
            foreach (var file in files) file.Dispose();
        }

        foreach (var mail in batch) storage.Rename(PathOf(mail, _temporaryExtension), PathOf(mail, Extension));
        if (options.IsSynced) storage.SyncDirectory(options.Directory);
    }

    private string PathOf(WaitingMail mail, string extension) => Path.Combine(options.Directory, mail.OrderId + extension);

    private sealed record WaitingMail(string OrderId, byte[] Text, TaskCompletionSource Written);
}
