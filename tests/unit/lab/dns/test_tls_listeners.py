"""HTTPS listeners on real sockets of 127.0.0.1, before an emulator that is only pretended."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import socket
import ssl
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import lab.database
from lab.api import ApiRefusal, ApiRequest, ApiResponse
from lab.call import Answer, Call
from lab.certificates import FOLDER, CertificateAuthority
from lab.clock import Clock
from lab.context import LabContext
from lab.dns.health_checks import CheckConfig, check_config
from lab.dns.part import DnsPart
from lab.dns.probe import Address, probe
from lab.dns.tls_listeners import TlsListeners
from lab.outage import Outages
from tapstack.node import find

BALANCER = "alb-1.us-east-1.elb.amazonaws.com"
SITE = "app.clinic.net"


class Aws:
    """Load balancers, listeners and certificates as the APIs list them."""

    def __init__(self) -> None:
        self.names = ["*.clinic.net"]
        self.listeners = [
            {"Protocol": "HTTP", "Port": 80},
            {"Protocol": "HTTPS", "Port": 443, "Certificates": [{"CertificateArn": "arn"}]},
        ]
        self.refusal: ApiRefusal | None = None

    async def every(
        self, service: str, region: str, operation: str, key: str, **parameters: Any
    ) -> list[Any]:
        """The items of a listing; only us-east-1 has a load balancer."""
        assert (service, operation) == ("elbv2", f"Describe{key}")
        if operation == "DescribeListeners":
            assert parameters == {"LoadBalancerArn": "lb"}
            return self.listeners
        lists = operation == "DescribeLoadBalancers" and region == "us-east-1"
        return [{"LoadBalancerArn": "lb", "DNSName": BALANCER.upper()}] if lists else []

    async def call(
        self, service: str, region: str, operation: str, **parameters: Any
    ) -> dict[str, Any]:
        """One certificate's description."""
        assert (service, region, operation) == ("acm", "us-east-1", "DescribeCertificate")
        assert parameters == {"CertificateArn": "arn"}
        if self.refusal:
            raise self.refusal
        return {"Certificate": {"SubjectAlternativeNames": self.names}}


class World:
    """A lab's context whose load balancers answer what ``reply`` says."""

    def __init__(self, directory: Path) -> None:
        self.aws = Aws()
        self.got: list[Call] = []
        self.reply: Answer | None = Answer(200, [("x-own", "1")], b"fine")
        self.lab = LabContext(directory, 1, "http://127.0.0.1:1", Clock(), Outages(directory))
        self.lab._aws = self.aws
        self.lab.answering = self._answer

    async def _answer(self, call: Call) -> Answer | None:
        self.got.append(call)
        return self.reply

    @property
    def port(self) -> int:
        """Where the map says that the listener is."""
        return json.loads((self.lab.state_dir / "load-balancers.json").read_text())[BALANCER]["443"]

    def get(self, name: str, method: str = "GET") -> tuple[int, bytes]:
        """Asks the listener as a client that trusts the lab's authority, for ``name``."""
        authority = CertificateAuthority(self.lab.state_dir / FOLDER)
        trusting = ssl.create_default_context(cafile=str(authority.certificate_path))
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        connection = http.client.HTTPConnection(name)
        with plain, trusting.wrap_socket(plain, server_hostname=name) as connection.sock:
            connection.request(method, "/records?a=b", headers={"X-Forwarded-Port": "80"})
            answer = connection.getresponse()
            return answer.status, answer.read()


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Before anything is served."""
    return World(tmp_path)


def served(world: World, visit: Callable[[TlsListeners], Awaitable[None]]) -> None:
    """Runs ``visit`` while the listeners are served, and stops them."""

    async def run() -> None:
        listeners = TlsListeners(world.lab)
        await listeners.follow()
        try:
            async with asyncio.timeout(30):
                await visit(listeners)
        finally:
            await listeners.stop()
            await listeners.stop()

    asyncio.run(run())


def test_a_client_that_trusts_the_authority_is_served_over_tls(world: World) -> None:
    """R2.2: the request reaches that load balancer's listener, whatever port the client names; the
    certificate's key stays in memory."""

    async def visit(_listeners: TlsListeners) -> None:
        assert await asyncio.to_thread(world.get, SITE) == (200, b"fine")
        assert await asyncio.to_thread(world.get, SITE, "HEAD") == (200, b"")

    served(world, visit)
    got = world.got[0]
    assert (got.path, got.query_string, got.headers["host"]) == ("/records", "a=b", SITE)
    assert got.headers["x-lab-load-balancer"] == BALANCER
    assert got.headers["x-lab-listener-port"] == "443"
    assert "x-forwarded-port" not in got.headers
    folder = world.lab.state_dir / FOLDER
    assert {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}[
        "certificate-authority.key"
    ] == 0o600
    assert len(list(folder.iterdir())) == 2


def test_the_certificate_is_for_its_names_alone(world: World) -> None:
    """Trap 65: a load balancer's own name is on no certificate, and a strange authority's client
    refuses it."""

    async def visit(listeners: TlsListeners) -> None:
        with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
            await asyncio.to_thread(world.get, BALANCER)
        assert listeners.objection(BALANCER, SITE) == ""
        assert "mismatch" in (listeners.objection(BALANCER, "app.other.net") or "")
        assert listeners.objection("alb-2.elb.amazonaws.com", SITE) is None
        world.aws.names = ["app.other.net"]
        await listeners.follow()
        assert "mismatch" in (listeners.objection(BALANCER, SITE) or "")
        assert listeners.objection(BALANCER, "app.other.net") == ""
        assert await asyncio.to_thread(world.get, "app.other.net") == (200, b"fine")

    served(world, visit)


def test_a_listener_that_ended_is_no_listener(world: World) -> None:
    """The lab starts a part anew whose socket was closed."""

    async def visit(listeners: TlsListeners) -> None:
        assert listeners.listening
        (served,) = listeners._served.values()
        served.stop.set()
        await served.server
        assert not listeners.listening

    served(world, visit)


def test_a_lost_load_balancer_drops_the_connection(world: World) -> None:
    """R3.1: no answer is what a client of a lost region sees, not an error of the lab's."""
    world.reply = None

    async def visit(_listeners: TlsListeners) -> None:
        with pytest.raises((ConnectionError, http.client.RemoteDisconnected)):
            await asyncio.to_thread(world.get, SITE)

    served(world, visit)


def test_a_web_socket_is_refused(world: World) -> None:
    """Lambda targets serve none."""

    async def visit(_listeners: TlsListeners) -> None:
        tls = ssl.create_default_context()
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port, ssl=tls)
        writer.write(
            b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: YWFhYWFhYWFhYWFhYWFhYQ==\r\n\r\n"
        )
        assert b" 403 " in await reader.readuntil(b"\r\n")
        writer.close()

    served(world, visit)
    assert world.got == []


def test_what_is_deleted_is_closed_and_a_look_that_fails_changes_nothing(world: World) -> None:
    """A listener deleted between two calls of one look must not take the other ones along."""

    async def visit(listeners: TlsListeners) -> None:
        port = listeners.port_of(BALANCER, 443)
        world.aws.refusal = ApiRefusal("ResourceNotFoundException", "gone")
        await listeners.follow()
        assert listeners.port_of(BALANCER.upper(), 443) == port == world.port
        world.aws.listeners.pop()
        await listeners.follow()
        assert listeners.port_of(BALANCER, 443) is None
        assert json.loads(Path(listeners.map_path).read_text()) == {}
        assert port is not None
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)

    served(world, visit)


def test_a_health_check_over_https_sends_the_name_and_trusts_everybody(world: World) -> None:
    """R3.1, Route 53 developer guide: an HTTPS check doesn't look at the certificate; one over HTTP
    fails on an HTTPS listener."""
    listed = {
        "Type": "HTTPS",
        "FullyQualifiedDomainName": BALANCER,
        "ResourcePath": "/health",
        "EnableSNI": True,
    }
    named = check_config({"Id": "n", "HealthCheckConfig": listed})
    unnamed = check_config({"Id": "u", "HealthCheckConfig": listed | {"EnableSNI": False}})
    assert (named.server_name, unnamed.server_name) == (BALANCER, "")
    plain = CheckConfig("p", "HTTP", host=BALANCER, port=443)

    async def visit(_listeners: TlsListeners) -> None:
        address = Address("127.0.0.1", world.port)
        assert await probe(named, address) == (True, "HTTP Status Code 200")
        assert (await probe(unnamed, address))[0]
        assert not (await probe(plain, address))[0]

    served(world, visit)


def test_the_dns_part_follows_listeners_and_leads_checks_to_them(world: World) -> None:
    """R3.1: a new listener is served when the call that made it is answered; functions find it."""
    part = DnsPart(world.lab)

    async def run() -> None:
        request = ApiRequest("elbv2", "CreateListener", "us-east-1", {})
        refused = ApiResponse(error_code="DuplicateListener")

        async def answer(response: ApiResponse) -> ApiResponse:
            async def call_next(_request: ApiRequest) -> ApiResponse:
                return response

            return await part._listening(request, call_next)

        check = CheckConfig("c", "HTTPS", host=BALANCER, port=443)
        try:
            await answer(refused)
            assert part._address_of(check) == Address("127.0.0.1", 1)
            await answer(ApiResponse())
            assert part._address_of(check) == Address("127.0.0.1", world.port)
            found = part._function_environment("us-east-1", "gate")
            assert Path(found["LAB_LOAD_BALANCERS"]).exists()
            assert "BEGIN CERTIFICATE" in Path(found["SSL_CERT_FILE"]).read_text()
        finally:
            await part.tls.stop()

    asyncio.run(run())


CLIENT = """
const http = require("node:http");
const https = require("node:https");
const headers = { host: "app.clinic.net" };
const tls = { servername: "app.clinic.net", headers };
const asked = (module, host, more) => new Promise((resolve) => {
  const sent = module.get({ host, path: "/records", agent: false, ...more });
  sent.on("response", (response) => { response.resume(); resolve(response.statusCode); });
  sent.on("error", (error) => resolve(error.code));
});
(async () => {
  const [host, other] = ["alb-1", "alb-2"].map((name) => `${name}.us-east-1.elb.amazonaws.com`);
  console.log(JSON.stringify([
    await asked(https, host, tls), await asked(https, host, {}),
    await asked(https, other, tls), await asked(http, host, {}),
  ]));
})();
"""


def test_a_function_of_node_asks_as_on_aws(world: World) -> None:
    """Trap 65: the gate reaches a load balancer by its public name and is served under the
    clients'; under its own the certificate is refused, without HTTPS the port, and 80 is the
    lab's."""
    hook = Path(lab.database.__file__).parent / "network_hook.cjs"

    async def visit(listeners: TlsListeners) -> None:
        environment = {
            "LAB_PORT": "1",  # nothing listens there
            "LAB_LOAD_BALANCERS": listeners.map_path,
            "NODE_EXTRA_CA_CERTS": listeners.authority_path,
        }
        command = (find(os.environ["PATH"]).executable, "--require", str(hook), "-e", CLIENT)
        running = await asyncio.create_subprocess_exec(
            *command, env=environment, stdout=asyncio.subprocess.PIPE
        )
        said, _ = await running.communicate()
        assert json.loads(said) == [
            200, "ERR_TLS_CERT_ALTNAME_INVALID", "ECONNREFUSED", "ECONNREFUSED",
        ]  # fmt: skip

    served(world, visit)
