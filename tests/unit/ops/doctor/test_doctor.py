"""``./inv doctor``: what it says of a machine, a backend and an account."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from fake_clients import FakeClients, refusal
from harness import run_program
from lab_answers import RUNNING, STOPPED
from watched_driver import LAB

from lab import client
from ops import lab, node, workspace
from ops.cloud.clients import Clients
from ops.doctor import account as doctor_account
from ops.doctor import backend as doctor_backend
from ops.doctor import concurrency
from ops.doctor import examination as doctor
from ops.doctor import machine as doctor_machine
from ops.doctor.finding import Finding, State, missing, ok
from ops.engines.pulumi_cli import command as pulumi_cli_command
from ops.errors import ExitCode, OperatorError
from ops.stack_file import parse
from ops.workspace import Workspace

DEV = "config: {TapStack:environmentSuffix: dev, aws:region: us-east-1, network:natGateways: 3}"
SETTINGS = parse("dev", DEV).settings
OFFERED = {
    "AvailabilityZones": [
        {"Name": f"{region}{letter}"} for region in ("us-east-1", "us-west-2") for letter in "abcd"
    ]
}
ACCOUNT = "111122223333"


def states(findings: Iterator[Finding] | list[Finding]) -> dict[str, State]:
    """What was found, by name; the worst state counts."""
    order = list(State)
    worst: dict[str, State] = {}
    for finding in findings:
        before = worst.get(finding.what, State.OK)
        worst[finding.what] = max(before, finding.state, key=order.index)
        assert bool(finding.remedy) == (finding.state is not State.OK), finding
    return worst


# The machine


@pytest.fixture
def space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace with one pinned package, and both stack files."""
    (tmp_path / "requirements.txt").write_text(
        "# a comment\n\ninvoke>=1 \\\n    --hash=sha256:0\n"
        "absent-anywhere==1 ; python_version < '3'\n\n# [check] installed later\nabsent-too==1\n"
    )
    (tmp_path / "Pulumi.lab.yaml").write_text(LAB)
    (tmp_path / "Pulumi.dev.yaml").write_text(DEV)
    monkeypatch.delenv(lab.ENDPOINT_VARIABLE, raising=False)
    made = Workspace(tmp_path, tmp_path)
    monkeypatch.setattr(workspace, "find", lambda: made)
    return made


def test_a_machine_that_has_everything(space: Workspace) -> None:
    """Python, packages, Node and disk, each with what was found."""
    assert set(states(doctor_machine.examine(space)).values()) == {State.OK}


def test_packages_other_than_pinned_are_named(space: Workspace) -> None:
    """A half-updated environment is a cause of riddles: which package, and how to mend it."""
    (space.repository / "requirements.txt").write_text("invoke==0.0.1\nabsent-anywhere==1\n")
    (found,) = [x for x in doctor_machine.examine(space) if x.what == "packages"]
    assert found.state is State.MISSING
    assert "invoke is" in found.detail and "==0.0.1 is pinned" in found.detail
    assert "absent-anywhere is absent" in found.detail


def test_no_node_and_no_disk(space: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both stop a deployment."""

    def refuse() -> str:
        raise OperatorError("none is on PATH")

    monkeypatch.setattr(node, "ensure", refuse)
    monkeypatch.setattr(node, "npm", refuse)
    monkeypatch.setattr(doctor_machine, "LEAST_FREE_BYTES", 1 << 60)
    found = states(doctor_machine.examine(space))
    assert [found[what] for what in ("Node.js", "npm", "disk")] == [State.MISSING] * 3


def test_the_lab_s_ports(space: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """First light: a port already taken is reported before anything starts."""
    monkeypatch.setattr(client, "status", lambda _: STOPPED)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = states(doctor_machine.lab(space, f"http://127.0.0.1:{port}"))
        assert found[f"port {port}"] is State.MISSING
    found = states(doctor_machine.lab(space, f"http://127.0.0.1:{port}"))
    assert found[f"port {port}"] is State.OK
    assert len(found) == 3


def test_a_running_lab_needs_no_ports(space: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own parts are reported instead."""
    monkeypatch.setattr(client, "status", lambda _: RUNNING)
    (found,) = doctor_machine.lab(space, RUNNING.endpoint)
    assert (found.state, found.detail) == (State.ADVICE, "unhealthy: database")
    monkeypatch.setitem(RUNNING.parts["database"], "healthy", True)
    (found,) = doctor_machine.lab(space, RUNNING.endpoint)
    assert (found.what, found.state) == ("lab", State.OK)


def test_the_cli_with_language_host_and_plugin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half an installation: the CLI alone runs no Python program."""
    executable = tmp_path / "bin" / "pulumi"
    monkeypatch.setattr(pulumi_cli_command, "find", lambda _: executable)
    monkeypatch.setattr(pulumi_cli_command, "version_of", lambda _: "3.300.0")
    environment = {"PATH": "", "PULUMI_HOME": str(tmp_path)}
    found = states(doctor_machine.cli(environment))
    assert found["Pulumi for Python"] is State.MISSING
    assert found["AWS plugin"] is State.ADVICE
    executable.parent.mkdir()
    (executable.parent / "pulumi-language-python").touch()
    plugin = tmp_path / "plugins" / f"resource-aws-v{doctor_machine.version('pulumi-aws')}"
    plugin.mkdir(parents=True)
    assert states(doctor_machine.cli(environment)) == {
        "Pulumi's CLI": State.OK,
        "AWS plugin": State.OK,
    }


def test_no_cli(tmp_path: Path) -> None:
    """One finding, and the command that installs it."""
    (found,) = doctor_machine.cli({"PATH": str(tmp_path), "HOME": str(tmp_path)})
    assert (found.state, found.remedy) == (State.MISSING, "./inv setup")


# The backend


def bucket_in(answer: Any) -> Clients:
    """Clients whose S3 in the standby region says where a bucket is."""
    return cast(Clients, FakeClients({("s3", "us-west-2"): {"get_bucket_location": answer}}))


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ({"LocationConstraint": "us-west-2"}, State.OK),
        ({"LocationConstraint": None}, State.ADVICE),
        (refusal("NoSuchBucket"), State.MISSING),
    ],
)
def test_state_in_a_bucket(answer: Any, state: State) -> None:
    """Trap 10: state in us-east-1 can't be written while that region is lost."""
    environment = {"PULUMI_BACKEND_URL": "s3://states/path?region=us-west-2"}
    found = doctor_backend.examine(bucket_in(answer), environment)
    assert found.state is state
    assert "states" in found.detail


def test_other_backends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory is one machine's; an unknown one is left to the operator; none is reported."""
    clients = bucket_in({})

    def of(url: str) -> Finding:
        return doctor_backend.examine(clients, {"PULUMI_BACKEND_URL": url})

    assert of("file:///tmp/state").state is State.ADVICE
    assert of("gs://bucket").state is State.ADVICE
    home = {"PULUMI_HOME": str(tmp_path)}
    assert doctor_backend.examine(clients, home).state is State.MISSING
    (tmp_path / "credentials.json").write_text(json.dumps({"current": "file://~"}))
    assert doctor_backend.examine(clients, home).state is State.ADVICE
    (tmp_path / "credentials.json").write_text("[]")
    token = {**home, "PULUMI_ACCESS_TOKEN": "x"}
    assert doctor_backend.chosen(token) == "https://api.pulumi.com"


@pytest.mark.parametrize(("status", "state"), [(404, State.OK), (503, State.MISSING)])
def test_a_service_that_answers(status: int, state: State) -> None:
    """Whether it is reached is the question, not what its first page says."""
    import http.server
    import threading

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *_: Any) -> None:
            """Says nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        found = doctor_backend.examine(bucket_in({}), {"PULUMI_BACKEND_URL": url})
        thread.join()
    assert found.state is state


def test_a_service_that_doesn_t_answer() -> None:
    """Network and proxy are named; one that answers is right."""
    environment = {"PULUMI_BACKEND_URL": "http://127.0.0.1:9"}
    assert doctor_backend.examine(bucket_in({}), environment).state is State.MISSING
    with pytest.MonkeyPatch.context() as patch:

        class Answer:
            status = 200

            def __enter__(self) -> Answer:
                return self

            def __exit__(self, *_: object) -> None:
                """Closed."""

        patch.setattr(doctor_backend.urllib.request, "urlopen", lambda *_, **__: Answer())
        assert doctor_backend.examine(bucket_in({}), environment).state is State.OK


@pytest.mark.parametrize(
    ("file", "environment", "state"),
    [
        ("secretsprovider: awskms://alias/states", {}, State.OK),
        ("config: {}", {"PULUMI_BACKEND_URL": "https://api.pulumi.com"}, State.OK),
        ("config: {}", {"PULUMI_CONFIG_PASSPHRASE": "long and odd"}, State.OK),
        ("encryptionsalt: v1", {"PULUMI_CONFIG_PASSPHRASE_FILE": "/run/secret"}, State.OK),
        ("encryptionsalt: v1", {"PULUMI_CONFIG_PASSPHRASE": ""}, State.MISSING),
        ("config: {}", {"PULUMI_BACKEND_URL": "s3://states"}, State.MISSING),
    ],
)
def test_secrets_in_the_state_are_encrypted_by_something(
    tmp_path: Path, file: str, environment: dict[str, str], state: State
) -> None:
    """Trap 38: an empty passphrase encrypts nothing, whoever reads the bucket reads the
    password."""
    stack_file = tmp_path / "Pulumi.dev.yaml"
    stack_file.write_text(file)
    assert doctor_backend.encryption(stack_file, {"PULUMI_HOME": "/none", **environment}).state is (
        state
    )


# The account


def account(**changes: Any) -> Clients:
    """An account in which everything is as it should be, but for the changes."""

    def zones(region: str) -> Any:
        names = [f"{region}{letter}" for letter in "abcd"]
        return {
            "AvailabilityZones": [
                {"ZoneName": name, "ZoneId": f"id-{name[-1]}", "State": "available"}
                for name in names
            ]
        }

    def vpcs(Filters: Any = None) -> Any:  # noqa: N803 - AWS's name
        mine = changes.get("deployed", [])
        return {"Vpcs": mine if Filters else changes.get("vpcs", [{}] * 2)}

    def quota(region: str) -> Any:
        def get(ServiceCode: str, QuotaCode: str) -> Any:  # noqa: N803
            table = changes.get("quotas", {})
            value = table.get((region, QuotaCode), table.get(QuotaCode, 1000.0))
            if isinstance(value, Exception):
                raise value
            return {"Quota": {"Value": value}}

        return get

    table: dict[tuple[str, str], dict[str, Any]] = {
        ("sts", ""): {"get_caller_identity": changes.get("identity", {"Account": ACCOUNT})},
        ("rds", ""): {
            "describe_db_clusters": refusal("DBClusterNotFoundFault"),
            "describe_orderable_db_instance_options": {
                "OrderableDBInstanceOptions": changes.get("classes", [OFFERED])
            },
        },
        ("s3", ""): {"head_bucket": changes.get("bucket", refusal("404"))},
        ("backup", "us-east-1"): {
            "describe_region_settings": {
                "ResourceTypeOptInPreference": changes.get("backup", {"Aurora": True})
            }
        },
    }
    for region in FakeClients.regions:
        table["ec2", region] = {
            "describe_availability_zones": changes.get("zones", {}).get(region, zones(region)),
            "describe_vpcs": vpcs,
            "describe_addresses": {"Addresses": []},
        }
        table["service-quotas", region] = {
            "get_service_quota": quota(region),
            "get_aws_default_service_quota": {"Quota": {"Value": changes.get("default", 1000.0)}},
        }
    return cast(Clients, FakeClients(table))


def examined(settings: Any = SETTINGS, **changes: Any) -> dict[str, State]:
    """What is found in such an account."""
    return states(doctor_account.examine(account(**changes), settings))


def test_an_account_that_has_everything() -> None:
    """Zones, quotas, classes and names in both regions; only the account's number is advised."""
    found = examined()
    assert found.pop("account") is State.ADVICE
    assert set(found.values()) == {State.OK}
    assert {"zones of us-east-1", "zones of us-west-2", "VPCs", "classes in us-west-2"} <= set(
        found
    )
    bound = parse("dev", DEV.replace("}", f", TapStack:accountId: '{ACCOUNT}'}}")).settings
    assert examined(bound)["account"] is State.OK


def test_without_credentials_nothing_else_is_asked() -> None:
    """One finding says it all; so it does for another account's credentials."""
    assert examined(identity=refusal("ExpiredToken")) == {"credentials": State.MISSING}
    bound = parse("dev", DEV.replace("}", ", TapStack:accountId: '444455556666'}")).settings
    assert examined(bound) == {"account": State.MISSING}


def test_a_full_quota_is_missing_with_the_command_that_raises_it() -> None:
    """The default of five VPCs is the commonest way for a first deployment to end."""
    clients = account(vpcs=[{}] * 5, quotas={"L-F678F1CE": 5.0})
    found = [x for x in doctor_account.examine(clients, SETTINGS) if x.what == "VPCs"]
    assert [x.state for x in found] == [State.MISSING, State.MISSING]
    assert found[1].detail == "5 in us-west-2, 5 taken, 1 more needed"
    assert found[1].remedy.endswith("--quota-code L-F678F1CE --desired-value 6")
    assert "--region us-west-2 --service-code vpc" in found[1].remedy


def test_three_nat_gateways_need_three_addresses() -> None:
    """What is needed follows from the configuration."""
    assert examined(quotas={"L-0263D0A3": 2.0})["Elastic IPs"] is State.MISSING
    none = parse("dev", DEV.replace("natGateways: 3", "natGateways: 1")).settings
    assert examined(none, quotas={"L-0263D0A3": 2.0})["Elastic IPs"] is State.OK


def test_what_is_deployed_needs_nothing_more() -> None:
    """A doctor's visit to a deployed environment finds no quota exceeded by itself."""
    found = examined(vpcs=[{}] * 5, quotas={"L-F678F1CE": 5.0}, deployed=[{}])
    assert found["VPCs"] is State.OK


@pytest.mark.parametrize("region", ["us-east-1", "us-west-2"])
def test_a_region_with_smaller_quotas_is_advised(region: str) -> None:
    """Issue 23.8, parity: after a failover the roles are swapped, so each region must be able to
    take all of the load; the command raises the smaller one's to the other's."""
    clients = account(quotas={(region, "L-B99A9384"): 200.0})
    (found,) = [
        x for x in doctor_account.examine(clients, SETTINGS) if x.what == "concurrent executions"
    ]
    assert (found.state, f"only 200 in {region}" in found.detail) == (State.ADVICE, True)
    assert f"--region {region} " in found.remedy
    assert found.remedy.endswith("--desired-value 1000")


def test_the_locked_journal_s_name_is_asked_for_as_well() -> None:
    """Issue 23.10: a bucket's name may be taken by any account."""
    locked = parse("dev", DEV.replace("}", ", data:journalLockDays: 30}")).settings
    assert examined(locked)["bucket-journal-us-west-2-dev"] is State.OK
    assert "bucket-journal-us-west-2-dev" not in examined()


def test_a_quota_that_was_never_raised_is_aws_s_default() -> None:
    """GetServiceQuota has no applied value of some quotas; the default may be too small as well."""
    unset = {"L-53DA6B97": refusal("NoSuchResourceException")}
    assert examined(quotas=unset)["load balancers"] is State.OK
    assert examined(quotas=unset, default=0.0)["load balancers"] is State.MISSING


def test_what_aws_refuses_to_answer_is_advised() -> None:
    """Credentials for less than everything still get a report of the rest."""
    found = examined(quotas={"L-53DA6B97": refusal()}, bucket=refusal("500"))
    assert found["load balancers"] is State.ADVICE
    assert found["bucket-content-us-east-1-dev"] is State.ADVICE
    assert found["VPCs"] is State.OK
    blind = account()
    fakes = cast(Any, blind)
    fakes._table["ec2", "us-west-2"]["describe_vpcs"] = refusal()
    assert states(doctor_account.examine(blind, SETTINGS))["VPCs"] is State.ADVICE


def test_zones_and_classes_that_aren_t_there() -> None:
    """Not every account has every zone, nor every zone every class."""
    few = {"AvailabilityZones": [{"ZoneName": "us-west-2d", "State": "available"}]}
    found = examined(zones={"us-west-2": few}, classes=[])
    assert found["zones of us-west-2"] is State.MISSING
    assert found["zones of us-east-1"] is State.OK
    assert found["classes in us-east-1"] is State.MISSING


@pytest.mark.parametrize(
    ("preference", "state"),
    [
        ({"Aurora": False, "RDS": True}, State.ADVICE),
        ({"Aurora": True}, State.OK),
        ({}, State.OK),
    ],
)
def test_aws_backup_must_be_let_at_aurora(preference: dict[str, bool], state: State) -> None:
    """R10: where the account turned it off, a plan that names the cluster backs up nothing, and
    says nothing; an account that never used AWS Backup is opted in by its first vault."""
    assert examined(backup=preference)["AWS Backup"] is state


@pytest.mark.parametrize(("answer", "state"), [(refusal("403"), State.MISSING), ({}, State.OK)])
def test_names_of_buckets_are_the_world_s(answer: Any, state: State) -> None:
    """A name that somebody else has can't be had."""
    assert examined(bucket=answer)["bucket-access-logs-us-west-2-dev"] is state


def test_all_buckets_of_the_programs_are_examined() -> None:
    """The list is held against what the data layer declares."""
    program = run_program("data")
    declared = {x.inputs["bucket"] for x in program.resources if x.type == "aws:s3/bucket:Bucket"}
    regions = FakeClients.regions
    suffix = next(iter(declared)).rpartition("-")[2]
    wanted = {f"bucket-{p}-{r}-{suffix}" for p in doctor_account.BUCKETS for r in regions}
    assert declared == wanted


# The task


def test_the_lab_needs_neither_cli_nor_account(
    space: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """N1: machine, configuration and ports are all of it."""
    monkeypatch.setattr(client, "status", lambda _: RUNNING)
    doctor.show("lab", as_json=False)
    printed = capsys.readouterr().out
    assert "✓ configuration: Pulumi.lab.yaml is valid" in printed
    assert "Pulumi's CLI" not in printed


def test_a_stack_on_aws_is_examined_to_the_end(
    space: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each finding has its remedy below it; the last line and the code say that it won't work."""
    monkeypatch.setattr(doctor_machine, "cli", lambda: iter([missing("CLI", "none", "get one")]))
    monkeypatch.setattr(doctor_backend, "examine", lambda _: ok("state backend", "there"))
    monkeypatch.setattr(doctor_backend, "encryption", lambda _: ok("secrets", "a key"))
    monkeypatch.setattr(doctor_account, "examine", lambda *_: iter([ok("account", ACCOUNT)]))
    monkeypatch.setattr(concurrency, "examine", lambda *_: iter([ok("concurrency", "enough")]))
    with pytest.raises(OperatorError, match="stack dev can't be deployed from here: CLI") as caught:
        doctor.show("dev", as_json=False)
    assert caught.value.code is ExitCode.ENVIRONMENT
    printed = capsys.readouterr().out
    assert "✗ CLI: none\n    get one\n" in printed
    assert "✓ account" in printed
    assert "✓ concurrency: enough" in printed
    with pytest.raises(OperatorError):
        doctor.show("dev", as_json=True)
    (cli,) = [x for x in json.loads(capsys.readouterr().out) if x["what"] == "CLI"]
    assert cli == {"what": "CLI", "state": "missing", "detail": "none", "remedy": "get one"}


def test_a_broken_configuration_ends_the_examination(space: Workspace) -> None:
    """Without it there is nothing to hold the account against."""
    space.stack_file("dev").write_text("config: {TapStack:environmentSuffix: dev}")
    *_, last = doctor.examine(space, "dev")
    assert (last.what, last.state) == ("configuration", State.MISSING)
