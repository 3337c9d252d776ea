"""Which version of the application's secret is the current one, asked of AWS at each deployment."""

import pulumi
import pulumi_aws as aws

from tapstack.contracts import RegionalData
from tapstack.pair import Pair
from tapstack.regions import Region, asked

CURRENT = "AWSCURRENT"


def current_version(regions: Pair[Region], data: Pair[RegionalData]) -> pulumi.Output[str]:
    """The version's id, the same in both regions; no value is read (ListSecretVersionIds).

    Asked where a lost region isn't (trap 66). A rotation makes another version, and so the
    migration runs with the next deployment, whoever rotated (trap 42).
    """
    answering = asked(regions)
    here = data.primary if answering.is_primary else data.secondary
    found = aws.secretsmanager.get_secret_versions_output(
        secret_id=here.application_secret_arn, opts=answering.invoking()
    )
    return found.versions.apply(
        lambda versions: next(
            (one.version_id for one in versions if CURRENT in one.version_stages), ""
        )
    )
