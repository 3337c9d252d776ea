"""The matcher that the proof against loops rests on, held against examples of the user guide."""

from typing import Any

import pytest
from event_matching import matches

EVENT = {
    "source": "aws.ec2",
    "detail-type": "EC2 Instance State-change Notification",
    "region": "us-west-1",
    "resources": ["arn:aws:ec2:us-west-1:123456789012:instance/i-1234567890abcdef0", "b"],
    "detail": {
        "state": "terminated",
        "empty": "",
        "count": 3,
        "on": True,
        "nothing": None,
        "address": "10.0.0.7",
        "file": "dir/image.PNG",
    },
}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ({}, True),
        ({"source": ["aws.ec2"]}, True),
        ({"source": ["aws.s3", "aws.ec2"]}, True),
        ({"source": ["aws.s3"]}, False),
        ({"source": ["AWS.EC2"]}, False),
        ({"source": ["aws.ec2"], "region": ["us-east-1"]}, False),
        ({"resources": ["b"]}, True),
        ({"resources": ["c"]}, False),
        ({"resources": [{"suffix": "instance/i-1234567890abcdef0"}]}, True),
        ({"detail": {"state": ["terminated"]}}, True),
        ({"detail": {"state": ["terminated"], "count": [4]}}, False),
        ({"detail": {"on": [1]}}, False),
        ({"detail": {"on": [True]}}, True),
        ({"detail": {"nothing": [None]}}, True),
        ({"detail": {"empty": [""]}}, True),
        ({"detail": {"absent": [None]}}, False),
        ({"detail": {"deep": {"er": ["x"]}}}, False),
        ({"source": {"not": ["an object"]}}, False),
        ({"detail": {"absent": [{"exists": False}]}}, True),
        ({"detail": {"state": [{"exists": True}]}}, True),
        ({"detail": {"state": [{"exists": False}]}}, False),
        ({"detail": {"state": [{"prefix": "term"}]}}, True),
        ({"detail": {"state": [{"prefix": {"equals-ignore-case": "TERM"}}]}}, True),
        ({"detail": {"file": [{"suffix": {"equals-ignore-case": ".png"}}]}}, True),
        ({"detail": {"file": [{"suffix": ".png"}]}}, False),
        ({"detail": {"state": [{"equals-ignore-case": "TERMINATED"}]}}, True),
        ({"detail": {"count": [{"prefix": "3"}]}}, False),
        ({"detail": {"state": [{"anything-but": "running"}]}}, True),
        ({"detail": {"state": [{"anything-but": ["running", "terminated"]}]}}, False),
        ({"detail": {"state": [{"anything-but": {"prefix": "term"}}]}}, False),
        ({"detail": {"state": [{"anything-but": {"suffix": ["x", "y"]}}]}}, True),
        ({"detail": {"absent": [{"anything-but": "x"}]}}, False),
        ({"detail": {"count": [{"numeric": [">", 0, "<=", 3]}]}}, True),
        ({"detail": {"count": [{"numeric": ["=", 4]}]}}, False),
        ({"detail": {"state": [{"numeric": [">", 0]}]}}, False),
        ({"detail": {"address": [{"cidr": "10.0.0.0/24"}]}}, True),
        ({"detail": {"address": [{"cidr": "10.1.0.0/24"}]}}, False),
        ({"detail": {"file": [{"wildcard": "dir/*.PNG"}]}}, True),
        ({"detail": {"file": [{"wildcard": "dir/?mage.PNG"}]}}, False),
        ({"$or": [{"source": ["x"]}, {"region": ["us-west-1"]}]}, True),
        ({"$or": [{"source": ["x"]}, {"region": ["us-east-1"]}]}, False),
    ],
)
def test_patterns_match_as_documented(pattern: dict[str, Any], expected: bool) -> None:
    """N9: the proof is worth as much as its semantics."""
    assert matches(pattern, EVENT) is expected
