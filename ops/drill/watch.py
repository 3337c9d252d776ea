"""What the drill observes beside the clients: DNS, health, writer, switch and both controllers.

Each source is asked in a thread of its own, so that one that hangs keeps no other waiting, and only
its changes are recorded.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ops.cloud import switch
from ops.cloud.clients import Clients
from ops.drill.history import Seen
from ops.drill.site import Connections, Site
from ops.recovery.items import Items
from recovery.model import State
from recovery.ports import UnavailableError
from recovery.stored import StateTable
from tapstack.well_known import HEALTH_PATH

EVERY_SECONDS = {"dns": 1.0, "health": 2.0, "writer": 1.0, "switch": 5.0, "controller": 2.0}
"""Real seconds between two looks at a source: the error of what is measured by it."""
HEALTH_SECONDS = 5.0
UNKNOWN = "unknown"

Look = Callable[[], str]


@dataclass
class Standing:
    """What was seen last, by source, and every stage of a controller, with when it began: for the
    display, and for steps that wait for a stage."""

    now: dict[str, str] = field(default_factory=dict)
    stages: list[tuple[float, str, str]] = field(default_factory=list)
    """(the drill's time, region, stage)"""

    def stages_since(self, moment: float) -> frozenset[str]:
        """The stages in which controllers were at a moment or after it."""
        seen = list(self.stages)
        stood = {region: stage for at, region, stage in seen if at < moment}
        return frozenset({*stood.values(), *(stage for at, _, stage in seen if at >= moment)})


class Watcher:
    """Asks each source again and again until it is stopped."""

    def __init__(
        self,
        looks: Mapping[tuple[str, str], Look],
        record: Callable[[Seen], None],
        now: Callable[[], float],
        every: Mapping[str, float] = EVERY_SECONDS,
    ) -> None:
        """``looks`` are (source, prefix) → what it says now; the prefix is a region, or empty."""
        self._looks, self._record, self._now, self._every = looks, record, now, every
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._follow, args=(key,), daemon=True) for key in looks
        ]
        self.standing = Standing()

    def start(self) -> None:
        """Begins."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ends; safe to call twice, and before the start."""
        self._ended.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    def look(self, key: tuple[str, str]) -> None:
        """Asks one source once, and records it where it has changed."""
        source, prefix = key
        said = self._looks[key]()
        name = f"{source} {prefix}".strip()
        if self.standing.now.get(name) == said:
            return
        self.standing.now[name] = said
        at = self._now()
        if source == "controller":
            self.standing.stages.append((at, prefix, said))
        self._record(Seen(at, source, f"{prefix}: {said}" if prefix else said))

    def _follow(self, key: tuple[str, str]) -> None:
        while not self._ended.is_set():
            self.look(key)
            self._ended.wait(self._every[key[0]])


@dataclass(frozen=True)
class System:
    """What is looked at: a stack's site, clients and names."""

    site: Site
    clients: Clients
    suffix: str
    global_cluster: str

    def looks(self) -> dict[tuple[str, str], Look]:
        """All sources."""
        return {
            ("dns", ""): self.dns,
            ("writer", ""): self.writer,
            ("switch", ""): lambda: switch.switch(self.clients, self.suffix).partition(" ")[0],
            **{("health", region): self._health(region) for region in self.regions},
            **{("controller", region): self._stage(region) for region in self.regions},
        }

    @property
    def regions(self) -> tuple[str, str]:
        """Primary and standby."""
        return self.clients.regions

    def dns(self) -> str:
        """The region that DNS answers to who asks now."""
        address, _ = self.site.resolve()
        return (self.site.region_of(address) if address else "") or UNKNOWN

    def writer(self) -> str:
        """Who writes, as RDS says in whichever region answers, the standby first: an outage takes
        the other one."""
        for region in reversed(self.regions):
            try:
                found = self.clients.get("rds", region).describe_global_clusters(
                    GlobalClusterIdentifier=self.global_cluster
                )
            except (ClientError, BotoCoreError):
                continue
            return writer_of(found["GlobalClusters"][0]["GlobalClusterMembers"]) or UNKNOWN
        return UNKNOWN

    def synchronised(self) -> bool:
        """Whether every other member follows the writer."""
        try:
            found = self.clients.get("rds", self.regions[1]).describe_global_clusters(
                GlobalClusterIdentifier=self.global_cluster
            )["GlobalClusters"][0]
        except (ClientError, BotoCoreError):
            return False
        return not found.get("FailoverState") and all(
            member["IsWriter"] or member.get("SynchronizationStatus", "connected") == "connected"
            for member in found["GlobalClusterMembers"]
        )

    def state(self, region: str) -> State | None:
        """A controller's item; None where it doesn't answer."""
        items = Items(self.clients, self.suffix, "")
        try:
            return StateTable(items.dynamodb(region), items.table(region)).load()
        except UnavailableError:
            return None

    def healthy(self, region: str) -> bool:
        """Whether a region's application answers."""
        connections = Connections(self.site)
        answer = connections.ask_region(region, "GET", HEALTH_PATH, seconds=HEALTH_SECONDS)
        connections.close()
        return answer.status == 200

    def steady(self) -> dict[str, str]:
        """All that stands, once."""
        looks = self.looks()
        with ThreadPoolExecutor(len(looks)) as pool:
            said = pool.map(lambda look: look(), looks.values())
            return {
                f"{source} {prefix}".strip(): now
                for (source, prefix), now in zip(looks, said, strict=True)
            }

    def _health(self, region: str) -> Look:
        return lambda: "healthy" if self.healthy(region) else "unhealthy"

    def _stage(self, region: str) -> Look:
        def look() -> str:
            state = self.state(region)
            return UNKNOWN if state is None else state.stage.value

        return look


def writer_of(members: Iterable[Mapping[str, Any]]) -> str:
    """The region of the member that writes; empty where none does."""
    return next((one["DBClusterArn"].split(":")[3] for one in members if one["IsWriter"]), "")
