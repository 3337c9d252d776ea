"""The system as a client on the internet meets it: names, addresses and connections.

On AWS a name is asked of the zone's own servers and a connection goes to the address. In the lab an
address stands for a load balancer, which is reached at the lab's endpoint by its ``Host``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import urllib3
from urllib3.exceptions import HTTPError

from ops.cloud import web
from ops.cloud.traffic import Addresses, asked, in_the_lab, resolved

REQUEST_SECONDS = 5.0
"""Longest that a client waits for an answer, in real seconds."""
CONNECTIONS = 64
HONEST_FLOOR_SECONDS = 1.0
"""Shortest time for which an answer is kept."""

Resolve = Callable[[], tuple[str, float]]
"""→ (address, TTL in seconds); empty where DNS gives none."""


@dataclass(frozen=True)
class Answer:
    """``status`` is 0 where nothing answered; ``detail`` then says why."""

    status: int
    body: Mapping[str, Any] = field(default_factory=dict)
    detail: str = ""
    broken: bool = False
    """Whether the connection is gone: a client that keeps it must resolve anew."""


@dataclass(frozen=True)
class Site:
    """Where one stack is reached. ``balancers`` are region → DNS name, ``servers`` those of the
    zone (host, port)."""

    name: str
    balancers: Mapping[str, str]
    servers: tuple[tuple[str, int], ...]
    lab_endpoint: str | None = None
    secure: bool = False
    """Whether load balancers serve HTTPS."""

    def resolve(self) -> tuple[str, float]:
        """Asks DNS afresh."""
        answer = asked(self.name, self.servers)
        return next(iter(answer.addresses), ""), float(answer.ttl)

    def region_of(self, address: str, addresses: Addresses | None = None) -> str:
        """The region whose load balancer has this address; empty when none has."""
        known = addresses or (in_the_lab if self.lab_endpoint else resolved)
        for region, balancer in self.balancers.items():
            if address in known(region, balancer):
                return region
        return ""


class Connections:
    """One client's kept connections, by address or, for a region's own load balancer, by name."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._pools: dict[str, Any] = {}
        self._hosts: dict[str, str] = {}

    def ask_address(self, address: str, method: str, path: str, **given: Any) -> Answer:
        """One request to whatever answers at an address."""
        if not address:
            return Answer(0, detail="no address", broken=True)
        host = self._site.name
        if self._site.lab_endpoint:
            if address not in self._hosts:
                region = self._site.region_of(address)
                self._hosts[address] = self._site.balancers.get(region, "")
            host = self._hosts[address]
        return self._ask(address, host, method, path, **given)

    def ask_region(self, region: str, method: str, path: str, **given: Any) -> Answer:
        """One request to a region's own load balancer, whatever DNS says."""
        host = self._site.balancers[region]
        return self._ask(host, host, method, path, **given)

    def _ask(
        self,
        where: str,
        host: str,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        seconds: float = REQUEST_SECONDS,
    ) -> Answer:
        if self._site.lab_endpoint and self._site.secure:
            host = f"{host}:{web.HTTPS}"  # the lab's own port stands for every listener
        sent = {"Host": host, **(headers or {})}
        if body is not None:
            sent["Content-Type"] = "application/json"
        try:
            answer = self._pool(where).request(
                method,
                path,
                body=None if body is None else json.dumps(body),
                headers=sent,
                timeout=urllib3.Timeout(total=seconds),
                retries=False,
                redirect=False,
            )
        except (HTTPError, OSError) as error:
            return Answer(0, detail=type(error).__name__, broken=True)
        return Answer(answer.status, web.as_object(answer.data))

    def _pool(self, where: str) -> Any:
        if where not in self._pools:
            self._pools[where] = self._made(where)
        return self._pools[where]

    def _made(self, where: str) -> Any:
        if self._site.lab_endpoint:
            return urllib3.connectionpool.connection_from_url(
                self._site.lab_endpoint, maxsize=CONNECTIONS
            )
        if self._site.secure:
            # The certificate is for the name that users know, at whichever address.
            return urllib3.HTTPSConnectionPool(
                where, web.HTTPS, maxsize=CONNECTIONS, server_hostname=self._site.name,
                assert_hostname=self._site.name,
            )  # fmt: skip
        return urllib3.HTTPConnectionPool(where, 80, maxsize=CONNECTIONS)

    def close(self) -> None:
        """Closes all connections."""
        for pool in self._pools.values():
            pool.close()


class Cache:
    """How one client keeps what DNS answered: ``hold`` seconds, None for as long as the TTL says,
    infinity for as long as its connection lives."""

    def __init__(self, resolve: Resolve, now: Callable[[], float], hold: float | None) -> None:
        self._resolve, self._now, self._hold = resolve, now, hold
        self._address, self._until = "", float("-inf")

    def address(self) -> str:
        """The address that this client uses now."""
        if not self._address or self._now() >= self._until:
            address, ttl = self._resolve()
            keep = max(ttl, HONEST_FLOOR_SECONDS) if self._hold is None else self._hold
            self._address, self._until = address, self._now() + keep
        return self._address

    def broke(self) -> None:
        """The connection is gone: who keeps an address only for it asks again."""
        if self._hold == float("inf"):
            self._until = float("-inf")
