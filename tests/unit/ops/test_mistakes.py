"""Mistakes on the command line: one line each, with the nearest name that exists."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.errors import nearest
from ops.mistakes import Accepted, Flag, first_mistake, task_to_explain

STACK = Flag("--stack", takes_value=True)
LAYER = Flag("--layer", takes_value=True, help="network or data")
PARALLEL = Flag("--parallel", takes_value=True, number=True)
TARGET = Flag("--target", takes_value=True, repeatable=True)
JSON = Flag("--json", takes_value=False)
REFRESH = Flag("--refresh", takes_value=False)
CORE = Accepted("", {"--list": Flag("--list", takes_value=True, optional=True), "-h": JSON})
UP = Accepted(
    "up",
    {
        "--stack": STACK, "-s": STACK, "--layer": LAYER, "-l": LAYER, "--parallel": PARALLEL,
        "-p": PARALLEL, "--target": TARGET, "--json": JSON, "-j": JSON, "-r": REFRESH,
    },
    (LAYER,),
)  # fmt: skip
TASKS = {
    "up": UP,
    "status": Accepted("status", {"--json": JSON}),
    "lab.clock": Accepted("lab.clock", {}, (Flag("--factor", True),)),
}


@pytest.mark.parametrize(
    "line",
    [
        "", "up network", "up --layer network", "up --layer=network --stack=dev",
        "up -l network -sdev",
        "up network -jr", "up -jrp4 network", "up network --parallel -1",
        "up network --target a --target=b",
        "status --json up network", "lab.clock 5", "lab.clock -5", "up network -- --anything",
        "--list",
        "--list lab", "up status -h", "--list status up network",
    ],
)  # fmt: skip
def test_what_the_tasks_accept_is_no_mistake(line: str) -> None:
    """Every way to write a flag, a value and a value by its position."""
    assert first_mistake(line.split(), CORE, TASKS) is None


@pytest.mark.parametrize(
    ("line", "mistake"),
    [
        ("stauts", "unknown task 'stauts'; did you mean status?"),
        ("zzz", "unknown task 'zzz': ./inv --list shows the tasks"),
        ("status network", "unknown task 'network' (after status): ./inv --list shows the tasks"),
        ("up --layr network", "up has no flag --layr; did you mean --layer?"),
        ("up network --zzz", "up has no flag --zzz: ./inv --help up lists its flags"),
        ("up network -zj", "up has no flag -z: ./inv --help up lists its flags"),
        ("--zzz", "./inv has no flag --zzz: ./inv --help lists them"),
        ("--json status", "./inv has no flag --json: ./inv --help lists them"),
        ("up", "up needs --layer: network or data"),
        ("up --json status --layer x", "--layer is given twice"),
        ("lab.clock", "lab.clock needs --factor"),
        (
            "lab.clock --json 5",
            "lab.clock has no flag --json: ./inv --help lab.clock lists its flags",
        ),
        ("up network --stack", "--stack needs a value"),
        ("up --layer --stack=dev", "--layer needs a value: network or data"),
        ("up --layer -s", "--layer needs a value: network or data"),
        ("up network --parallel x", "--parallel x isn't a whole number"),
        ("up network --parallel=", "--parallel (nothing) isn't a whole number"),
        ("up network --parallel 1.5", "--parallel 1.5 isn't a whole number"),
        ("up network --parallel 99999999999", "--parallel 99999999999 isn't a whole number"),
        ("up network -px", "-p x isn't a whole number"),
        ("up network --json=yes", "--json takes no value, and was given 'yes'"),
        ("up network --stack a --stack b", "--stack is given twice"),
        ("up --layer network --layer=data", "--layer is given twice"),
        ("up network --layer data", "--layer is given twice"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_with_the_nearest_name(line: str, mistake: str) -> None:
    """Unknown task or flag, missing or wrong value: what is wrong, and what to write instead."""
    assert first_mistake(line.split(), CORE, TASKS) == mistake


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("depoy", "deploy-all"), ("deploy", "deploy-all"), ("deploy-al", "deploy-all"),
        ("destoy", "destroy"), ("destroyall", "destroy-all"), ("destroy-al", "destroy-all"),
    ],
)  # fmt: skip
def test_a_misspelt_deployment_never_suggests_a_destruction(name: str, meant: str) -> None:
    """Issue 15.17: ``-all`` counts for nothing where the rest is like what was typed."""
    tasks = ["up", "deploy-all", "destroy", "destroy-all", "drill"]
    assert nearest(name, tasks) == f"; did you mean {meant}?"


def test_nothing_is_suggested_for_what_is_like_nothing() -> None:
    """Issue 15.17: a guess would mislead, and of no names none can be meant."""
    assert nearest("zzzz", ["up", "destroy"]) == ""
    assert nearest("up", []) == ""


def test_help_behind_a_task_explains_it() -> None:
    """``up --help`` works without the layer that ``up`` needs."""
    assert task_to_explain(["up", "--help"], TASKS) == "up"
    assert task_to_explain(["status", "up", "network", "-h"], TASKS) == "up"
    assert task_to_explain(["--help", "up"], TASKS) is None
    assert task_to_explain(["up", "--", "--help"], TASKS) is None


WORDS = st.sampled_from(
    ["up", "status", "--stack", "--json", "-j", "-p", "--parallel", "4", "-1", "--", "--list"]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(WORDS, st.text(max_size=8)), max_size=6))
def test_any_command_line_is_right_or_one_line(tokens: list[str]) -> None:
    """Never more than one line, never an exception, whatever was typed."""
    mistake = first_mistake(tokens, CORE, TASKS)
    assert (
        mistake is None or len(re.split(r"[\r\n\x0b\x0c\x1c-\x1e\x85\u2028\u2029]", mistake)) == 1
    )
