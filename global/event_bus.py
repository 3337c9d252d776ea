"""The custom bus of one region, with its archive."""

import json
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from event_patterns import application_events
from tapstack.events import event_bus_name
from tapstack.regions import Region

ARCHIVE_DAYS = 14
"""How long events can be replayed; an archive replays only to its own bus (trap 27)."""


@dataclass(frozen=True)
class EventBusArgs:
    """Where."""

    region: Region


class EventBus(pulumi.ComponentResource):
    """The bus that the application publishes to, by a name that ``app`` knew before."""

    def __init__(
        self, name: str, args: EventBusArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("warmstandby:global:EventBus", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.bus = aws.cloudwatch.EventBus(
            name,
            name=event_bus_name(args.region.name, args.region.suffix),
            description=f"Application events in {args.region.name}",
            opts=child,
        )
        aws.cloudwatch.EventArchive(
            f"archive-{args.region.name}",
            name=args.region.physical_name("archive", "app"),
            description=f"Application events of the last {ARCHIVE_DAYS} days",
            event_source_arn=self.bus.arn,
            event_pattern=json.dumps(application_events()),
            retention_days=ARCHIVE_DAYS,
            opts=child,
        )
        self.register_outputs({"arn": self.bus.arn})
