"""How the four programs are written: one dialect of components, one kind of ``__main__.py``, and
agreed names typed once."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import ROOT

from tapstack import events, well_known
from tapstack.contracts import LAYERS

API = ROOT / "lambda_src" / "api" / "src"


def modules(layer: str) -> list[Path]:
    """A program's own files."""
    return sorted((ROOT / layer).glob("*.py"))


def components() -> list[tuple[Path, ast.ClassDef]]:
    """Every component of the four programs."""
    return [
        (file, node)
        for layer in LAYERS
        for file in modules(layer)
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.ClassDef)
        and any(ast.unparse(base) == "pulumi.ComponentResource" for base in node.bases)
    ]


@pytest.mark.parametrize(
    ("file", "component"), [pytest.param(*found, id=found[1].name) for found in components()]
)
def test_a_component_takes_name_args_and_options(file: Path, component: ast.ClassDef) -> None:
    """One dialect: ``(name, args, opts)`` with one frozen dataclass of arguments beside it, and the
    type token says project and class."""
    constructor = next(
        node
        for node in component.body
        if isinstance(node, ast.FunctionDef) and node.name == "__init__"
    )
    assert ast.unparse(constructor.args) == (
        f"self, name: str, args: {component.name}Args, opts: pulumi.ResourceOptions | None=None"
    )
    token = f"warmstandby:{file.parent.name}:{component.name}"
    assert f"super().__init__('{token}', name, None, opts)" in ast.unparse(component)
    arguments = next(
        node
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.ClassDef) and node.name == f"{component.name}Args"
    )
    assert [ast.unparse(entry) for entry in arguments.decorator_list] == ["dataclass(frozen=True)"]


def test_there_are_components_in_every_program() -> None:
    """What the test above looks at isn't empty by accident."""
    assert {file.parent.name for file, _ in components()} == set(LAYERS)
    assert len(components()) > 35


@pytest.mark.parametrize("layer", LAYERS)
def test_a_program_is_a_script_that_ends_with_its_export(layer: str) -> None:
    """One kind of ``__main__.py``: settings and regions first, the contract's export last."""
    body = ast.parse((ROOT / layer / "__main__.py").read_text()).body
    statements = [
        ast.unparse(node)
        for node in body
        if not isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef)
    ]
    assert "settings = Settings.of_program()" in statements
    assert "regions = both_regions(settings)" in statements
    assert statements[-1].startswith("export(")
    assert "main()" not in statements


def agreed() -> dict[str, str]:
    """The agreed names that are distinctive texts: constant → value."""
    return {
        name: value
        for name, value in vars(well_known).items()
        if name.isupper() and isinstance(value, str) and re.search(r"[-/A-Z]", value)
    }


def texts(file: Path) -> Iterator[tuple[int, str]]:
    """Every text of a file that isn't a docstring, with its line."""
    tree = ast.parse(file.read_text())
    docstrings = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or id(node) in docstrings:
            continue
        if isinstance(node.value, str):
            yield node.lineno, node.value


@pytest.mark.parametrize("layer", LAYERS)
def test_agreed_names_are_typed_once(layer: str) -> None:
    """What two layers must call alike comes from tapstack; a retyped name breaks only when
    deployed. Logical names in ``data`` and a region's own purposes may contain such a word."""
    names = agreed()
    assert {"FAILED_EVENTS", "FAILOVER_SWITCH", "HEALTH_PATH", "METRIC_NAMESPACE"} <= set(names)
    retyped = [
        f"{file.name}:{line} {text}"
        for file in modules(layer)
        for line, text in texts(file)
        if text in names.values()
    ]
    assert retyped == []


def test_the_replication_rule_and_the_database_port_are_typed_once() -> None:
    """The same for what isn't a distinctive text: ``to-{region}`` and 5432."""
    for layer in LAYERS:
        for file in modules(layer):
            source = file.read_text()
            assert "5432" not in source, file.name
            assert '"to-' not in source, file.name


def node_source(name: str) -> str:
    """One module of the Node.js application."""
    return (API / name).read_text()


def test_the_application_agrees_on_paths_and_events() -> None:
    """The Node.js application imports nothing of ours, so its names are compared here."""
    routes = set(re.findall(r'route\("([^"]+)"', node_source("application.mjs")))
    probes = {well_known.HEALTH_PATH, well_known.FAILOVER_SWITCH_PATH}
    assert probes | {well_known.READY_PATH} <= routes
    assert f'headers["{well_known.TOKEN_HEADER}"]' in node_source("readiness.mjs")
    listed = re.search(r"PROBES = new Set\(\[(.*?)\]\)", node_source("http.mjs"))
    assert listed
    assert set(re.findall(r'"([^"]+)"', listed[1])) == probes
    schedule = f'source: "{events.SCHEDULE_SOURCE}", detailType: "{events.DRAIN_DETAIL_TYPE}"'
    assert schedule in node_source("application.mjs")
    assert f'text("EVENT_SOURCE", "{events.SOURCE}")' in node_source("environment.mjs")
    published = re.findall(
        r'^export const RECORD_\w+ = "([^"]+)"',
        node_source("records.mjs") + node_source("receipts.mjs"),
        re.M,
    )
    assert set(published) == set(events.DETAIL_TYPES)
    assert f"`{well_known.ATTACHMENTS_PREFIX}${{" in node_source("records.mjs")
    exports = node_source("emergency.mjs")
    assert f'PREFIX = "{well_known.EMERGENCY_PREFIX}"' in exports
    assert f'METRIC = "{well_known.EMERGENCY_EXPORT}"' in exports
    assert well_known.emergency_prefix("us-west-2") == "emergency/us-west-2/"
    assert "`${PREFIX}${region}/${" in exports
    assert f'"{well_known.SWITCH_RELEASED}"' in node_source("failover_switch.mjs")


def test_the_application_reads_the_variables_that_it_is_given() -> None:
    """A variable that one side renames would be empty on the other, silently."""
    source = node_source("environment.mjs")
    read = set(re.findall(r'text\("([A-Z_]+)"', source))
    read |= set(re.findall(r"variables\.([A-Z_]+)", source))
    given = {
        key.value
        for node in ast.walk(ast.parse((ROOT / "app" / "function_environment.py").read_text()))
        if isinstance(node, ast.Dict)
        for key in node.keys
        if isinstance(key, ast.Constant)
    }
    # AWS Lambda's own, and Node.js's own, which the lab sets for every function.
    own = {"AWS_REGION", "AWS_LAMBDA_FUNCTION_VERSION", "NODE_EXTRA_CA_CERTS"}
    assert read - own == given
