"""The one interface that operators' tools use to move a layer; engines implement it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Protocol

from lab.engine.runner import Runner
from ops.errors import bad_input
from pulumi_protocol.events import Event, Summary
from tapstack.contracts import UNDEPLOYED_VARIABLE
from tapstack.well_known import SPARED_REGION_VARIABLE

MOST_PARALLEL = 1000

OnEvent = Callable[[Event], None]


@dataclass(frozen=True)
class Options:
    """How an engine works, whatever it does."""

    refresh: bool = False
    """Read every resource anew before a preview or up."""
    targets: tuple[str, ...] = ()
    """URNs of the resources to touch; empty: all."""
    spared_region: str = ""
    """The region that is left alone, because it is lost; empty: none."""
    parallel: int | None = None
    """Resources moved at a time; None: as many as the engine thinks right."""
    runner: Runner | None = None
    """Where programs run, if it was started ahead (:mod:`ops.engines.ahead`)."""

    def __post_init__(self) -> None:
        if self.targets and self.spared_region:
            raise bad_input("--region and --target both say what is touched: give one of them")
        if self.parallel is not None and not 1 <= self.parallel <= MOST_PARALLEL:
            raise bad_input(
                f"--parallel {self.parallel} isn't from 1 to {MOST_PARALLEL}: leave it out for as "
                "many as the engine thinks right"
            )

    def variables(self, undeployed: Collection[str] = ()) -> dict[str, str]:
        """What a program reads of its environment: the region to ask nothing of, and in a preview
        the upstreams that aren't deployed yet."""
        found = {
            SPARED_REGION_VARIABLE: self.spared_region,
            UNDEPLOYED_VARIABLE: ",".join(sorted(undeployed)),
        }
        return {name: value for name, value in found.items() if value}


class Engine(Protocol):
    """Moves the layers of one stack, each when it is asked to. Every method may raise
    :class:`~pulumi_protocol.events.EngineError`."""

    name: str
    """``embedded`` or ``pulumi``"""

    def preview(self, layer: str, on_event: OnEvent, undeployed: frozenset[str]) -> Summary:
        """What ``up`` would do; ``undeployed`` upstreams' outputs are unknown."""
        ...

    def up(self, layer: str, on_event: OnEvent) -> Summary:
        """Makes the cloud what the program says."""
        ...

    def refresh(self, layer: str, on_event: OnEvent, preview: bool = False) -> Summary:
        """Takes into the state what changed in the cloud behind its back."""
        ...

    def destroy(self, layer: str, on_event: OnEvent) -> Summary:
        """Removes all that the layer made; nothing to do is success."""
        ...

    def outputs(self, layer: str) -> dict[str, Any] | None:
        """A layer's stack outputs, secrets masked; None when it isn't deployed."""
        ...

    def resources(self, layer: str) -> list[dict[str, Any]]:
        """The resources in the layer's state, in Pulumi's checkpoint form, secrets masked."""
        ...

    def interrupt(self) -> None:
        """Lets the calls under way end, and begins no other."""
        ...
