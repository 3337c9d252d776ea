"""The buses of both regions and everything between them."""

from dataclasses import dataclass

import pulumi

from bus_policy import BusPolicy, BusPolicyArgs
from event_bus import EventBus, EventBusArgs
from event_consumer import EventConsumer, EventConsumerArgs
from event_forwarding import EventForwarding, EventForwardingArgs, forwarding_rule_arn
from forwarding_role import ForwardingRole, ForwardingRoleArgs
from heartbeat import Heartbeat, HeartbeatArgs
from tapstack.contracts import RegionalApp, RegionalData
from tapstack.pair import Pair
from tapstack.regions import Region


@dataclass(frozen=True)
class EventNetworkArgs:
    """Both regions, the consumers' functions, the keys of the queues."""

    regions: Pair[Region]
    account_id: pulumi.Input[str]
    app: Pair[RegionalApp]
    data: Pair[RegionalData]


@dataclass(frozen=True)
class RegionalEvents:
    """One region's part of the network."""

    bus: EventBus
    forwarding: EventForwarding
    consumer: EventConsumer


class EventNetwork(pulumi.ComponentResource):
    """In each region a bus, its policy, the way to the other bus, the consumer (R5).

    ``regional`` holds them; ``heartbeat`` crosses from the primary's bus to the standby's.

    Order in both directions: buses, roles that may write to the other bus, policies that let them,
    and only then the targets (trap 26).
    """

    def __init__(
        self, name: str, args: EventNetworkArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("warmstandby:global:EventNetwork", name, None, opts)

        def inside(region: Region) -> pulumi.ResourceOptions:
            return region.options(parent=self)

        buses = args.regions.map(
            lambda region: EventBus(f"bus-{region.name}", EventBusArgs(region), inside(region))
        )
        roles = Pair.of(
            ForwardingRole(
                f"role-forward-events-{region.name}",
                ForwardingRoleArgs(region, args.account_id, peer.bus.arn),
                inside(region),
            )
            for region, peer in args.regions.zip(buses.swapped())
        )
        policies = Pair.of(
            BusPolicy(
                f"bus-policy-{region.name}",
                BusPolicyArgs(bus.bus, args.account_id, forwarding_rule_arn(peer, args.account_id)),
                inside(region),
            )
            for region, bus, peer in args.regions.zip(buses, args.regions.swapped())
        )
        keys = args.data.map(lambda data: data.key_arn)
        peers = buses.zip(policies).swapped()
        forwarding = Pair.of(
            EventForwarding(
                f"forward-{region.name}",
                EventForwardingArgs(region, bus.bus, peer_bus.bus, role, peer_policy, key_arn),
                inside(region),
            )
            for region, bus, (peer_bus, peer_policy), role, key_arn in args.regions.zip(
                buses, peers, roles, keys
            )
        )
        consumers = Pair.of(
            EventConsumer(
                f"consume-{region.name}",
                EventConsumerArgs(region, bus.bus, app, key_arn),
                inside(region),
            )
            for region, bus, app, key_arn in args.regions.zip(buses, args.app, keys)
        )
        self.regional = Pair.of(
            RegionalEvents(*parts) for parts in buses.zip(forwarding, consumers)
        )
        self.heartbeat = Heartbeat(
            "heartbeat",
            HeartbeatArgs(
                regions=args.regions,
                account_id=args.account_id,
                bus=buses.primary.bus,
                peer_bus=buses.secondary.bus,
                peer_key_arn=keys.secondary,
            ),
            pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
