"""``./inv cost``: prices of what the programs declare."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from invoke.context import Context
from invoke.exceptions import Exit
from pulumi.runtime.proto import source_pb2

from ops import exits, node, workspace
from ops.cost import estimate, report
from ops.cost.charges import FREE, PRICED, charges
from ops.cost.declared import Declared, declared
from ops.cost.prices import price_book
from ops.errors import OperatorError
from ops.front import looking
from ops.stack_file import StackFile, load, parse
from tapstack.contracts import LAYERS, UNDEPLOYED_VARIABLE
from tapstack.endpoint_services import INTERFACE_SERVICES

ROOT = Path(__file__).parents[4]
BOOK = price_book()
DEV = parse("dev", "config: {'TapStack:environmentSuffix': x1, 'aws:region': us-east-1}")
NAT_MONTH = 0.045 * 730


@pytest.fixture(scope="module", autouse=True)
def no_places() -> Iterator[None]:
    """Where in the source a resource was declared: a fifth of a program's time, and nobody asks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pulumi.runtime.resource._get_stack_trace", source_pb2.StackTrace)
        yield


@pytest.fixture(scope="module")
def dev_resources() -> list[Declared]:
    """What the four programs declare for the shipped development configuration."""
    return declared(ROOT, "dev", DEV.config)


@pytest.fixture
def changed_layers_only(monkeypatch: pytest.MonkeyPatch, dev_resources: list[Declared]) -> None:
    """Runs, of a changed configuration, only the layers whose own keys changed.

    The others' resources are those of the shipped configuration, which saves most of the time.
    """

    def quick(_: Path, stack: str, config: dict[str, str]) -> list[Declared]:
        differing = {key for key, value in config.items() if DEV.config.get(key) != value}
        layers = {key.partition(":")[0] for key in differing} & set(LAYERS)
        again = {layer: declared(ROOT, stack, config, [layer]) for layer in layers}
        kept = {layer: [r for r in dev_resources if r.layer == layer] for layer in LAYERS}
        return [entry for layer in LAYERS for entry in {**kept, **again}[layer]]

    monkeypatch.setattr(estimate, "declared", quick)


def resource(type_: str, name: str = "thing", **inputs: Any) -> Declared:
    """One declared resource."""
    return Declared("network", type_, name, "us-east-1", inputs)


def monthly(*resources: Declared, capacity: float = 8.0) -> float:
    """Their price of a month."""
    return sum(charge.monthly for charge in charges(resources, BOOK, capacity))


def test_every_declared_type_has_a_price_or_is_free(dev_resources: list[Declared]) -> None:
    """R9.6: nothing new is priced at zero by oversight, and no type is both."""
    assert not set(PRICED) & FREE
    assert {entry.type for entry in dev_resources} <= set(PRICED) | FREE


def test_an_unpriced_type_is_an_error() -> None:
    """R9.6: the message says where it is added."""
    with pytest.raises(OperatorError, match=r"aws:new/thing:Thing has no price: add it to ops/"):
        charges([resource("aws:new/thing:Thing")], BOOK, 8)


def test_the_graph_is_the_programs_own(dev_resources: list[Declared]) -> None:
    """R9.6: both regions of all four layers, with what is configured known."""
    assert {entry.layer for entry in dev_resources} == {"network", "data", "app", "global"}
    assert {entry.region for entry in dev_resources} == {"us-east-1", "us-west-2"}
    counts = Counter(entry.type for entry in dev_resources)
    assert counts["aws:ec2/natGateway:NatGateway"] == 2
    assert counts["aws:rds/clusterInstance:ClusterInstance"] == 2
    assert counts["aws:lb/loadBalancer:LoadBalancer"] == 2


def test_the_environment_is_left_as_it_was(
    monkeypatch: pytest.MonkeyPatch, dev_resources: list[Declared]
) -> None:
    """N5: the variable that makes upstreams unknown is set for the dry run only."""
    monkeypatch.setenv(UNDEPLOYED_VARIABLE, "before")
    before = Path.cwd()
    with pytest.raises(Exception, match="environmentSuffix"):
        declared(ROOT, "dev", {"aws:region": "us-east-1"})
    assert Path.cwd() == before
    import os

    assert os.environ[UNDEPLOYED_VARIABLE] == "before"


@pytest.mark.no_cover
@pytest.mark.usefixtures("changed_layers_only")
def test_configuration_moves_the_price() -> None:
    """R7.3, R1.3: three gateways cost three times one; another class costs its price."""
    one = estimate.estimate(DEV)
    three, serverless = estimate.estimates(
        DEV, "natGateways=3,data:instanceClass=db.serverless+instancesPerRegion=2"
    )[1:3]
    assert three.by_group()["NAT"] == pytest.approx(3 * one.by_group()["NAT"])
    assert one.by_group()["Aurora instances"] == pytest.approx(2 * 0.26 * 730)
    assert serverless.by_group()["Aurora instances"] == pytest.approx(4 * 8 * 0.12 * 730)
    assert serverless.title == "instanceClass=db.serverless + instancesPerRegion=2"


def test_changes_that_do_not_collide_are_also_shown_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """R9.6: side by side, each alone and then all; two values of one key have no together."""
    monkeypatch.setattr(estimate, "declared", lambda *_: [])
    titles = [one.title for one in estimate.estimates(DEV, "natGateways=3,memoryMb=256")]
    assert titles == [
        "as configured", "natGateways=3", "memoryMb=256", "natGateways=3 + memoryMb=256",
    ]  # fmt: skip
    titles = [one.title for one in estimate.estimates(DEV, "natGateways=3,natGateways=1")]
    assert titles == ["as configured", "natGateways=3", "natGateways=1"]


@pytest.mark.parametrize(
    ("compare", "message"),
    [
        ("natGateways", "is no change: write key=value"),
        ("natGateways=", "is no change: write key=value"),
        ("gateways=1", "gateways is not a setting of network, data, app or global"),
        ("deletionProtection=true", "may be app:deletionProtection or data:deletionProtection"),
        ("natGateways=2", r"--compare natGateways=2: network:natGateways must be 0 or 1 or 3"),
        ("natGateways=0", "functions could reach no AWS API"),
        ("instanceClass=db.t4g.medium", "can't be burstable"),
        ("instanceClass=db.r8g.large", r"db\.r8g\.large has no price: add its family"),
    ],
)
def test_a_bad_comparison_gets_one_line(
    compare: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R9.6: what is wrong with which change."""

    def one_instance(_: Path, __: str, config: dict[str, str]) -> list[Declared]:
        instance_class = config.get("data:instanceClass", "db.r6g.large")
        return [resource("aws:rds/clusterInstance:ClusterInstance", instanceClass=instance_class)]

    monkeypatch.setattr(estimate, "declared", one_instance)
    with pytest.raises(OperatorError, match=message) as raised:
        estimate.estimates(DEV, compare)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("instance_class", "hour"),
    [("db.r6g.large", 0.26), ("db.r6g.xlarge", 0.52), ("db.r5.4xlarge", 0.29 * 8)],
)
def test_sizes_are_multiples_of_large(instance_class: str, hour: float) -> None:
    """R1.3: a price an hour for any size of a known family."""
    assert BOOK.aurora_hour(instance_class) == pytest.approx(hour)


@pytest.mark.parametrize("instance_class", ["db.r6g.medium", "nothing", "db.r6g.2large-"])
def test_a_class_without_price_is_refused(instance_class: str) -> None:
    """R9.6: no price is invented."""
    with pytest.raises(OperatorError, match="has no price"):
        BOOK.aurora_hour(instance_class)


def test_endpoints_are_priced_a_zone() -> None:
    """R7.3: an interface endpoint is billed in each zone and by what passes it, S3's gateway
    never."""
    type_ = "aws:ec2/vpcEndpoint:VpcEndpoint"
    interface = resource(
        type_,
        vpcEndpointType="Interface",
        serviceName="com.amazonaws.us-east-1.ssm",
        subnetIds=["a", "b"],
    )
    assert monthly(interface) == pytest.approx(2 * 0.01 * 730 + 3 * 0.01)
    assert monthly(resource(type_, vpcEndpointType="Gateway")) == 0


def test_many_endpoints_cost_more_than_nat() -> None:
    """R7.3: eight endpoints over three zones cost more than the gateways that they replace."""
    prices = dict(estimate.ways_out(BOOK))
    assert prices["8 endpoints, 3 zones"] > prices["3 NAT gateways a region"]
    ours = prices[f"the {len(INTERFACE_SERVICES)} endpoints that functions call, in 1 of 3 zones"]
    assert ours < prices["1 NAT gateway a region"]


def test_health_check_options_cost_extra() -> None:
    """R3.1: the fast interval, latency, string matching and HTTPS are billed each."""
    type_ = "aws:route53/healthCheck:HealthCheck"
    plain = monthly(resource(type_, type="HTTP", requestInterval=30.0))
    assert plain == pytest.approx(0.5)
    full = resource(
        type_, type="HTTPS_STR_MATCH", requestInterval=10.0, measureLatency=True, searchString="ok"
    )
    assert monthly(full) == pytest.approx(0.5 + 4)


def test_alarms_are_billed_by_metric() -> None:
    """R6.2: an alarm over an expression of two metrics costs twice."""
    type_ = "aws:cloudwatch/metricAlarm:MetricAlarm"
    two = resource(type_, metricQueries=[{"metric": {}}, {"metric": {}}, {"expression": "a/b"}])
    assert monthly(two) == pytest.approx(2 * monthly(resource(type_)))


def test_monitoring_and_replication_follow_their_settings() -> None:
    """R1.2, R4.1: no enhanced monitoring, no logs of it; one direction carries the changes."""
    type_ = "aws:rds/clusterInstance:ClusterInstance"
    silent = resource(type_, instanceClass="db.r6g.large")
    watched = resource(type_, instanceClass="db.r6g.large", monitoringInterval=30.0)
    assert monthly(watched) - monthly(silent) == pytest.approx(0.5 * 2 * 0.5)
    kind = "aws:s3/bucketReplicationConfig:BucketReplicationConfig"
    content = {"rules": [{"destination": {"replicationTime": {"status": "Enabled"}}}]}
    out, back = (
        Declared("data", kind, "r", region, content) for region in ("us-east-1", "us-west-2")
    )
    journal = Declared("data", kind, "r", "us-east-1", {"rules": [{"destination": {}}]})
    assert monthly(journal) == 0
    storage = BOOK.assumption["content_gb"] * BOOK.price["s3.gb"]
    assert monthly(back) == pytest.approx(storage)
    assert monthly(out) > storage


def test_logs_and_helpers_are_not_content() -> None:
    """R9.6: access-log buckets and functions that run once a minute are below a dollar."""
    assert monthly(resource("aws:s3/bucket:Bucket", "bucket-access-logs-us-east-1")) == 0
    assert monthly(resource("aws:lambda/function:Function", handler="index.migrate")) == 0


def test_content_and_requests_are_known_by_what_is_declared(dev_resources: list[Declared]) -> None:
    """R9.6: in each region the replicated bucket is charged for storage, and the function behind
    the load balancer for requests, whatever either is called."""
    renamed = [replace(entry, name="any") for entry in dev_resources]
    found = charges(renamed, BOOK, 8)
    for group, what in (("S3", "storage"), ("Lambda", "requests"), ("Lambda", "duration")):
        regions = [entry.region for entry in found if (entry.group, entry.what) == (group, what)]
        assert sorted(regions) == ["us-east-1", "us-west-2"]


def test_the_clients_figures_stand_beside_ours_with_reasons() -> None:
    """R1.3, R7.3: ~525, ~70 and ~192, each with our list price and why they differ."""
    entries = {entry.client: entry for entry in estimate.references(BOOK)}
    assert set(entries) == {525, 70, 192}
    assert entries[192].ours == pytest.approx(6 * (NAT_MONTH + 0.005 * 730))
    assert "AWS refuses burstable" in entries[70].reason
    assert all(len(entry.reason) > 40 for entry in entries.values())


def test_every_price_and_assumption_is_used() -> None:
    """R9.6: what the price file holds is what the estimate rests on; it has a date."""
    source = (ROOT / "ops/cost/charges.py").read_text() + (
        ROOT / "ops/cost/estimate.py"
    ).read_text()
    unused = [key for key in BOOK.price if f'"{key}"' not in source and "gb-second" not in key]
    assert unused == []
    assert [key for key in BOOK.assumption if f'"{key}"' not in source] == []
    assert re.fullmatch(r"20\d\d-[01]\d", BOOK.as_of)


def test_functions_call_only_listed_services() -> None:
    """R7.3, trap 20: each AWS client of the functions in the VPC has an endpoint in the list."""
    package = json.loads((ROOT / "lambda_src" / "api" / "package.json").read_text())
    names = {"client-eventbridge": "events", "client-secrets-manager": "secretsmanager"}
    called = set()
    for dependency in package["dependencies"]:
        if dependency.startswith("@aws-sdk/client-"):
            name = dependency.removeprefix("@aws-sdk/")
            called.add(names.get(name, name.removeprefix("client-")))
    assert called - {"s3"} == set(INTERFACE_SERVICES)


def test_the_report_in_both_forms(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """R9.6: a table for people, JSON for pipelines, of the stack asked for."""
    monkeypatch.setattr(estimate, "declared", lambda *_: [resource("aws:kms/key:Key")])
    monkeypatch.setattr(node, "ensure", lambda: None)
    report.show("dev", "memoryMb=256", json=True, markdown=False)
    printed = json.loads(capsys.readouterr().out)
    assert [one["title"] for one in printed["estimates"]] == ["as configured", "memoryMb=256"]
    assert printed["estimates"][0]["monthly"] == 1.0
    assert printed["estimates"][0]["charges"][0]["unit"] == "key"
    assert printed["as_of"] == BOOK.as_of
    report.show("dev", json=False, markdown=False)
    text = capsys.readouterr().out
    assert "Keys and secrets" in text
    assert "What is declared" in text
    assert "~525" in text


@pytest.mark.usefixtures("changed_layers_only")
def test_the_document_is_what_the_command_writes() -> None:
    """R9.6: the README's cost section is generated; when programs or prices changed, run
    ``./inv cost --stack dev --markdown > docs/cost.md``."""
    stack_file: StackFile = load(workspace.find({}), "dev")
    assert report.document(stack_file) == (ROOT / "docs" / "cost.md").read_text(), (
        "run: ./inv cost --stack dev --markdown > docs/cost.md"
    )


def test_equal_months_do_not_differ() -> None:
    """R9.6: programs declare in no certain order, so sums differ in their last digits; the report
    shows no negative zero for it."""
    first = estimate.Estimate("one", tuple(charges([resource("aws:kms/key:Key")], BOOK, 8)))
    less = estimate.Estimate("other", (replace(first.charges[0], monthly=1 - 1e-12),))
    assert f"{less.difference(first):+.2f}" == "+0.00"
    (difference,) = [row for row in report._rows([first, less]) if row[0] == "difference"]
    assert difference[2] == "+0.00"


def test_the_readmes_savings_are_the_documents() -> None:
    """R9.6: README's options that lower the cost, with docs/cost.md's figures (and those are the
    command's, see below)."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (ROOT / "docs" / "cost.md").read_text().splitlines()
        if line.startswith("|")
    ]
    differences = next(row for row in rows if row[0] == "difference")
    by_change = dict(zip(rows[0], differences, strict=True))
    readme = " ".join((ROOT / "README.md").read_text().split())
    said = re.findall(r"`([^`]+=[^`]+)` saves \$(\d+)", readme)
    assert len(said) == 2
    for change, dollars in said:
        assert -float(by_change[change.replace("+", " + ")]) == pytest.approx(int(dollars), abs=0.5)


def test_the_readmes_figure_is_the_commands(dev_resources: list[Declared]) -> None:
    """R9.6: what README says a month costs is what the command answers for the shipped file."""
    stack_file = load(workspace.find({}), "dev")
    total = sum(
        charge.monthly
        for charge in charges(dev_resources, BOOK, stack_file.settings.data.min_capacity)
    )
    (said,) = re.findall(r"About \$(\d+) for both regions", (ROOT / "README.md").read_text())
    assert int(said) == round(total)


def test_the_document_is_printed(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """R9.6: ``--markdown`` prints the document and nothing else."""
    monkeypatch.setattr(report, "document", lambda _: "# What\n")
    monkeypatch.setattr(node, "ensure", lambda: None)
    report.show("dev", json=False, markdown=True)
    assert capsys.readouterr().out == "# What\n"


def test_an_unknown_stack_is_one_line() -> None:
    """R9: exit code 2, nothing touched."""
    run = exits.reported(report.show)
    with pytest.raises(Exit, match="unknown stack nowhere") as raised:
        run("nowhere", json=False, markdown=False)
    assert raised.value.code == 2


def test_the_task_passes_its_flags_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """R9.6: ``./inv cost`` is this report, of dev unless another stack is named."""
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(report, "show", lambda *args, **flags: asked.append((*args, flags)))
    looking.cost(Context())
    looking.cost(Context(), "prod", "natGateways=1", json=True, markdown=True)
    assert asked == [
        ("dev", None, {"json": False, "markdown": False}),
        ("prod", "natGateways=1", {"json": True, "markdown": True}),
    ]
