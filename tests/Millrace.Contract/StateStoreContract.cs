using System.Globalization;
using System.Text;

namespace Millrace.Contract;

/// <summary>
/// What every <see cref="StateStore"/> does: a derived class says how one is opened. Each test has directories of its own.
/// </summary>
public abstract class StateStoreContract : IDisposable
{
    private readonly DirectoryInfo _root = Directory.CreateTempSubdirectory("millrace-state-");
    private readonly Guid _changelog = Guid.NewGuid();

    /// <summary>
    /// Opens a store as a process that begins would, so that nothing of a store that was open before helps it.
    /// </summary>
    protected abstract StateStore Open(StateStoreSource source);

    /// <summary>Whether what was saved is there at the next opening.</summary>
    protected virtual bool KeepsWhatIsSaved => true;

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    [Fact]
    public void A_new_store_is_empty_and_at_position_0()
    {
        using var store = OpenCopy();

        Assert.Equal(0, store.Position);
        Assert.False(store.TryGet("totals", Bytes("key"), out var value));
        Assert.True(value.IsEmpty);
        Assert.Empty(store.Scan("totals"));
    }

    [Fact]
    public void A_value_is_put_replaced_and_deleted()
    {
        using var store = OpenCopy();

        store.Apply([Put("totals", "key", "1")], 1);
        var first = TextOf(store, "totals", "key");
        store.Apply([Put("totals", "key", "2")], 2);
        var second = TextOf(store, "totals", "key");
        store.Apply([Delete("totals", "key"), Delete("totals", "never there")], 3);

        Assert.Equal(("1", "2"), (first, second));
        Assert.Null(TextOf(store, "totals", "key"));
        Assert.Empty(store.Scan("totals"));
    }

    [Fact]
    public void The_last_change_of_a_key_wins()
    {
        using var store = OpenCopy();
        store.Apply([Put("totals", "back", "old")], 1);

        store.Apply(
            [
                Put("totals", "twice", "1"), Put("totals", "twice", "2"), Put("totals", "gone", "1"), Delete("totals", "gone"),
                Delete("totals", "back"), Put("totals", "back", "new"),
            ],
            7);

        Assert.Equal(["back=new", "twice=2"], TextsOf(store, "totals"));
        Assert.Equal("2", TextOf(store, "totals", "twice"));
        Assert.Null(TextOf(store, "totals", "gone"));
        Assert.Equal("new", TextOf(store, "totals", "back"));
    }

    [Fact]
    public void A_scan_is_ordered_by_key_bytes_as_unsigned_numbers_and_may_be_of_a_range()
    {
        using var store = OpenCopy();
        byte[][] keys = [[], [0x00], [0x00, 0x00], [0x7f], [0x7f, 0x01], [0x80], [0xff], [0xff, 0x00], [0xff, 0xff]];
        store.Apply([.. keys.Reverse().Select(key => new StateChange("totals", key, key)), Put("totalt", "", ""), Put("total", "", "")], 9);

        (StateRange Range, byte[][] Expected)[] cases =
        [
            (StateRange.All, keys), (StateRange.Prefix([]), keys), (new StateRange { EntriesMax = 2 }, keys[..2]),
            (new StateRange { From = (byte[])[0x00, 0x00] }, keys[2..]), (new StateRange { To = (byte[])[0x80] }, keys[..5]),
            (new StateRange { From = (byte[])[0x01], To = (byte[])[0x7f, 0x01] }, keys[3..4]),
            (new StateRange { From = (byte[])[0x80], To = (byte[])[0x7f] }, []),
            (new StateRange { From = (byte[])[0x00], EntriesMax = 3 }.After([0x00]), keys[2..5]),
            (StateRange.Prefix([0x7f]), keys[3..5]), (StateRange.Prefix([0xff]), keys[6..]), (StateRange.Prefix([0xff, 0xff]), keys[8..]),
        ];
        Assert.All(cases, one => Assert.Equal(one.Expected, store.Scan("totals", one.Range).Select(entry => entry.Value.ToArray())));
        Assert.Equal(keys, store.Scan("totals").Select(entry => entry.Key.ToArray()));
    }

    [Fact]
    public void An_empty_value_is_a_value_and_an_empty_key_a_key()
    {
        using var store = OpenCopy();

        store.Apply([new StateChange("totals", [], []), new StateChange("totals", [1], [])], 2);
        store.Apply([new StateChange("totals", [1], null)], 3);

        Assert.True(store.TryGet("totals", [], out var value));
        Assert.Equal(0, value.Length);
        Assert.False(store.TryGet("totals", [1], out _));
        Assert.Single(store.Scan("totals"));
    }

    [Fact]
    public void Stores_are_kept_apart_also_when_one_name_begins_another()
    {
        using var store = OpenCopy();
        string[] names = ["a", "aa", "ab", "", "\u0001", "\u0001a", "\uffff", new('a', 300), new('a', 65_000)];

        store.Apply([.. names.SelectMany(name => new[] { Put(name, "", name), Put(name, "a", name), Put(name, "\u00ff", name) })], 30);

        foreach (var name in names)
        {
            Assert.Equal([$"={name}", $"a={name}", $"\u00ff={name}"], TextsOf(store, name));
            Assert.Equal(name, TextOf(store, name, "a"));
            Assert.Null(TextOf(store, name, "aa"));
        }

        Assert.Empty(store.Scan("b"));
    }

    [Fact]
    public void Large_keys_and_values_are_kept_as_they_are()
    {
        using var store = OpenCopy();
        var random = new Random(4);
        var (key, value) = (new byte[5_000], new byte[3_000_000]);
        random.NextBytes(key);
        random.NextBytes(value);

        store.Apply([new StateChange("totals", key, value)], 1);

        Assert.True(store.TryGet("totals", key, out var found));
        Assert.Equal(value, found.ToArray());
        Assert.Equal(key, Assert.Single(store.Scan("totals")).Key.ToArray());
    }

    [Fact]
    public void The_position_moves_with_the_changes_and_without_any()
    {
        using var store = OpenCopy();

        store.Apply([Put("totals", "key", "1")], 5);
        var first = store.Position;
        store.Apply([], 9);

        Assert.Equal((5, 9), (first, store.Position));
        Assert.Equal("1", TextOf(store, "totals", "key"));
    }

    [Fact]
    public void A_value_and_a_scan_stay_as_they_were()
    {
        using var store = OpenCopy();
        store.Apply([Put("totals", "key", "1")], 1);
        Assert.True(store.TryGet("totals", Bytes("key"), out var value));
        var scanned = store.Scan("totals");

        store.Apply([Put("totals", "key", "2"), Put("totals", "other", "3")], 2);
        store.Clear();

        Assert.Equal("1", Encoding.UTF8.GetString(value.Span));
        Assert.Equal("1", Encoding.UTF8.GetString(Assert.Single(scanned).Value.Span));
    }

    [Fact]
    public async Task Clearing_forgets_everything_also_what_was_saved()
    {
        var store = OpenCopy();
        store.Apply([Put("totals", "key", "1")], 5);
        await store.SaveAsync(Cancellation);

        store.Clear();
        var (position, cleared) = (store.Position, TextsOf(store, "totals").ToList());
        store.Apply([Put("totals", "new", "2")], 3);
        await store.SaveAsync(Cancellation);
        store.Dispose();
        using var reopened = OpenCopy();

        Assert.Equal(0, position);
        Assert.Empty(cleared);
        Assert.Equal(KeepsWhatIsSaved ? ["new=2"] : [], TextsOf(reopened, "totals"));
    }

    [Fact]
    public async Task What_was_saved_is_there_when_it_is_opened_again()
    {
        var store = OpenCopy();
        store.Apply([Put("totals", "key", "1"), Put("total", "", ""), Put("gone", "key", "1")], 5);
        store.Apply([Delete("gone", "key")], 8);
        await store.SaveAsync(Cancellation);
        store.Dispose();

        using var reopened = OpenCopy();

        Assert.Equal(KeepsWhatIsSaved ? 8 : 0, reopened.Position);
        Assert.Equal(KeepsWhatIsSaved ? ["key=1"] : [], TextsOf(reopened, "totals"));
        Assert.Equal(KeepsWhatIsSaved ? ["="] : [], TextsOf(reopened, "total"));
        Assert.Empty(reopened.Scan("gone"));
    }

    [Fact]
    public async Task A_copy_of_another_changelog_is_thrown_away()
    {
        var store = OpenCopy();
        store.Apply([Put("totals", "key", "1")], 5);
        await store.SaveAsync(Cancellation);
        store.Dispose();

        using var other = Open(Source("copy") with { ChangelogId = Guid.NewGuid() });

        Assert.Equal(0, other.Position);
        Assert.Empty(other.Scan("totals"));
    }

    [Fact]
    public async Task Partitions_are_kept_apart()
    {
        var (one, other) = (OpenCopy("one"), OpenCopy("other"));

        one.Apply([Put("totals", "key", "1")], 1);
        other.Apply([Put("totals", "key", "2")], 2);
        await one.SaveAsync(Cancellation);
        await other.SaveAsync(Cancellation);
        var live = (TextOf(one, "totals", "key"), TextOf(other, "totals", "key"));
        one.Dispose();
        other.Dispose();
        using var reopened = OpenCopy("one");

        Assert.Equal(("1", "2"), live);
        Assert.Equal(KeepsWhatIsSaved ? "1" : null, TextOf(reopened, "totals", "key"));
    }

    [Fact]
    public async Task After_any_mixture_of_calls_and_openings_a_store_holds_what_a_model_says()
    {
        var random = Seeded();
        var model = new StateStoreModel(random);
        var (store, saved) = (OpenCopy(), 0L);

        for (var step = 0; step < 600; step++)
        {
            var what = random.Next(100);
            if (what < 80)
            {
                model.Apply(store);
            }
            else if (what < 90)
            {
                await store.SaveAsync(Cancellation);
                saved = KeepsWhatIsSaved ? model.Position : 0;
            }
            else if (what < 98)
            {
                model.AssertIs(store);
            }
            else if (random.Next(4) == 0)
            {
                model.Clear(store);
                saved = 0;
            }
            else
            {
                store.Dispose();
                store = OpenCopy();
                model.GoBackTo(store, saved);
            }
        }

        model.AssertIs(store);
        store.Dispose();
    }

    [Fact]
    public async Task What_a_crash_leaves_is_everything_up_to_a_position_and_nothing_after_it()
    {
        var random = Seeded();
        var model = new StateStoreModel(random);
        using var store = OpenCopy();
        var saved = 0L;

        for (var crash = 0; crash < 12; crash++)
        {
            for (var left = random.Next(1, 20); left > 0; left--) model.Apply(store);
            if (random.Next(2) == 0)
            {
                await store.SaveAsync(Cancellation);
                saved = KeepsWhatIsSaved ? model.Position : 0;
            }

            for (var left = random.Next(10); left > 0; left--) model.Apply(store);
            Duplicate("copy", $"crashed-{crash}");
            using var crashed = OpenCopy($"crashed-{crash}");
            model.AssertIsPrefix(crashed, saved);
        }

        model.AssertIs(store);
    }

    [Theory]
    [InlineData("gone")]
    [InlineData("empty")]
    [InlineData("cut")]
    [InlineData("longer")]
    [InlineData("overwritten")]
    [InlineData("flipped")]
    public async Task A_damaged_copy_opens_and_holds_nothing_that_was_never_there(string damage)
    {
        var random = Seeded();
        var model = new StateStoreModel(random);
        using (var store = OpenCopy())
        {
            for (var round = 0; round < 3; round++)
            {
                for (var left = 30; left > 0; left--) model.Apply(store);
                await store.SaveAsync(Cancellation);
            }
        }

        var names = Directory.Exists(PathOf("copy")) ? Directory.GetFiles(PathOf("copy")).Select(path => Path.GetFileName(path)!) : [];
        foreach (var name in names)
        {
            for (var turn = 0; turn < (damage == "flipped" ? 4 : 1); turn++)
            {
                var copy = $"{name}-{turn}";
                Duplicate("copy", copy);
                Damage(Path.Combine(PathOf(copy), name), damage, random);
                if (IsReadWhole(copy, model)) continue;

                // Damage that only reading found: it said so, and the next opening begins from nothing.
                using var again = OpenCopy(copy);
                Assert.Equal(0, again.Position);
                Assert.Empty(StateStoreModel.ContentsOf(again));
            }
        }
    }

    [Fact]
    public async Task Readers_see_changes_in_their_order_while_a_store_changes()
    {
        using var store = OpenCopy();
        store.Apply([Put("totals", "a", "0"), Put("totals", "z", "0")], 1);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);

        var readers = Enumerable.Range(0, 2).Select(_ => Task.Run(() => ReadUntilStopped(store, stop.Token), Cancellation)).ToList();
        for (var number = 1; number <= 1_500; number++)
        {
            store.Apply([Put("totals", "a", $"{number}"), Put("totals", "z", $"{number}")], number + 1);
            if (number % 500 == 0) await store.SaveAsync(Cancellation);
        }

        await stop.CancelAsync();
        var seen = await Task.WhenAll(readers);
        Assert.All(seen, count => Assert.True(count > 0));
        Assert.Equal("1500", TextOf(store, "totals", "a"));
    }

    /// <summary>Removes the directories of the test.</summary>
    protected virtual void Dispose(bool isDisposing) => _root.Delete(recursive: true);

    /// <summary>Cancelled when the run is.</summary>
    protected static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>A source with a directory of this test, of one changelog.</summary>
    protected StateStoreSource Source(string directory) =>
        new() { Group = "payments", Partition = 3, ChangelogId = _changelog, Directory = PathOf(directory) };

    /// <summary>Where a directory of this test is.</summary>
    protected string PathOf(string directory) => Path.Combine(_root.FullName, directory);

    /// <summary>Opens the store of a directory of this test.</summary>
    protected StateStore OpenCopy(string directory = "copy") => Open(Source(directory));

    /// <summary>
    /// Copies a directory as it is, files alone: what a crash now would leave. Once more when a store's own work changed it meanwhile.
    /// </summary>
    protected void Duplicate(string from, string to)
    {
        Directory.CreateDirectory(PathOf(from));
        for (var attempt = 0; attempt < 1_000; attempt++)
        {
            Directory.CreateDirectory(PathOf(to));
            try
            {
                var before = FilesOf(from);
                foreach (var file in Directory.GetFiles(PathOf(from))) File.Copy(file, Path.Combine(PathOf(to), Path.GetFileName(file)));
                if (before.SequenceEqual(FilesOf(from))) return;
            }
            catch (FileNotFoundException)
            {
                // It was removed after it was listed.
            }

            Directory.Delete(PathOf(to), recursive: true);
        }

        Assert.Fail($"{PathOf(from)} does not come to rest.");
    }

    /// <summary>A change that keeps a text.</summary>
    protected static StateChange Put(string store, string key, string value) => new(store, Bytes(key), Bytes(value));

    /// <summary>A change that removes a key.</summary>
    protected static StateChange Delete(string store, string key) => new(store, Bytes(key), null);

    /// <summary>UTF-8 bytes of a text.</summary>
    protected static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    /// <summary>The text under a key, or null.</summary>
    protected static string? TextOf(StateStore store, string name, string key)
    {
        ArgumentNullException.ThrowIfNull(store);
        return store.TryGet(name, Bytes(key), out var value) ? Encoding.UTF8.GetString(value.Span) : null;
    }

    /// <summary>The entries of a store as texts.</summary>
    protected static IEnumerable<string> TextsOf(StateStore store, string name)
    {
        ArgumentNullException.ThrowIfNull(store);
        return store.Scan(name).Select(entry => $"{Encoding.UTF8.GetString(entry.Key.Span)}={Encoding.UTF8.GetString(entry.Value.Span)}");
    }

    /// <summary>A random source whose seed stands in the test's output; MILLRACE_SEED repeats a run.</summary>
    protected static Random Seeded()
    {
        var given = Environment.GetEnvironmentVariable("MILLRACE_SEED");
        var seed = given is null ? Random.Shared.Next() : int.Parse(given, CultureInfo.InvariantCulture);
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        return new Random(seed);
    }

    private List<string> FilesOf(string directory) =>
        [
            .. new DirectoryInfo(PathOf(directory)).GetFiles().Select(file => $"{file.Name} {file.Length} {file.LastWriteTimeUtc.Ticks}")
                .Order(StringComparer.Ordinal),
        ];

    private bool IsReadWhole(string copy, StateStoreModel model)
    {
        using var store = OpenCopy(copy);
        try
        {
            model.AssertIsPrefix(store, 0);
            return true;
        }
        catch (MillraceException failure)
        {
            Assert.Equal(FailureCodes.Corrupt, failure.Code);
            Assert.Contains(PathOf(copy), failure.Message, StringComparison.Ordinal);
            return false;
        }
    }

    private static void Damage(string path, string damage, Random random)
    {
        if (damage == "gone")
        {
            File.Delete(path);
            return;
        }

        using var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite);
        var length = (int)file.Length;
        if (length == 0 && damage != "longer") return;
        var bytes = new byte[length];
        file.ReadExactly(bytes);
        file.SetLength(damage switch { "empty" => 0, "cut" => random.Next(length), "longer" => length + random.Next(1, 100), _ => length });
        if (damage is not ("overwritten" or "flipped")) return;
        var from = random.Next(length);
        for (var at = from; at < (damage == "flipped" ? from + 1 : Math.Min(length, from + 100)); at++)
            bytes[at] ^= (byte)random.Next(1, 256);
        file.Position = 0;
        file.Write(bytes);
    }

    private static int ReadUntilStopped(StateStore store, CancellationToken stop)
    {
        var (lastA, lastZ, count) = (0, 0, 0);
        while (!stop.IsCancellationRequested || count == 0)
        {
            var scanned = TextsOf(store, "totals").Select(text => int.Parse(text[2..], CultureInfo.InvariantCulture)).ToList();
            var single = int.Parse(TextOf(store, "totals", "z")!, CultureInfo.InvariantCulture);
            Assert.Equal(2, scanned.Count);
            Assert.True(scanned[0] >= lastA && scanned[1] >= lastZ, $"{scanned[0]} and {scanned[1]} came after {lastA} and {lastZ}.");
            Assert.True(single >= scanned[1], $"{single} came after {scanned[1]}.");
            (lastA, lastZ) = (scanned[0], single);
            count++;
        }

        return count;
    }
}
