using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Millrace.Messaging;

/// <summary>Writes values as JSON through one buffer that is used again. Not thread safe.</summary>
internal sealed class StateWriter
{
    private readonly ArrayBufferWriter<byte> _buffer = new();
    private Utf8JsonWriter? _json;

    public byte[] Write<T>(T value, JsonTypeInfo<T> type)
    {
        _buffer.ResetWrittenCount();
        _json ??= new Utf8JsonWriter(_buffer);
        _json.Reset();
        JsonSerializer.Serialize(_json, value, type);
        _json.Flush();
        return _buffer.WrittenSpan.ToArray();
    }
}
