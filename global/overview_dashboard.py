"""The dashboard of both regions (R6.1)."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

import dashboard_body
from tapstack.regions import Region


@dataclass(frozen=True)
class OverviewDashboardArgs:
    """Where its console is opened, and what it shows."""

    region: Region
    shows: dashboard_body.Dashboard


class OverviewDashboard(pulumi.ComponentResource):
    """In the standby region: it is needed most when the primary's console doesn't open."""

    def __init__(
        self, name: str, args: OverviewDashboardArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("warmstandby:global:OverviewDashboard", name, None, opts)
        dashboard_name = args.region.physical_name("dashboard", "overview")
        aws.cloudwatch.Dashboard(
            name,
            dashboard_name=dashboard_name,
            dashboard_body=pulumi.Output.json_dumps(
                dashboard_body.body(args.shows), sort_keys=True
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.url = (
            f"https://{args.region.name}.console.aws.amazon.com/cloudwatch/home"
            f"?region={args.region.name}#dashboards/dashboard/{dashboard_name}"
        )
        self.register_outputs({"url": self.url})
