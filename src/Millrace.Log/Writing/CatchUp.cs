namespace Millrace.Log.Writing;

/// <summary>
/// Work that does nothing but come after everything handed over before it: what that changed can be read when it is done.
/// </summary>
internal sealed class CatchUp : Work<bool>
{
    public override bool NeedsSync => false;

    public override void Stage(Writer writer)
    {
    }

    public override void Apply(Writer writer)
    {
    }
}
