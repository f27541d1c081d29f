using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Millrace;

/// <summary>The contract of a type that is read and lifted to a newer one.</summary>
internal sealed class OldContract<TOld, TNew>(string type, JsonTypeInfo<TOld> data, Func<TOld, TNew> lift) : EventContract(type)
    where TOld : class
    where TNew : class
{
    public override bool IsOld => true;

    public override string Topic => Current.Topic;

    public override EventMode Mode => Current.Mode;

    internal override Type StoredClrType => typeof(TOld);

    internal override Type LiftedClrType => typeof(TNew);

    internal override string? DataSchema => Current.DataSchema;

    public override object Read(in EventView view) => Lift(Read(view, data), view);

    public override string KeyOf(object data) => Current.KeyOf(data);

    public override string? SubjectOf(object data) => Current.SubjectOf(data);

    internal override void Write(Utf8JsonWriter json, object value) =>
        throw new ArgumentException($"The event type '{Type}' is an old version, which is read but not said.");

    internal override object Lift(object stored, in EventView view)
    {
        TNew? lifted;
        try
        {
            lifted = lift((TOld)stored);
        }
        catch (Exception failure) when (IsRefusal(failure))
        {
            throw Mismatch(view, $"it cannot be lifted to {typeof(TNew)}: {failure.Message}", failure);
        }

        return lifted is null ? throw Mismatch(view, $"it was lifted to null instead of a {typeof(TNew)}") : Next.Lift(lifted, view);
    }
}
