using RocksDbSharp;

namespace Millrace.RocksDb.Copies;

/// <summary>
/// What all stores share: the cache, and RocksDB's settings, which it copies when it opens a database. The native objects are freed by
/// their finalizers, after the last store that refers to this.
/// </summary>
internal sealed class SharedParts
{
    private const int FilterBitsPerKey = 10, MetadataBlockBytes = 4096;

    /// <summary>One buffer fills while one is written.</summary>
    private const int WriteBuffersMax = 2;

    /// <summary>
    /// Above so many files that are not sorted into the others yet, changes wait. That, and full buffers, are the only reasons: RocksDB's
    /// slowing down, a wait per write, would be drawn out by asking again.
    /// </summary>
    private const int Level0FilesMax = 36;

    /// <summary>RocksDB's own log, in the directory beside the data: one file, warnings only.</summary>
    private const int LogBytesMax = 1 << 20;

    private readonly Cache _cache;

    public SharedParts(RocksDbOptions options)
    {
        Options = options;
        _cache = Cache.CreateLru((ulong)options.BlockCacheBytesMax);

        // Indexes and filters are counted in the cache, too: else memory would grow with the state.
        var table = new BlockBasedTableOptions()
            .SetBlockCache(_cache)
            .SetCacheIndexAndFilterBlocks(true)
            .SetPinL0FilterAndIndexBlocksInCache(true)
            .SetFilterPolicy(BloomFilterPolicy.Create(FilterBitsPerKey, false))
            .SetIndexType(BlockBasedTableIndexType.TwoLevelIndex);

        // In parts of the size of a block: a whole filter has megabytes per file, and a cache that is smaller than all filters would read
        // one whole for each key that is looked for.
        Native.Instance.rocksdb_block_based_options_set_partition_filters(table.Handle, 1);
        Native.Instance.rocksdb_block_based_options_set_metadata_block_size(table.Handle, MetadataBlockBytes);
        Native.Instance.rocksdb_block_based_options_set_pin_top_level_index_and_filter(table.Handle, 1);
        Native.Instance.rocksdb_block_based_options_set_cache_index_and_filter_blocks_with_high_priority(table.Handle, 1);
        Database = new DbOptions()
            .SetCreateIfMissing()
            .SetBlockBasedTableFactory(table)
            .SetCompression((Compression)options.Compression)
            .SetWriteBufferSize((ulong)options.WriteBufferBytesMax)
            .SetMaxWriteBufferNumber(WriteBuffersMax)
            .SetLevel0SlowdownWritesTrigger(Level0FilesMax)
            .SetLevel0StopWritesTrigger(Level0FilesMax)
            .SetSoftPendingCompactionBytesLimit(0)
            .SetHardPendingCompactionBytesLimit(0)
            .SetMaxOpenFiles(options.OpenFilesMax)
            .SetInfoLogLevel(InfoLogLevel.Warn)
            .SetMaxLogFileSize(LogBytesMax)
            .SetKeepLogFileNum(1)
            .SetStatsDumpPeriodSec(0);

        // Disposing saves nothing, and so does not wait for the disk.
        Native.Instance.rocksdb_options_set_avoid_flush_during_shutdown(Database.Handle, 1);
        Native.Instance.rocksdb_options_set_stats_persist_period_sec(Database.Handle, 0);
        Native.Instance.rocksdb_writeoptions_set_no_slowdown(Write.Handle, 1);
        Native.Instance.rocksdb_flushoptions_set_allow_write_stall(Flush.Handle, 1);
    }

    public DbOptions Database { get; }

    public ReadOptions Read { get; } = new();

    /// <summary>
    /// No write-ahead log: the changelog is that. What was not flushed when the process ends is not there afterwards, and since there is
    /// one column family, whose buffers are flushed whole and in order, what is there is everything up to one write.
    /// </summary>
    /// <remarks>
    /// No slowdown, too: a write that would have to wait fails at once, and is tried again here. One that waits inside of RocksDB may wait
    /// for ever, if the disk becomes full meanwhile (seen with 11.12.0).
    /// </remarks>
    public WriteOptions Write { get; } = new WriteOptions().DisableWal(1);

    public FlushOptions Flush { get; } = new FlushOptions().SetWaitForFlush(true);

    public RocksDbOptions Options { get; }

    public long CacheBytes => (long)_cache.GetUsage();

    public void DropCache() => _cache.SetCapacity(0);
}
