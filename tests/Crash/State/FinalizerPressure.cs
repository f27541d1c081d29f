namespace Millrace.Crash.State;

/// <summary>
/// Collects garbage and runs finalizers all the time: whatever native memory is freed while a native call still works on it is freed then.
/// Only optimized code, a release build, lets go of what it never reads again.
/// </summary>
internal sealed class FinalizerPressure : IDisposable
{
    private readonly Thread _thread;
    private volatile bool _isOver;

    public FinalizerPressure()
    {
        _thread = new Thread(Collect) { IsBackground = true };
        _thread.Start();
    }

    public void Dispose()
    {
        _isOver = true;
        _thread.Join();
    }

    private void Collect()
    {
        while (!_isOver)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
    }
}
