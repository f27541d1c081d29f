namespace Millrace.Crash;

/// <summary>Deals cards in a random order, all of them before any comes again.</summary>
internal sealed class Deck<T>(Random random, T[] cards)
{
    private readonly Queue<T> _left = new();

    public T Draw()
    {
        if (_left.Count == 0)
        {
            random.Shuffle(cards);
            foreach (var card in cards) _left.Enqueue(card);
        }

        return _left.Dequeue();
    }
}
