"""Reading what a program does not own, and calling functions, when it goes wrong."""

from __future__ import annotations

from typing import Any

import pytest
from pulumi.runtime.proto import resource_pb2
from stage import Act, Stage, reading

from lab.engine.failure import StepFailedError
from lab.engine.plugin import PluginError
from pulumi_protocol.structs import from_struct, to_struct
from pulumi_protocol.values import UNKNOWN, secret


def test_a_read_that_fails_names_the_resource_without_secrets(stage: Stage) -> None:
    """The plugin's message, masked; a second read under the same name is refused."""
    stage.plugin.cloud["given-1"] = {"name": "given", "arn": "arn:given"}

    def twice(act: Act) -> None:
        east = act.provider()
        reading(act, provider=east)
        reading(act, provider=east)

    with pytest.raises(StepFailedError, match="registered twice"):
        stage.run(twice)
    stage.plugin.faults["read given-1"] = PluginError("denied for correct-horse")
    given = to_struct({"password": secret("correct-horse")})
    with pytest.raises(StepFailedError, match=r"^denied for \[secret\]$") as raised:
        stage.run(lambda act: reading(act, provider=act.provider(), properties=given))
    assert raised.value.doing == "reading"


def test_reading_what_is_not_known_yet(stage: Stage) -> None:
    """In a preview the id may come late: the answer has none, and the plugin isn't asked. A stack
    reference must be known."""
    answers: list[Any] = []
    stage.run(
        lambda act: answers.append(reading(act, id=UNKNOWN, provider=act.provider())), preview=True
    )
    assert answers[0].id == ""
    assert stage.plugin.made("read") == []
    with pytest.raises(StepFailedError, match="referenced stack's name isn't known"):
        stage.run(lambda act: reading(act, type="pulumi:pulumi:StackReference", id=UNKNOWN))


def test_the_sdk_may_ask_for_a_registered_resource(stage: Stage) -> None:
    """``getResource``, by which the SDK follows references: URN, id and outputs of what this run
    has registered; in a preview without an id; anything else is refused."""
    answers: list[Any] = []

    def asking(urn: str = ""):
        def program(act: Act) -> None:
            made = act.thing("a", act.provider())
            request = resource_pb2.ResourceInvokeRequest(
                tok="pulumi:pulumi:getResource", args=to_struct({"urn": urn or made.urn})
            )
            answer = act.door.invoke(request)
            answers.append((made.urn, from_struct(getattr(answer, "return"))))

        return program

    stage.run(asking(), preview=True)
    stage.run(asking())
    for (urn, answer), id in zip(answers, ("", "a-1"), strict=True):
        assert (answer["urn"], answer["id"], answer["state"]["name"]) == (urn, id, "a")
    with pytest.raises(StepFailedError, match="a resource it hasn't registered"):
        stage.run(asking("urn:other"))


def test_an_invoke_that_fails_names_the_function(stage: Stage) -> None:
    """The plugin's message under the function's token, secrets masked."""
    stage.plugin.faults["invoke fake:index:lookup"] = PluginError("no such correct-horse")

    def program(act: Act) -> None:
        arguments = to_struct({"word": secret("correct-horse")})
        request = resource_pb2.ResourceInvokeRequest(
            tok="fake:index:lookup", provider=act.provider(), args=arguments
        )
        act.door.invoke(request)

    with pytest.raises(StepFailedError, match=r"^no such \[secret\]$") as raised:
        stage.run(program)
    assert (raised.value.urn, raised.value.doing) == ("fake:index:lookup", "invoking")
