"""The environment of a controller's function."""

from __future__ import annotations

VARIABLES = {
    "AWS_REGION": "us-west-2",
    "PEER_REGION": "us-east-1",
    "SWITCH_POSITION": "engaged",
    "ENVIRONMENT": "prod",
    "ENVIRONMENT_SUFFIX": "prod",
    "RECOVERY_MODE": "notify",
    "LAG_LIMIT_SECONDS": "120",
    "PEER_INSTANCES": "2",
    "ACCEPTED_BY": "A. Owner",
    "RECOVERY_TABLE": "table",
    "BUCKET_NAME": "bucket",
    "TOPIC_ARN": "arn:topic",
    "PEER_TOPIC_ARN": "arn:peer-topic",
    "EVENT_BUS_NAME": "bus",
    "GLOBAL_CLUSTER": "both",
    "CLUSTER": "west",
    "CLUSTER_ARN": "arn:west",
    "PEER_CLUSTER": "east",
    "PROBE_FUNCTION": "function-probe",
    "LOAD_BALANCER": "west.elb",
    "PEER_LOAD_BALANCER": "east.elb",
    "SERVER_NAME": "app.test",
    "READINESS_TOKEN_SECRET_ARN": "arn:token",
    "NAME_SERVERS": "ns-1.test,ns-2.test,ns-3.test",
    "WITNESS": "witness.app.test",
    "FAILOVER_SWITCH_PARAMETER": "/switch",
    "SWITCH_REGION": "us-west-2",
    "EPOCH_PARAMETER": "/own",
    "PEER_EPOCH_PARAMETER": "/peer",
}
"""In us-west-2, of an environment ``prod``."""
