using Millrace.Streams.Keyed;
using Millrace.Streams.States;

namespace Millrace.Streams.Definition;

/// <summary>A record of one of two streams that are worked on together.</summary>
internal readonly record struct Either<TLeft, TRight>(bool IsLeft, TLeft Left, TRight Right);

internal static class Eithers
{
    /// <summary>A byte that says which, and its codec's version and bytes.</summary>
    public static StateCodec<Either<TLeft, TRight>> Codec<TLeft, TRight>(StateCodec<TLeft> left, StateCodec<TRight> right) => new(
        1,
        (either, output) =>
        {
            output.WriteByte(either.IsLeft ? (byte)0 : (byte)1);
            output.WriteInt32(either.IsLeft ? left.Version : right.Version);
            if (either.IsLeft) left.Write(either.Left, output);
            else right.Write(either.Right, output);
        },
        bytes =>
        {
            var isLeft = StateBytes.ReadByte(ref bytes) == 0;
            var version = StateBytes.ReadInt32(ref bytes);
            return isLeft
                ? new Either<TLeft, TRight>(true, left.Read(version, bytes, "left"), default!)
                : new Either<TLeft, TRight>(false, default!, right.Read(version, bytes, "right"));
        });

    /// <summary>Two lists, the first one's bytes with their length before them.</summary>
    public static StateCodec<Sides<TLeft, TRight>> Sides<TLeft, TRight>(StateCodec<TLeft> left, StateCodec<TRight> right)
    {
        var (lefts, rights) = (Lists.Codec(left), Lists.Codec(right));
        return new(
            1,
            (sides, output) =>
            {
                output.WriteInt32(lefts.Version);
                new SizedWriter().Write(lefts, [.. sides.Left], output);
                output.WriteInt32(rights.Version);
                rights.Write([.. sides.Right], output);
            },
            bytes =>
            {
                var version = StateBytes.ReadInt32(ref bytes);
                var first = lefts.Read(version, StateBytes.ReadSized(ref bytes), "left");
                version = StateBytes.ReadInt32(ref bytes);
                return new Sides<TLeft, TRight>([.. first], [.. rights.Read(version, bytes, "right")]);
            });
    }

    /// <summary>Both streams as one, by their common key.</summary>
    public static KeyedStream<TKey, Either<TLeft, TRight>> Both<TKey, TLeft, TRight>(
        KeyedStream<TKey, TLeft> left, KeyedStream<TKey, TRight> right)
        where TKey : notnull
    {
        var (leftKey, rightKey) = (left.Keying.Selector, right.Keying.Selector);
        var union = left.Stream.Select(value => new Either<TLeft, TRight>(true, value, default!))
            .Union(right.Stream.Select(value => new Either<TLeft, TRight>(false, default!, value)));
        union.Node.IsPart = true;
        return union.KeyBy(
            either => either.IsLeft ? leftKey(either.Left) : rightKey(either.Right), left.Keying.Codec, partitioning: Partitioning.InPlace);
    }
}
