using Millrace.Contract;
using static Millrace.Tests.Runtime.RuntimeRig;

namespace Millrace.Tests.Runtime;

/// <summary>What a scope refuses, and what options and processors may be.</summary>
public sealed class ScopeTests
{
    [Fact]
    public async Task Store_names_that_begin_with_a_dollar_are_refused()
    {
        var refusals = await InScopeAsync(scope =>
        [
            () => scope.Put("$timers", "k"u8, "v"u8),
            () => scope.Delete("$timers", "k"u8),
            () => scope.TryGet("$mine", "k"u8, out _),
            () => scope.Scan("$"),
            () => scope.Put("", "k"u8, "v"u8),
        ]);

        Assert.All(refusals, refusal => Assert.IsType<ArgumentException>(refusal));
        Assert.Contains("'$timers'", refusals[0]!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_timers_name_has_1_to_255_bytes()
    {
        var refusals = await InScopeAsync(scope =>
        [
            () => scope.SetTimer(new string('n', 255), "k"u8, DateTimeOffset.MaxValue),
            () => scope.SetTimer("", "k"u8, DateTimeOffset.MaxValue),
            () => scope.SetTimer(new string('n', 256), "k"u8, DateTimeOffset.MaxValue),
            () => scope.CancelTimer(new string('é', 128), "k"u8),
        ]);

        Assert.Null(refusals[0]);
        Assert.All(refusals[1..], refusal => Assert.IsType<ArgumentException>(refusal));
    }

    [Fact]
    public async Task A_processor_without_state_may_keep_neither_state_nor_timers_and_read_topics_of_unequal_size()
    {
        await using var rig = await OpenAsync(1, "one", "out");
        await rig.Engine.CreateTopicAsync(new TopicSpecification { Name = "three", Partitions = 3 }, rig.Cancellation);
        var refusals = new List<Exception?>();
        var processor = Scripted.ForEach("stateless", "one", (scope, text) =>
        {
            refusals.Add(Xunit.Record.Exception(() => scope.Put("store", "k"u8, "v"u8)));
            refusals.Add(Xunit.Record.Exception(() => scope.SetTimer("t", "k"u8, scope.Time.GetUtcNow())));
            scope.To("out", "k"u8).Add(0, "k"u8, Bytes(text));
        }) with { Topics = ["one", "three"], HasState = false };
        await rig.AppendAsync("one", 0, "a");
        await rig.AppendAsync("three", 2, "b");

        await rig.RunUntilIdleAsync(processor);

        Assert.All(refusals, refusal => Assert.IsType<InvalidOperationException>(refusal));
        Assert.Equal(["a", "b"], (await rig.ReadAsync("out", 0)).Order());
    }

    [Fact]
    public async Task A_later_owner_of_a_partition_has_a_greater_epoch()
    {
        await using var rig = await OpenAsync(1, "in");
        var epochs = new List<long>();
        var processor = Scripted.ForEach("owned", "in", (scope, _) => epochs.Add(scope.Epoch));
        await rig.AppendAsync("in", 0, "a");
        await rig.RunUntilIdleAsync(processor);
        await rig.AppendAsync("in", 0, "b");
        await rig.RunUntilIdleAsync(processor);

        Assert.Equal(2, epochs.Count);
        Assert.True(epochs[1] > epochs[0], $"{epochs[1]} is not greater than {epochs[0]}.");
    }

    [Fact]
    public async Task A_scope_that_has_ended_refuses_everything()
    {
        await using var rig = await OpenAsync(1, "in", "out");
        ProcessorScope? kept = null;
        await rig.AppendAsync("in", 0, "a");
        await rig.RunUntilIdleAsync(Scripted.ForEach("kept", "in", (scope, _) => kept = scope));

        Assert.Throws<InvalidOperationException>(() => kept!.Put("store", "k"u8, "v"u8));
        Assert.Throws<InvalidOperationException>(() => kept!.To("out", "k"u8));
    }

    [Fact]
    public async Task A_record_may_be_said_to_a_partition_of_ones_choice_and_to_no_other_than_there_is()
    {
        await using var rig = await OpenAsync(3, "in", "out");
        var refusals = new List<Exception?>();
        var partitions = 0;
        await rig.AppendAsync("in", 0, "a");

        await rig.RunUntilIdleAsync(Scripted.ForEach("placed", "in", (scope, text) =>
        {
            partitions = scope.PartitionsOf("out");
            for (var partition = 0; partition < partitions; partition++)
                scope.ToPartition("out", partition).Add(0, "k"u8, Bytes($"{text}{partition}"));
            refusals.Add(Xunit.Record.Exception(() => scope.ToPartition("out", 3)));
            refusals.Add(Xunit.Record.Exception(() => scope.ToPartition("out", -1)));
            refusals.Add(Xunit.Record.Exception(() => scope.PartitionsOf("nowhere")));
        }));

        Assert.Equal(3, partitions);
        Assert.Equal(["a0", "a1", "a2"], [.. await rig.ReadAsync("out", 0), .. await rig.ReadAsync("out", 1), .. await rig.ReadAsync("out", 2)]);
        Assert.IsType<ArgumentOutOfRangeException>(refusals[0]);
        Assert.IsType<ArgumentOutOfRangeException>(refusals[1]);
        Assert.Equal(FailureCodes.TopicNotFound, Assert.IsType<MillraceException>(refusals[2]).Code);
    }

    [Fact]
    public async Task A_batch_that_was_asked_for_and_left_empty_is_not_written()
    {
        await using var rig = await OpenAsync(1, "in", "out");
        await rig.AppendAsync("in", 0, "a");

        await rig.RunUntilIdleAsync(Scripted.ForEach("empty", "in", (scope, _) => scope.To("out", "k"u8)));

        Assert.Empty(await rig.ReadAsync("out", 0));
    }

    [Fact]
    public async Task State_and_timers_may_be_set_while_the_processor_is_made()
    {
        await using var rig = await OpenAsync(1, "in", "out");
        var processor = Scripted.Define("made", "in", scope =>
        {
            scope.Put("store", "made"u8, "yes"u8);
            scope.SetTimer("t", "k"u8, scope.Time.GetUtcNow());
            return new Scripted { OnTimer = timer => scope.To("out", timer.Key.Span).Add(0, timer.Key.Span, "fired"u8) };
        });

        await rig.RunUntilIdleAsync(processor);

        Assert.Equal(["made=yes"], await rig.StateAsync("made", "in", 0, "store"));
        Assert.Equal(["fired"], await rig.ReadAsync("out", 0));
    }

    [Fact]
    public async Task Options_beyond_their_limits_and_processors_of_one_name_are_refused()
    {
        await using var rig = await OpenAsync(1, "in");
        var processor = Scripted.ForEach("twin", "in", (_, _) => { });

        Assert.Contains(nameof(ProcessorRuntimeOptions.CommitsInFlightMax), Assert.Throws<ArgumentException>(
            () => rig.Runtime(rig.Options with { CommitsInFlightMax = 0 }, processor)).Message, StringComparison.Ordinal);
        Assert.Contains(nameof(ProcessorRuntimeOptions.RestartBackoffMax), Assert.Throws<ArgumentException>(
            () => rig.Runtime(rig.Options with { RestartBackoffMax = TimeSpan.FromMilliseconds(1) }, processor)).Message, StringComparison.Ordinal);
        Assert.Contains("'twin'", Assert.Throws<ArgumentException>(() => rig.Runtime(processor, processor)).Message, StringComparison.Ordinal);
        Assert.Contains("no topic", Assert.Throws<ArgumentException>(() => rig.Runtime(processor with { Topics = [] })).Message, StringComparison.Ordinal);
    }

    /// <summary>Runs actions within a call and gives what each threw.</summary>
    private static async Task<List<Exception?>> InScopeAsync(Func<ProcessorScope, List<Action>> actions)
    {
        await using var rig = await OpenAsync(1, "in");
        var thrown = new List<Exception?>();
        await rig.AppendAsync("in", 0, "go");
        await rig.RunUntilIdleAsync(Scripted.ForEach("scope", "in", (scope, _) =>
        {
            foreach (var action in actions(scope)) thrown.Add(Xunit.Record.Exception(action));
        }));
        return thrown;
    }
}
