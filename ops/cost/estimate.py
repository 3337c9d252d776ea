"""What a month costs, as configured and with changes, from what the programs would create."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import get_type_hints

from ops import workspace
from ops.cost.charges import Charge, charges
from ops.cost.declared import declared
from ops.cost.prices import PriceBook, price_book
from ops.errors import bad_input
from ops.stack_file import StackFile
from tapstack.endpoint_services import INTERFACE_SERVICES
from tapstack.errors import SettingsError
from tapstack.fields import key_of
from tapstack.settings import Settings

NAMESPACES = {"network": "network", "data": "data", "app": "app", "global": "global_"}


@dataclass(frozen=True)
class Estimate:
    """One configuration and its month."""

    title: str
    """``as configured``, or the change, such as ``natGateways=1``"""
    charges: tuple[Charge, ...]

    @property
    def total(self) -> float:
        """US dollars a month."""
        return sum(charge.monthly for charge in self.charges)

    def difference(self, base: Estimate) -> float:
        """US dollars a month more than ``base``, in whole cents.

        Programs declare in no certain order, and a sum's last digits follow the order: equal
        months must not differ by a negative zero.
        """
        return round(self.total - base.total, 2) + 0.0

    def by_group(self) -> dict[str, float]:
        """US dollars a month by group, dearest first."""
        sums: dict[str, float] = {}
        for charge in self.charges:
            sums[charge.group] = sums.get(charge.group, 0) + charge.monthly
        return dict(sorted(sums.items(), key=lambda item: -item[1]))


@dataclass(frozen=True)
class Reference:
    """A figure of the client's, and ours beside it."""

    what: str
    client: float
    ours: float
    reason: str


Change = dict[str, str]
"""Full key → value, as in a stack file."""


def changes(compare: str | None) -> list[Change]:
    """What ``--compare`` asks for: changes between commas, each of keys joined by ``+``.

    ``natGateways=0+vpcEndpoints=true,instanceClass=db.serverless`` is two changes, the first of
    two keys. A key may have its namespace; without, it's looked up. Raises for what is no such
    setting.
    """
    return [_change(part) for part in filter(None, (compare or "").split(","))]


def _change(text: str) -> Change:
    change = {}
    for part in text.split("+"):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not value:
            raise bad_input(f"--compare {part!r} is no change: write key=value, as natGateways=1")
        change[_full_key(key)] = value
    return change


def _full_key(key: str) -> str:
    known = {
        f"{namespace}:{key_of(field.name)}"
        for namespace, attribute in NAMESPACES.items()
        for field in fields(get_type_hints(Settings)[attribute])
    }
    matching = sorted(name for name in known if key in (name, name.partition(":")[2]))
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise bad_input(f"--compare {key} may be {' or '.join(matching)}: write one of them")
    raise bad_input(f"--compare {key} is not a setting of network, data, app or global")


def estimate(stack_file: StackFile, title: str = "as configured") -> Estimate:
    """The month of one configuration."""
    found = declared(workspace.find().repository, stack_file.stack, stack_file.config)
    capacity = stack_file.settings.data.min_capacity
    return Estimate(title, tuple(charges(found, price_book(), capacity)))


def estimates(stack_file: StackFile, compare: str | None) -> list[Estimate]:
    """As configured, with each change alone, and all of them together where they don't collide."""
    wanted = changes(compare)
    together = {key: value for change in wanted for key, value in change.items()}
    if len(wanted) > 1 and len(together) == sum(len(change) for change in wanted):
        wanted = [*wanted, together]
    changed = [_changed(stack_file, change) for change in wanted]
    return [estimate(stack_file), *(estimate(other, title) for other, title in changed)]


def _changed(stack_file: StackFile, change: Change) -> tuple[StackFile, str]:
    """The stack with a change, checked, and the change in words."""
    title = " + ".join(f"{key.partition(':')[2]}={value}" for key, value in change.items())
    config = {**stack_file.config, **change}
    try:
        settings = Settings.of(stack_file.stack, config)
    except SettingsError as error:
        raise bad_input(f"--compare {title}: {error}") from None
    return StackFile(stack_file.stack, config, settings), title


def references(book: PriceBook) -> list[Reference]:
    """The client's figures beside the list prices."""
    hours, price = book.hours, book.price
    nat = 6 * (price["nat-gateway.hour"] + price["public-ipv4.hour"]) * hours
    r5 = 2 * book.aurora_hour("db.r5.large") * hours
    t4g = 2 * book.burstable["db.t4g.medium"] * hours
    return [
        Reference(
            "RDS, db.r5.large",
            525,
            r5,
            "one instance a region, alone: the rest of the client's figure is room for storage, "
            "I/O, replicated writes and backups, which have rows of their own here",
        ),
        Reference(
            "RDS, db.t4g.medium",
            70,
            t4g,
            "one instance a region, where ~70 pays for little more than one; and AWS refuses "
            "burstable classes in a global database: use db.r6g.large or db.serverless",
        ),
        Reference(
            "NAT, three a region",
            192,
            nat,
            "730 hours instead of a rounded $32 each, and AWS bills each gateway's public address",
        ),
    ]


def ways_out(book: PriceBook) -> list[tuple[str, float]]:
    """How functions reach AWS's APIs, both regions together, US dollars a month without traffic."""
    hours, price = book.hours, book.price
    nat = 2 * (price["nat-gateway.hour"] + price["public-ipv4.hour"]) * hours
    endpoint = 2 * price["interface-endpoint.hour"] * hours
    ours = len(INTERFACE_SERVICES)
    return [
        ("1 NAT gateway a region", nat),
        ("3 NAT gateways a region", 3 * nat),
        *(
            (f"the {ours} endpoints that functions call, in {zones} of 3 zones", price_of)
            for zones in (1, 2, 3)
            for price_of in [ours * zones * endpoint]
        ),
        ("8 endpoints, 3 zones", 24 * endpoint),
    ]
