"""What tests of the declared alarms share."""

from functools import cache

from harness import ACCOUNT, Deployment, run_program

REGIONS = ("us-east-1", "us-west-2")
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
CERTIFICATES = {
    region: f"arn:aws:acm:{region}:{ACCOUNT}:certificate/0a1b2c3d-0000-4000-8000-000000000000"
    for region in REGIONS
}
"""With certificates their expiry is watched as well."""


@cache
def with_certificates() -> Deployment:
    """Returns the program's resources where the load balancers have certificates; run once."""
    return run_program("global", config={"app:certificateArns": CERTIFICATES})
