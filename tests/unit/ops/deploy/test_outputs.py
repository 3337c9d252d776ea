"""The flat outputs."""

from __future__ import annotations

import json
from pathlib import Path

from fake_engine import exported

from ops.deploy import outputs
from tapstack.contracts import LAYERS, field_paths


def test_every_contract_field_and_every_named_output_is_there() -> None:
    """R8: flat, as ``layer.field[.subfield]``, plus the client's names."""
    flat = outputs.flat("lab", {layer: exported(layer) for layer in LAYERS})
    for layer, contract in LAYERS.items():
        for path in field_paths(contract.outputs):
            assert flat[".".join((layer, *path))] in (".".join(path), [".".join(path)], 5432)
    assert flat["Stack"] == "lab"
    assert flat["PrimaryEndpoint"] == "http://fqdn"
    assert flat["FailoverEndpoint"] == "http://secondary.load_balancer_dns_name"
    assert flat["VpcPeeringConnectionId"] == "peering_connection_id"
    assert flat["NameServers"] == ["name_servers"]
    assert set(outputs.NAMED) <= set(flat)
    assert not any("contract_version" in key for key in flat)


def test_layers_that_are_not_deployed_leave_nothing_behind() -> None:
    """R8: an output that doesn't exist is absent, never invented (trap 34)."""
    flat = outputs.flat("lab", {"network": {"peering_connection_id": "pcx-1"}, "app": None})
    assert flat == {
        "Stack": "lab",
        "network.peering_connection_id": "pcx-1",
        "VpcPeeringConnectionId": "pcx-1",
    }


def test_the_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    """R8: integration tests may read it at any moment; nothing else stays in its folder."""
    path = tmp_path / "cfn-outputs" / "flat-outputs.json"
    outputs.write(path, {"Stack": "lab", "b": ["x"]})
    outputs.write(path, {"Stack": "lab"})
    assert json.loads(path.read_text()) == {"Stack": "lab"}
    assert [entry.name for entry in path.parent.iterdir()] == ["flat-outputs.json"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_one_command_a_region_asks_for_its_health() -> None:
    """R9.6: on AWS by the load balancer's name, in the lab by its Host header."""
    flat = {
        "app.primary.load_balancer_dns_name": "one.example",
        "app.secondary.load_balancer_dns_name": "two.example",
    }
    assert outputs.health_commands(flat, None) == {
        "us-east-1": "curl http://one.example/health",
        "us-west-2": "curl http://two.example/health",
    }
    assert outputs.health_commands(flat, "http://127.0.0.1:1")["us-west-2"] == (
        "curl -H 'Host: two.example' http://127.0.0.1:1/health"
    )
    assert outputs.health_commands({}, None) == {}
