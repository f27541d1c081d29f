using CsCheck;

namespace Millrace.Tests;

public sealed class RecordBatchTests
{
    private const int LengthAt = 8, LengthEnd = 12, MagicAt = 16;

    private static readonly Gen<byte[]?> MaybeBytes =
        Gen.Frequency((1, Gen.Const((byte[]?)null)), (4, Gen.Byte.Array[0, 300].Select(b => (byte[]?)b)));
    private static readonly Gen<KeyValuePair<string, byte[]?>> Header =
        Gen.Select(Gen.String[0, 10], MaybeBytes).Select((n, v) => KeyValuePair.Create(n, v));
    private static readonly Gen<Sent> AnySent = Gen.Select(Gen.Long[0, 1L << 45], MaybeBytes, MaybeBytes, Header.Array[0, 4])
        .Select((time, key, value, headers) => new Sent(time, key, value, headers));

    [Fact]
    public void What_is_written_is_read() => AnySent.Array[1, 20].Sample(sent =>
    {
        var batch = Write(sent);

        Assert.True(RecordBatchHeader.TryRead(batch, out var header));
        Assert.True(header.IsIntact(batch));
        Assert.Equal((batch.Length, sent.Length), (header.SizeBytes, header.Count));
        Assert.Equal((sent[0].Time, sent.Max(s => s.Time)), (header.BaseTimestamp, header.MaxTimestamp));
        var records = Read(batch, 0);
        Assert.Equal(sent.Length, records.Count);
        for (var i = 0; i < sent.Length; i++) AssertSame(sent[i], i, records[i]);
    });

    [Fact]
    public void Headers_copied_from_another_batch_are_the_same() => AnySent.Sample(sent =>
    {
        var first = Read(Write([sent]), 0)[0];
        using var builder = new RecordBatchBuilder();

        builder.Add(first.Timestamp, first.HasKey, first.Key.Span, first.HasValue, first.Value.Span, first.Headers);

        AssertSame(sent, 0, Read(builder.Complete().ToArray(), 0)[0]);
    });

    [Fact]
    public void Reading_begins_at_the_offset_asked_for_and_goes_on_over_batches()
    {
        var first = Write([.. Enumerable.Range(0, 3).Select(Small)]);
        var second = Write([.. Enumerable.Range(3, 3).Select(Small)]);
        RecordBatchHeader.Stamp(first, 100, 0);
        RecordBatchHeader.Stamp(second, 103, 7);
        byte[] both = [.. first, .. second];

        Assert.Equal([102, 103, 104, 105], Read(both, 102).Select(r => r.Offset));
        Assert.Equal([104, 105], Read(both, 104).Select(r => r.Offset));
        Assert.Empty(Read(both, 106));
    }

    [Fact]
    public void Stamping_offset_and_epoch_leaves_the_checksum_right()
    {
        var batch = Write([Small(1)]);

        RecordBatchHeader.Stamp(batch, long.MaxValue - 5, 9);

        Assert.True(RecordBatchHeader.TryRead(batch, out var header));
        Assert.True(header.IsIntact(batch));
        Assert.Equal((long.MaxValue - 5, 9), (header.BaseOffset, header.LeaderEpoch));
    }

    [Fact]
    public void A_control_batch_is_passed_over()
    {
        var batch = Write([Small(1)]);
        batch[22] |= 0x20;

        Assert.Empty(Read(batch, 0));
    }

    [Fact]
    public void A_compressed_batch_is_refused_by_name()
    {
        var batch = Write([Small(1)]);
        batch[22] |= 0x01;

        Assert.Equal(FailureCodes.NotSupported, Assert.Throws<MillraceException>(() => Read(batch, 0)).Code);
    }

    [Fact]
    public void A_batch_without_records_cannot_be_completed()
    {
        using var builder = new RecordBatchBuilder();

        Assert.Throws<InvalidOperationException>(() => builder.Complete());
    }

    [Fact]
    public void A_cleared_builder_starts_again()
    {
        using var builder = new RecordBatchBuilder();
        builder.Add(5, "a"u8, "1"u8);
        var once = builder.Complete().ToArray();

        builder.Clear();
        builder.Add(5, "a"u8, "1"u8);

        Assert.Equal(once, builder.Complete().ToArray());
    }

    [Fact]
    public void A_batch_cut_anywhere_is_never_taken_for_whole()
    {
        var batch = Write([.. Enumerable.Range(0, 5).Select(Small)]);
        for (var length = 0; length < batch.Length; length++)
        {
            var cut = batch[..length];

            Assert.False(RecordBatchHeader.TryRead(cut, out _), $"cut to {length} of {batch.Length} bytes");
            if (length > 0) Assert.Equal(FailureCodes.Corrupt, Assert.Throws<MillraceException>(() => Read(cut, 0)).Code);
        }
    }

    [Fact]
    public void A_changed_byte_is_caught_by_length_magic_or_checksum() =>
        Gen.Select(AnySent.Array[1, 5], Gen.Int[LengthAt, int.MaxValue], Gen.Byte[1, 255]).Sample((sent, at, change) =>
        {
            var batch = Write(sent);
            at = LengthAt + ((at - LengthAt) % (batch.Length - LengthAt));
            // The leader epoch is stamped by the log and outside the checksum, as the base offset is.
            if (at is >= LengthEnd and < MagicAt) return;
            batch[at] ^= change;

            try
            {
                Assert.False(RecordBatchHeader.TryRead(batch, out var header) && header.IsIntact(batch), $"byte {at} ^ {change}");
            }
            catch (MillraceException failure)
            {
                Assert.Equal(FailureCodes.Corrupt, failure.Code);
            }
        });

    [Fact]
    public void Damage_that_nobody_checked_for_ends_in_a_named_failure_or_in_other_records() =>
        Gen.Select(AnySent.Array[1, 5], Gen.Select(Gen.Int[0, int.MaxValue], Gen.Byte).Array[1, 8]).Sample((sent, changes) =>
        {
            var batch = Write(sent);
            foreach (var (at, value) in changes) batch[at % batch.Length] = value;

            try
            {
                foreach (var record in Read(batch, 0))
                {
                    foreach (var header in record.Headers) Assert.True(header.Value.Length <= batch.Length);
                }
            }
            catch (MillraceException)
            {
                // Named, which is what is wanted.
            }
        }, iter: 8_000);

    // The last byte of a batch whose record has no headers is their count.
    [Theory]
    [InlineData(-1)]
    [InlineData(1)]
    [InlineData(60)]
    public void A_count_of_headers_that_cannot_be_is_refused_at_the_record(long count)
    {
        var batch = Write([new Sent(0, [1], [2], [])]);
        var position = batch.Length - 1;
        Varint.Write(batch, ref position, count);

        Assert.Equal(FailureCodes.Corrupt, Assert.Throws<MillraceException>(() => Read(batch, 0)).Code);
    }

    private static Sent Small(int number) => new(1_000 + number, [(byte)number], [1, 2, 3], [KeyValuePair.Create("h", (byte[]?)[9])]);

    private static byte[] Write(IReadOnlyList<Sent> sent)
    {
        using var builder = new RecordBatchBuilder(256);
        foreach (var s in sent)
        {
            RecordHeader[] headers = [.. s.Headers.Select(h =>
                new RecordHeader(System.Text.Encoding.UTF8.GetBytes(h.Key), h.Value is not null, h.Value))];
            builder.Add(s.Time, s.Key is not null, s.Key, s.Value is not null, s.Value, headers);
        }

        return builder.Complete().ToArray();
    }

    private static List<Record> Read(byte[] batches, long fromOffset)
    {
        var records = new List<Record>();
        var cursor = new RecordEnumerator(batches, fromOffset);
        while (cursor.MoveNext()) records.Add(cursor.Current);
        return records;
    }

    private static void AssertSame(Sent sent, long offset, Record record)
    {
        Assert.Equal((offset, sent.Time), (record.Offset, record.Timestamp));
        Assert.Equal((sent.Key is not null, sent.Value is not null), (record.HasKey, record.HasValue));
        Assert.Equal(sent.Key ?? [], record.Key.ToArray());
        Assert.Equal(sent.Value ?? [], record.Value.ToArray());
        Assert.Equal(sent.Headers.Length, record.Headers.Count);
        var i = 0;
        foreach (var header in record.Headers)
        {
            Assert.Equal(System.Text.Encoding.UTF8.GetBytes(sent.Headers[i].Key), header.Name.ToArray());
            Assert.Equal(sent.Headers[i].Value is not null, header.HasValue);
            Assert.Equal(sent.Headers[i].Value ?? [], header.Value.ToArray());
            i++;
        }
    }

    private sealed record Sent(long Time, byte[]? Key, byte[]? Value, KeyValuePair<string, byte[]?>[] Headers);
}
