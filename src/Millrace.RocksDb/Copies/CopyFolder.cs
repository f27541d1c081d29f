using RocksDbSharp;
using Database = RocksDbSharp.RocksDb;

namespace Millrace.RocksDb.Copies;

/// <summary>The directory of one copy: what is there is opened if it may be used, else thrown away and begun anew.</summary>
internal sealed class CopyFolder(string path, SharedParts shared)
{
    /// <summary>RocksDB's file that names what belongs to the database; where it is not, there is no database.</summary>
    private const string CurrentName = "CURRENT";

    /// <summary>An empty file that says: damage was found, do not open this again.</summary>
    private const string CondemnedName = "condemned";

    private readonly string _condemned = System.IO.Path.Combine(path, CondemnedName);

    public string Path => path;

    /// <summary>Opens a copy of that changelog, or an empty one, and says up to which position it is one.</summary>
    public (Database Database, long Position) Open(StateStoreSource source)
    {
        if (!File.Exists(System.IO.Path.Combine(path, CurrentName)))
        {
            if (source.IsOnlyCopy) throw Refused(FailureCodes.Corrupt, "there is no database in it");
            return (Begin(), 0);
        }

        var (database, position, complaint) = TryOpen(source.ChangelogId, out var code);
        if (database is not null) return (database, position);
        if (source.IsOnlyCopy) throw Refused(code, complaint);
        shared.Options.Logger.ThrownAway(path, complaint);
        return (Begin(), 0);
    }

    /// <summary>Throws away what is there and opens an empty database.</summary>
    public Database Begin()
    {
        try
        {
            // RocksDB removes its own files, the directory if nothing else is in it, and only if no one has them open. The mark goes last:
            // it must not be missing while a damaged database is there.
            Directory.CreateDirectory(path);
            using (var name = new RocksSafePath(path)) Native.Instance.rocksdb_destroy_db(shared.Database.Handle, name.Handle);
            Directory.CreateDirectory(path);
            File.Delete(_condemned);
            return Database.Open(shared.Database, path);
        }
        catch (RocksDbException failure)
        {
            throw NativeFailure.Of("could not be begun", path, failure);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new MillraceException(
                FailureCodes.StorageFailed, $"The copy of state in {path} could not be begun ({failure.Message}).", failure);
        }
    }

    /// <summary>Leaves word that damage was found. Where even that fails, the next opening finds the damage by itself.</summary>
    public void Condemn()
    {
        try
        {
            File.WriteAllBytes(_condemned, []);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            shared.Options.Logger.NotCondemned(path, failure);
        }
    }

    /// <summary>What is nowhere else is not thrown away.</summary>
    private MillraceException Refused(string code, string complaint) => new(code,
        $"The state in {path} cannot be used, and it is nowhere else: {complaint}. It was left as it is. Restore the folder from a copy.");

    private (Database? Database, long Position, string Complaint) TryOpen(Guid changelogId, out string code)
    {
        code = FailureCodes.Corrupt;
        if (File.Exists(_condemned)) return (null, 0, "damage was found in it");
        Database? database = null;
        try
        {
            database = Database.Open(shared.Database, path);
            var (position, complaint) = Examine(database, changelogId, ref code);
            if (complaint is null) return (database, position, "");
            database.Dispose();
            return (null, 0, complaint);
        }
        catch (RocksDbException failure)
        {
            database?.Dispose();
            if (NativeFailure.IsOfTheCopy(failure.Message)) return (null, 0, failure.Message);
            throw NativeFailure.Of("could not be opened", path, failure);
        }
    }

    private (long Position, string? Complaint) Examine(Database database, Guid changelogId, ref string code)
    {
        if (database.Get(StateKey.Header, null, shared.Read) is not { } stored)
            return (0, IsEmpty(database) ? null : "it has state and no header");
        var (header, complaint) = CopyHeader.Read(stored);
        if (CopyHeader.IsOfAnotherVersion(stored)) code = FailureCodes.UnknownVersion;
        if (complaint is null && header.ChangelogId != changelogId)
            return (0, $"it was made of the changelog {header.ChangelogId}, and this is {changelogId}");
        return (header.Position, complaint);
    }

    /// <summary>So is a database that was begun, and whose process ended before anything was written to a file.</summary>
    private bool IsEmpty(Database database)
    {
        using var iterator = database.NewIterator(null, shared.Read);
        iterator.SeekToFirst();
        Native.Instance.rocksdb_iter_get_error(iterator.Handle);
        return !iterator.Valid();
    }
}
