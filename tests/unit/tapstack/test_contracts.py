"""Contracts between the layers."""

import copy
import dataclasses
from typing import Any

import pulumi
import pytest
from harness import program, run_program, sample_outputs

from tapstack.contracts import (
    LAYERS,
    AppOutputs,
    DataOutputs,
    NetworkOutputs,
    RegionalApp,
    RegionalNetwork,
    check,
    field_paths,
    undeployed,
)
from tapstack.errors import ContractError
from tapstack.pair import Pair


def network_outputs() -> dict[str, Any]:
    """Outputs of a deployed network layer."""
    return copy.deepcopy(sample_outputs(NetworkOutputs))


def test_the_order_of_the_layers() -> None:
    """R9: network, data, app, global; each reads only what comes before it."""
    order = list(LAYERS)
    assert order == ["network", "data", "app", "global"]
    for layer in LAYERS.values():
        assert all(order.index(upstream) < order.index(layer.name) for upstream in layer.reads)


def test_a_contract_holds_both_regions_as_a_pair() -> None:
    """N4: the primary's part is the primary's, wherever both are looked at together."""
    app = AppOutputs(primary=_app("east"), secondary=_app("west"))
    assert app.both == Pair(app.primary, app.secondary)


def _app(name: str) -> RegionalApp:
    return RegionalApp(*([name] * len(dataclasses.fields(RegionalApp))))


def test_a_missing_field_names_producer_field_and_repair() -> None:
    """N4: a consumer can't read what a producer doesn't export."""
    outputs = network_outputs()
    del outputs["primary"]["vpc_id"]
    with pytest.raises(
        ContractError,
        match=r"network doesn't export primary\.vpc_id, which data reads; run: \./inv up --layer "
        "network --stack",
    ):
        check(NetworkOutputs, "data", outputs)


def test_a_missing_region_is_a_missing_field() -> None:
    """N4: half of a contract is no contract."""
    outputs = network_outputs()
    del outputs["secondary"]
    with pytest.raises(ContractError, match=r"doesn't export secondary\.vpc_id"):
        check(NetworkOutputs, "data", outputs)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("subnet-1", r"exports primary\.private_subnet_ids as str, data reads a list"),
        (True, r"exports primary\.private_subnet_ids as bool"),
    ],
)
def test_a_wrongly_typed_field_is_refused(value: Any, message: str) -> None:
    """N4: lists stay lists."""
    outputs = network_outputs()
    outputs["primary"]["private_subnet_ids"] = value
    with pytest.raises(ContractError, match=message):
        check(NetworkOutputs, "data", outputs)


def test_whole_numbers_come_back_whole() -> None:
    """Pulumi hands every number over as a double."""
    outputs = copy.deepcopy(sample_outputs(DataOutputs))
    outputs["database_port"] = 5432.0
    check(DataOutputs, "app", outputs)
    outputs["database_port"] = 5432.5
    with pytest.raises(ContractError, match="database_port as float, app reads a number"):
        check(DataOutputs, "app", outputs)


def test_another_version_of_the_contract_is_refused() -> None:
    """R9: an upstream deployed by another version of the code says so before anything changes."""
    outputs = network_outputs()
    outputs["contract_version"] = 99
    with pytest.raises(ContractError, match="exports contract version 99, data reads version 1"):
        check(NetworkOutputs, "data", outputs)


def test_outputs_without_a_version_are_refused() -> None:
    """N4: what says nothing of its version may be anything."""
    outputs = network_outputs()
    del outputs["contract_version"]
    with pytest.raises(ContractError, match="exports no contract version, data reads version 1"):
        check(NetworkOutputs, "data", outputs)


@pytest.mark.no_cover
def test_a_program_fails_with_the_contracts_line() -> None:
    """N4: the check runs inside the consumer's own program, so a bare ``pulumi up`` has it too."""
    outputs = network_outputs()
    del outputs["secondary"]["database_subnet_ids"]
    with pytest.raises(ContractError, match=r"network doesn't export secondary\.database_subnet"):
        run_program("data", upstream={"network": outputs})


def test_undeployed_upstreams_are_honoured_in_a_dry_run_only() -> None:
    """N5, trap 34: what a preview doesn't know never reaches a real operation."""
    deployment = run_program("data", undeployed=("network",), preview=False)
    assert deployment.stack_references == ["network"]
    subnets = deployment.one("aws:rds/subnetGroup:SubnetGroup", region="us-east-1")
    assert all(name.startswith("database_subnet") for name in subnets.inputs["subnetIds"])


@pytest.mark.no_cover
def test_an_unknown_upstream_stays_unknown_in_preview() -> None:
    """N5: the fields of an undeployed upstream reach resources as unknown, not as invented ids."""
    from harness import UNKNOWN_VALUE

    deployment = run_program("data", undeployed=("network",), preview=True)
    subnets = deployment.one("aws:rds/subnetGroup:SubnetGroup", region="us-east-1")
    assert subnets.inputs["subnetIds"] == UNKNOWN_VALUE


def test_nothing_is_undeployed_without_the_drivers_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """N5: the variable is a list; empty and absent mean none."""
    monkeypatch.delenv("WARM_STANDBY_UNDEPLOYED", raising=False)
    assert undeployed() == frozenset()
    monkeypatch.setenv("WARM_STANDBY_UNDEPLOYED", "network,data")
    assert undeployed() == {"network", "data"}


def test_a_secret_in_a_contract_fails_the_program(tmp_path: Any) -> None:
    """Trap 33: exporting a secret is refused with the field's name."""
    import harness

    program_dir = tmp_path / "network"
    program_dir.mkdir()
    (program_dir / "__main__.py").write_text(
        "import pulumi\n"
        "from test_contracts import leaking_outputs\n"
        "from tapstack.contracts import export\n"
        "export(leaking_outputs())\n"
    )
    root, harness.ROOT = harness.ROOT, tmp_path
    try:
        with pytest.raises(
            ContractError, match=r"network would export primary\.vpc_id, which is secret"
        ):
            run_program("network")
    finally:
        harness.ROOT = root


def leaking_outputs() -> NetworkOutputs:
    """A contract with a secret in it."""

    def regional(vpc_id: pulumi.Input[str]) -> RegionalNetwork:
        paths = [path[1] for path in field_paths(NetworkOutputs) if path[0] == "primary"]
        values: dict[str, Any] = dict.fromkeys(paths, "value")
        return RegionalNetwork(**{**values, "vpc_id": vpc_id})

    return NetworkOutputs(
        primary=regional(pulumi.Output.secret("vpc-1")),
        secondary=regional("vpc-2"),
        peering_connection_id="pcx-1",
    )


def test_no_contract_has_a_field_for_a_secret() -> None:
    """Trap 33: passwords never cross; fields about secrets are ARNs."""
    for layer in LAYERS.values():
        for path in field_paths(layer.outputs):
            assert "password" not in path[-1]
            if "secret" in path[-1]:
                assert path[-1].endswith("_arn")


def test_the_programs_export_the_contracts_version() -> None:
    """R9: the version stands beside the fields."""
    assert program("network").exports["contract_version"] == NetworkOutputs.VERSION
