using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Millrace;

/// <summary>The contract of a type that is read and said.</summary>
internal sealed class CurrentContract<T>(
    string type, string topic, JsonTypeInfo<T> data, Func<T, string> key, EventSettings<T> settings) : EventContract(type)
    where T : class
{
    public override bool IsOld => false;

    public override string Topic { get; } = topic;

    public override EventMode Mode { get; } = Enum.IsDefined(settings.Mode)
        ? settings.Mode
        : throw new ArgumentException($"The event type '{type}' asks for mode {(int)settings.Mode}, which is not known.");

    internal override Type StoredClrType => typeof(T);

    internal override Type LiftedClrType => typeof(T);

    internal override string? DataSchema { get; } = settings.DataSchema;

    public override object Read(in EventView view) => Read(view, data);

    public override string KeyOf(object data)
    {
        var value = key(Require(data));
        return string.IsNullOrEmpty(value) ? throw new ArgumentException($"The key of an event of type '{Type}' is empty.") : value;
    }

    public override string? SubjectOf(object data) => settings.Subject?.Invoke(Require(data));

    internal override void Write(Utf8JsonWriter json, object value) => JsonSerializer.Serialize(json, Require(value), data);

    internal override object Lift(object stored, in EventView view) => stored;

    private T Require(object value) =>
        value as T ?? throw new ArgumentException($"The event type '{Type}' is a {typeof(T)}, not a {value?.GetType()}.");
}
