"""The load balancers' HTTPS listeners: each speaks TLS on a port of 127.0.0.1.

A listener's certificate has the names of the ACM certificate that it was given; the lab's own
authority signs it, which the lab's functions trust as AWS's trust Amazon's
(``lab/certificates.py``). Clients find the port in ``load-balancers.json`` of the state directory:

    {DNS name: {"443": port}}

The way to a listener is an address and a port, whatever name its client asks the certificate for.
"""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lab.api import ApiRefusal, AwsCaller
from lab.call import drop, read_call, send_answer
from lab.certificates import FOLDER, CertificateAuthority, server_context
from lab.context import LabContext
from lab.emulator.load_balancer_requests import LOAD_BALANCER_HEADER, PORT_HEADERS
from lab.http_server import Limits, listen, serve
from lab.outage import REGIONS
from pulumi_protocol.files import write_atomically

logger = logging.getLogger("lab")

MAP_NAME = "load-balancers.json"
PORT = 443
LIMITS = Limits(idle_seconds=60.0, connections=2_000)
"""A load balancer's default idle timeout."""

Key = tuple[str, int]
"""(load balancer's DNS name in lower case, the listener's port)"""


async def certificate_names(aws: AwsCaller) -> dict[Key, tuple[str, ...]]:
    """Every HTTPS listener of both regions, and the names on its certificate."""
    found: dict[Key, tuple[str, ...]] = {}
    for region in REGIONS:
        for balancer in await aws.every("elbv2", region, "DescribeLoadBalancers", "LoadBalancers"):
            listeners = await aws.every(
                "elbv2",
                region,
                "DescribeListeners",
                "Listeners",
                LoadBalancerArn=balancer["LoadBalancerArn"],
            )
            for listener in listeners:
                if listener["Protocol"] == "HTTPS":
                    key = balancer["DNSName"].lower(), int(listener["Port"])
                    found[key] = await _names(aws, region, listener["Certificates"][0])
    return found


async def _names(aws: AwsCaller, region: str, certificate: Mapping[str, Any]) -> tuple[str, ...]:
    arn = certificate["CertificateArn"]
    described = await aws.call("acm", region, "DescribeCertificate", CertificateArn=arn)
    return tuple(described["Certificate"]["SubjectAlternativeNames"])


@dataclass
class _Listener:
    """One that is served."""

    names: tuple[str, ...]
    tls: ssl.SSLContext
    stop: asyncio.Event
    server: asyncio.Task[None]
    port: int
    """On 127.0.0.1."""
    agreed: dict[str, str] = field(default_factory=dict)
    """Server name → what was wrong with the certificate, empty for nothing."""


class TlsListeners:
    """Serves what is deployed, and for nothing else listens."""

    def __init__(self, lab: LabContext) -> None:
        self._lab = lab
        self._served: dict[Key, _Listener] = {}
        self._following = asyncio.Lock()
        self._authority: CertificateAuthority | None = None
        self._client: ssl.SSLContext | None = None

    @property
    def map_path(self) -> str:
        """Where clients find the ports."""
        return str(self._lab.state_dir / MAP_NAME)

    @property
    def authority_path(self) -> str:
        """The certificate (PEM) that clients trust."""
        return str(self._authorities().certificate_path)

    async def follow(self) -> None:
        """Listens for the HTTPS listeners that are deployed now."""
        async with self._following:
            try:
                wanted = await certificate_names(self._lab.aws)
            except ApiRefusal as error:
                # Deleted between two calls of one look; what deletes it is followed by the next.
                logger.info("listeners can't be read: %s", error)
                return
            for key in self._served.keys() - wanted.keys():
                await self._close(self._served.pop(key))
            for key, names in wanted.items():
                served = self._served.get(key)
                if served is None:
                    self._served[key] = self._open(key, names)
                elif served.names != names:
                    self._certify(served.tls, names)
                    self._served[key] = replace(served, names=names, agreed={})
            self._write_map()

    async def stop(self) -> None:
        """Closes every port; safe to call twice."""
        async with self._following:
            ended, self._served = list(self._served.values()), {}
            await asyncio.gather(*map(self._close, ended))

    @property
    def listening(self) -> bool:
        """Whether each listener accepts requests."""
        return not any(served.server.done() for served in self._served.values())

    def port_of(self, balancer: str, port: int) -> int | None:
        """The local port of an HTTPS listener; None where there is none."""
        served = self._served.get((balancer.lower(), port))
        return served.port if served else None

    def objection(self, balancer: str, name: str) -> str | None:
        """What a client that asks a load balancer on 443 for ``name`` holds against its
        certificate, empty for nothing; None where it doesn't listen there."""
        served = self._served.get((balancer.lower(), PORT))
        if served is None:
            return None
        if name not in served.agreed:
            served.agreed[name] = ""
            try:
                handshake(self._trusting(), served.tls, name)
            except ssl.SSLCertVerificationError as error:
                served.agreed[name] = error.verify_message
        return served.agreed[name]

    def _open(self, key: Key, names: tuple[str, ...]) -> _Listener:
        tls, stop, listener = server_context(), asyncio.Event(), listen(0)
        self._certify(tls, names)
        application = _Door(self._lab, *key)
        server = asyncio.create_task(serve(application, listener, stop, LIMITS, tls))
        return _Listener(names, tls, stop, server, int(listener.getsockname()[1]))

    @staticmethod
    async def _close(served: _Listener) -> None:
        served.stop.set()
        await served.server

    def _certify(self, tls: ssl.SSLContext, names: tuple[str, ...]) -> None:
        self._authorities().load_into(tls, names, self._lab.clock.utc_now())

    def _authorities(self) -> CertificateAuthority:
        if self._authority is None:
            self._authority = CertificateAuthority(self._lab.state_dir / FOLDER)
        return self._authority

    def _trusting(self) -> ssl.SSLContext:
        if self._client is None:
            self._client = ssl.create_default_context(cafile=self.authority_path)
        return self._client

    def _write_map(self) -> None:
        ports: dict[str, dict[str, int]] = {}
        for (balancer, port), served in self._served.items():
            ports.setdefault(balancer, {})[str(port)] = served.port
        write_atomically(self._lab.state_dir / MAP_NAME, json.dumps(ports, indent=1))


@dataclass(frozen=True)
class _Door:
    """What one listener serves, over ASGI."""

    lab: LabContext
    balancer: str
    port: int

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await send({"type": "websocket.close"})
            return
        call = await read_call(scope, receive)
        if call is None or self.lab.answering is None:
            return
        ours = (LOAD_BALANCER_HEADER, *PORT_HEADERS)
        headers = [pair for pair in call.header_list if pair[0] not in ours]
        headers += [(LOAD_BALANCER_HEADER, self.balancer), (PORT_HEADERS[0], str(self.port))]
        answer = await self.lab.answering(replace(call, header_list=headers))
        if answer is None:
            drop(call)
            return
        await send_answer(send, answer, head=call.method == "HEAD")


def handshake(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> None:
    """Lets a client and a server agree on TLS for ``name``, without a socket between them.

    Raises SSLCertVerificationError where the client refuses the certificate.
    """
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    while sides:
        try:
            sides[0].do_handshake()
        except ssl.SSLWantReadError:
            sides.reverse()
        else:
            del sides[0]
