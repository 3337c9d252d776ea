"""What the lab publishes where, as AWS does."""

from lab.metrics.sources import PendingReplication, of_replication


def test_replication_is_measured_where_it_arrives_and_fails_where_it_starts() -> None:
    """R6.2: pending and latency in the destination's region, failures in the source's."""
    data = of_replication(
        PendingReplication("us-east-1", "us-west-2", "here", "there", "all", 2, 300, 4.5, 1)
    )
    assert {(region, name, value) for region, _, name, _, value in data} == {
        ("us-west-2", "OperationsPendingReplication", 2.0),
        ("us-west-2", "BytesPendingReplication", 300.0),
        ("us-west-2", "ReplicationLatency", 4.5),
        ("us-east-1", "OperationsFailedReplication", 1.0),
    }
    dimensions = {"SourceBucket": "here", "DestinationBucket": "there", "RuleId": "all"}
    assert all(namespace == "AWS/S3" and d == dimensions for _, namespace, _, d, _ in data)
