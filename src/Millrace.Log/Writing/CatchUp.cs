namespace Millrace.Log.Writing;

/// <summary>
/// An owner's restore: it comes after everything handed over before it, so what that changed can be read when it is done, and commits may
/// follow again after one that failed.
/// </summary>
internal sealed class CatchUp(GroupPartition owner, long epoch) : Work<bool>
{
    public override bool NeedsSync => false;

    public override void Stage(Writer writer) => owner.EndAbort(epoch);

    public override void Apply(Writer writer)
    {
    }
}

/// <summary>Stands in the queue for an owner's commit that was refused before it came there: the owner's later commits fail.</summary>
internal sealed class RefusedCommit(GroupPartition owner, long epoch) : Work<bool>
{
    public override bool NeedsSync => false;

    public override void Stage(Writer writer) => owner.Abort(epoch);

    public override void Apply(Writer writer)
    {
    }
}
