"""SSM parameters: what an application needs to start in one region without the other."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from tapstack.naming import Scope, parameter_path
from tapstack.regions import Region
from tapstack.well_known import EPOCH, FAILOVER_SWITCH, FIRST_EPOCH, SWITCH_RELEASED


@dataclass(frozen=True)
class RegionalParametersArgs:
    """One region's parameters, by key."""

    region: Region
    local: Mapping[str, pulumi.Input[str]]
    """True in this region only; never synchronised."""
    shared: Mapping[str, pulumi.Input[str]]
    """The same in both regions. The synchronisation of ``global`` carries everything else below
    ``shared`` from the writer's region to the other one."""


class RegionalParameters(pulumi.ComponentResource):
    """``/warm-standby/{region}/{suffix}/local/…`` and ``…/shared/…``."""

    def __init__(
        self, name: str, args: RegionalParametersArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        region = args.region
        super().__init__("warmstandby:data:RegionalParameters", name, None, opts)

        def parameter(
            scope: Scope, key: str, value: pulumi.Input[str], *, kept: bool = False
        ) -> None:
            aws.ssm.Parameter(
                f"parameter-{scope}-{key}-{region.name}",
                name=parameter_path(region.name, region.suffix, scope, key),
                type="String",
                value=value,
                opts=pulumi.ResourceOptions(
                    parent=self, ignore_changes=["value"] if kept else None
                ),
            )

        for key, value in args.local.items():
            parameter("local", key, value)
        if not region.is_primary:
            # Only a failover engages it and only a failback releases it: no deploy does either.
            parameter("local", FAILOVER_SWITCH, SWITCH_RELEASED, kept=True)
        for key, value in args.shared.items():
            # Declared alike in both regions: what the synchronisation carries is never another.
            parameter("shared", key, value)
        # Grows with each promotion: no deploy takes it back.
        parameter("shared", EPOCH, FIRST_EPOCH, kept=True)
        self.register_outputs({})
