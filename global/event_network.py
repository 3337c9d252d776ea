"""The buses of both regions and everything between them."""

from dataclasses import dataclass

import pulumi

from bus_policy import BusPolicy, BusPolicyArgs
from event_bus import EventBus, EventBusArgs
from event_consumer import EventConsumer, EventConsumerArgs
from event_forwarding import EventForwarding, EventForwardingArgs
from forwarding_role import ForwardingRole, ForwardingRoleArgs
from heartbeat import Heartbeat, HeartbeatArgs
from tapstack.contracts import RegionalApp, RegionalData
from tapstack.regions import Pair, Region


@dataclass(frozen=True)
class EventNetworkArgs:
    """Both regions, the consumers' functions, the keys of the queues."""

    regions: Pair[Region]
    account_id: pulumi.Input[str]
    apps: Pair[RegionalApp]
    datas: Pair[RegionalData]


class EventNetwork(pulumi.ComponentResource):
    """In each region a bus, its policy, the way to the other bus, the consumer (R5).

    Order in both directions: buses, roles that may write to the other bus, policies that let them,
    and only then the targets (trap 26).
    """

    def __init__(
        self, name: str, args: EventNetworkArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("warmstandby:global:EventNetwork", name, None, opts)

        def inside(region: Region) -> pulumi.ResourceOptions:
            return region.options(parent=self)

        self.buses = args.regions.map(
            lambda region: EventBus(f"bus-{region.name}", EventBusArgs(region), inside(region))
        )
        roles = Pair.of(
            ForwardingRole(
                f"role-forward-events-{region.name}",
                ForwardingRoleArgs(region, args.account_id, peer.bus.arn),
                inside(region),
            )
            for region, peer in zip(args.regions, self.buses.swapped(), strict=True)
        )
        policies = Pair.of(
            BusPolicy(
                f"bus-policy-{region.name}", BusPolicyArgs(bus.bus, sender.arn), inside(region)
            )
            for region, bus, sender in zip(args.regions, self.buses, roles.swapped(), strict=True)
        )
        self.forwarding = Pair.of(
            EventForwarding(
                f"forward-{region.name}",
                EventForwardingArgs(region, bus.bus, peer.bus, role, peer_policy, data.key_arn),
                inside(region),
            )
            for region, bus, peer, role, peer_policy, data in zip(
                args.regions, self.buses, self.buses.swapped(), roles, policies.swapped(),
                args.datas, strict=True,
            )
        )  # fmt: skip
        self.consumers = Pair.of(
            EventConsumer(
                f"consume-{region.name}",
                EventConsumerArgs(region, bus.bus, app, data.key_arn),
                inside(region),
            )
            for region, bus, app, data in zip(
                args.regions, self.buses, args.apps, args.datas, strict=True
            )
        )
        self.heartbeat = Heartbeat(
            "heartbeat",
            HeartbeatArgs(
                regions=args.regions,
                role=roles.primary,
                peer_bus=self.buses.secondary.bus,
                peer_policy=policies.secondary,
                peer_key_arn=args.datas.secondary.key_arn,
            ),
            pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
