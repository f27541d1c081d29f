namespace Shop.Tests;

// Each class of tests of a whole shop, on the embedded log and on Kafka.

public sealed class EmbeddedOrderFlowTests() : OrderFlowTests(new EmbeddedGround());

public sealed class EmbeddedDuplicateTests() : DuplicateTests(new EmbeddedGround());

public sealed class EmbeddedBadInputTests() : BadInputTests(new EmbeddedGround());

public sealed class EmbeddedLedgerTests() : LedgerTests(new EmbeddedGround());

public sealed class EmbeddedLiveFeedTests() : LiveFeedTests(new EmbeddedGround());

public sealed class EmbeddedQueryTests() : QueryTests(new EmbeddedGround());

public sealed class EmbeddedReplayTests() : ReplayTests(new EmbeddedGround());

[Collection(KafkaGround.Name)]
public sealed class KafkaOrderFlowTests(KafkaGround ground) : OrderFlowTests(ground);

[Collection(KafkaGround.Name)]
public sealed class KafkaDuplicateTests(KafkaGround ground) : DuplicateTests(ground);

[Collection(KafkaGround.Name)]
public sealed class KafkaBadInputTests(KafkaGround ground) : BadInputTests(ground);

[Collection(KafkaGround.Name)]
public sealed class KafkaLedgerTests(KafkaGround ground) : LedgerTests(ground);

[Collection(KafkaGround.Name)]
public sealed class KafkaLiveFeedTests(KafkaGround ground) : LiveFeedTests(ground);

[Collection(KafkaGround.Name)]
public sealed class KafkaQueryTests(KafkaGround ground) : QueryTests(ground);

[Collection(KafkaGround.Name)]
public sealed class KafkaReplayTests(KafkaGround ground) : ReplayTests(ground);
