"""Which region writes now, so that a lost member is rebuilt as what it is (trap 43)."""

from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

from tapstack.naming import failover_switch_parameter
from tapstack.pair import Pair
from tapstack.regions import Region, asked
from tapstack.well_known import SWITCH_ENGAGED


def writing_region(regions: Pair[Region]) -> pulumi.Output[str]:
    """The name of the region whose cluster is the writer.

    The failover switch says it: promotions to the standby engage it, promotions and the failback to
    the primary release it, and no deployment does either. Before the first deployment there is
    none, and where the standby is left alone, because it is lost, the primary writes.
    """
    primary, standby = regions
    if asked(regions) is not standby:
        return pulumi.Output.from_input(primary.name)
    switch = failover_switch_parameter(standby.name, standby.suffix)
    found = aws.ssm.get_parameters_by_path_output(
        path=switch.rpartition("/")[0], opts=standby.invoking()
    )

    def writes(known: Sequence[Sequence[str]]) -> str:
        names, values = known
        held = dict(zip(names, values, strict=True))
        return standby.name if held.get(switch) == SWITCH_ENGAGED else primary.name

    # pulumi-aws takes every parameter's value for a secret; the switch is none.
    return pulumi.Output.unsecret(pulumi.Output.all(found.names, found.values)).apply(writes)
