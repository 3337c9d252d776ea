"""Versions and aliases of Lambda functions, as AWS has them."""

from __future__ import annotations

import io
import json
import zipfile
from types import SimpleNamespace
from typing import Any

from emulator_world import ACCOUNT, EAST, World, refused

from lab.emulator.functions import Function
from lab.emulator.lambda_targets import deployed_function, may_invoke
from lab.emulator.services import lambda_runtime

SAYS = "import os\ndef handler(event, context):\n    return {answer}\n"


def code(answer: str) -> bytes:
    """A function's archive: the same bytes for the same answer, whenever it is packed."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(zipfile.ZipInfo("index.py"), SAYS.format(answer=answer))
    return packed.getvalue()


def arn(name: str, qualifier: str = "") -> str:
    """A function's ARN, or its alias's or version's."""
    return f"arn:aws:lambda:{EAST}:{ACCOUNT}:function:{name}" + (
        f":{qualifier}" if qualifier else ""
    )


def answered(client: Any, **call: Any) -> Any:
    """What a function answers."""
    return json.loads(client.invoke(Payload=b"{}", **call)["Payload"].read())


def test_the_function_itself_stays_latest(world: World) -> None:
    """Trap 65: what was published has a number and an ARN of its own; GetFunction's answer bears
    the ARN that was asked for."""
    lambda_ = world.aws("lambda")
    world.function("published", Publish=True)
    assert lambda_.get_function_configuration(FunctionName="published")["Version"] == "$LATEST"
    lambda_.create_alias(FunctionName="published", Name="live", FunctionVersion="1")
    for qualifier in ("1", "live"):
        found = lambda_.get_function(FunctionName="published", Qualifier=qualifier)
        assert found["Configuration"]["FunctionArn"] == arn("published", qualifier)
        assert found["Configuration"]["Version"] == "1"
    found = lambda_.get_function_configuration(FunctionName=arn("published", "live"))
    assert found["FunctionArn"] == arn("published", "live")
    listed = lambda_.list_versions_by_function(FunctionName="published")["Versions"]
    assert [(one["Version"], one["FunctionArn"]) for one in listed] == [
        ("$LATEST", arn("published")),
        ("1", arn("published", "1")),
    ]


def test_what_is_unchanged_is_not_published_again(world: World) -> None:
    """The last version is answered while neither code nor settings have changed; a number that was
    deleted isn't given again."""
    lambda_ = world.aws("lambda")
    world.function("repeated", Publish=True)

    def publish() -> str:
        return str(lambda_.publish_version(FunctionName="repeated")["Version"])

    assert [publish(), publish()] == ["1", "1"]
    lambda_.update_function_configuration(FunctionName="repeated", Timeout=9)
    made = lambda_.publish_version(FunctionName="repeated")
    assert (made["Version"], made["FunctionArn"]) == ("2", arn("repeated", "2"))
    for answer, version in (("2", "3"), ("2", "3")):
        changed = lambda_.update_function_code(
            FunctionName="repeated", ZipFile=code(answer), Publish=True
        )
        assert changed["Version"] == version
    lambda_.update_function_code(FunctionName="repeated", ZipFile=code("3"))
    assert publish() == "4"
    lambda_.delete_function(FunctionName="repeated", Qualifier="4")
    assert publish() == "5"


def test_an_alias_runs_its_version(world: World) -> None:
    """Trap 65: the code that was published, also after the function was changed, and that of
    another version from the moment on that the alias is moved."""
    lambda_ = world.aws("lambda")
    own = "[os.environ['AWS_LAMBDA_FUNCTION_VERSION']]"
    world.function("aliased", code=SAYS.format(answer=own))
    lambda_.publish_version(FunctionName="aliased")
    lambda_.create_alias(FunctionName="aliased", Name="live", FunctionVersion="1")
    where = code("[context.function_version, context.invoked_function_arn]")
    lambda_.update_function_code(FunctionName="aliased", ZipFile=where, Publish=True)
    assert answered(lambda_, FunctionName="aliased:live") == ["1"]
    assert answered(lambda_, FunctionName="aliased") == ["$LATEST", arn("aliased")]
    lambda_.update_alias(FunctionName="aliased", Name="live", FunctionVersion="2")
    for call in (
        {"FunctionName": "aliased", "Qualifier": "live"},
        {"FunctionName": arn("aliased", "live")},
    ):
        assert answered(lambda_, **call) == ["2", arn("aliased", "live")]
    streams = world.aws("logs").describe_log_streams(logGroupName="/aws/lambda/aliased")
    names = {one["logStreamName"].partition("/[")[2][:2] for one in streams["logStreams"]}
    assert names == {"1]", "2]", "$L"}


def test_an_alias_leads_to_what_exists(world: World) -> None:
    """AWS refuses an alias of no version, one that looks like a version, and weights with
    $LATEST."""
    lambda_ = world.client("lambda", EAST, parameter_validation=False)
    world.function("led", Publish=True)
    call = {"FunctionName": "led", "Name": "live"}
    missing = refused(
        "ResourceNotFoundException", lambda_.create_alias, **call, FunctionVersion="7"
    )
    assert arn("led", "7") in missing
    refused(
        "ValidationException",
        lambda_.create_alias, FunctionName="led", Name="12", FunctionVersion="1",
    )  # fmt: skip
    refused(
        "ResourceNotFoundException",
        lambda_.create_alias, FunctionName="none", Name="live", FunctionVersion="1",
    )  # fmt: skip
    lambda_.create_alias(**call, FunctionVersion="$LATEST")
    weights = {"AdditionalVersionWeights": {"1": 0.5}}
    refused("InvalidParameterValueException", lambda_.update_alias, **call, RoutingConfig=weights)
    lambda_.update_alias(**call, FunctionVersion="1")
    refused("ResourceNotFoundException", lambda_.update_alias, **call, FunctionVersion="2")
    refused("ResourceConflictException", lambda_.delete_function, FunctionName="led", Qualifier="1")
    for named in ({"FunctionName": "led", "Qualifier": "$LATEST"}, {"FunctionName": "led:$LATEST"}):
        refused("InvalidParameterValueException", lambda_.delete_function, **named)


def test_each_alias_has_a_policy_of_its_own(world: World) -> None:
    """Trap 65: a permission for the function is none for its alias, nor the other way round; each
    is read and taken away where it was given."""
    lambda_ = world.aws("lambda")
    world.function("guarded", Publish=True)
    lambda_.create_alias(FunctionName="guarded", Name="live", FunctionVersion="1")
    group = f"arn:aws:elasticloadbalancing:{EAST}:{ACCOUNT}:targetgroup/guarded/0123"
    grant = {
        "FunctionName": "guarded",
        "Action": "lambda:InvokeFunction",
        "Principal": "elasticloadbalancing.amazonaws.com",
        "SourceArn": group,
    }

    def allowed() -> dict[str, bool]:
        found = {name: deployed_function(arn("guarded", name)) for name in ("", "live", "1")}
        return {name: may_invoke(one, group) for name, one in found.items() if one is not None}

    lambda_.add_permission(**grant, StatementId="alias", Qualifier="live")
    assert allowed() == {"": False, "live": True, "1": False}
    refused("ResourceNotFoundException", lambda_.get_policy, FunctionName="guarded")
    lambda_.add_permission(**grant, StatementId="plain")
    assert allowed() == {"": True, "live": True, "1": False}

    def sids(**qualifier: str) -> list[str]:
        policy = lambda_.get_policy(FunctionName="guarded", **qualifier)["Policy"]
        return [one["Sid"] for one in json.loads(policy)["Statement"]]

    assert (sids(), sids(Qualifier="live")) == (["plain"], ["alias"])
    gone = {"FunctionName": "guarded", "StatementId": "alias"}
    refused("ResourceNotFoundException", lambda_.remove_permission, **gone)
    lambda_.remove_permission(**gone, Qualifier="live")
    assert allowed() == {"": True, "live": False, "1": False}


def test_an_event_for_an_alias_has_the_aliass_settings(world: World) -> None:
    """Trap 65: retries and failure destination are those of what was called."""
    lambda_, later = world.aws("lambda"), []
    queue = f"arn:aws:sqs:{EAST}:{ACCOUNT}:failed"
    role = world.role(
        "asked-later", "lambda.amazonaws.com",
        {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": queue},
    )  # fmt: skip
    world.function("asked-later", Role=role, Publish=True)
    lambda_.create_alias(FunctionName="asked-later", Name="live", FunctionVersion="1")
    lambda_.put_function_event_invoke_config(
        FunctionName="asked-later",
        Qualifier="live",
        MaximumRetryAttempts=1,
        DestinationConfig={"OnFailure": {"Destination": queue}},
    )
    submit = world.emulator.asynchronous.submit

    def remember(function: Function, settings: Any, event: Any) -> None:
        del event
        later.append((function.called_arn, function.version, settings.get("MaximumRetryAttempts")))

    async def replaced() -> None:
        mending = SimpleNamespace(
            invoke=world.emulator.functions.invoke, invoke_later=remember,
            mend=lambda *_given: None,
        )  # fmt: skip
        lambda_runtime.install(mending)  # type: ignore[arg-type]

    world.run(replaced())
    try:
        for name in ("asked-later:live", "asked-later:1", "asked-later", "asked-later:$LATEST"):
            lambda_.invoke(FunctionName=name, InvocationType="Event", Payload=b"{}")
    finally:
        mended = SimpleNamespace(
            invoke=world.emulator.functions.invoke, invoke_later=submit, mend=lambda *_given: None
        )

        async def restored() -> None:
            lambda_runtime.install(mended)  # type: ignore[arg-type]

        world.run(restored())
    assert later == [
        (arn("asked-later", "live"), "1", 1),
        (arn("asked-later", "1"), "1", None),
        (arn("asked-later"), "$LATEST", None),
        (arn("asked-later"), "$LATEST", None),
    ]


def test_a_load_balancer_calls_the_alias(world: World) -> None:
    """Trap 65: a target is registered by the alias's ARN, and needs the alias's permission."""
    elb, lambda_ = world.aws("elbv2"), world.aws("lambda")
    world.function("target", Publish=True)
    lambda_.create_alias(FunctionName="target", Name="live", FunctionVersion="1")
    made = elb.create_target_group(Name="tg-alias", TargetType="lambda")["TargetGroups"][0]
    group = made["TargetGroupArn"]
    target = {"TargetGroupArn": group, "Targets": [{"Id": arn("target", "live")}]}
    grant = {
        "FunctionName": "target", "Action": "lambda:InvokeFunction", "SourceArn": group,
        "Principal": "elasticloadbalancing.amazonaws.com",
    }  # fmt: skip
    lambda_.add_permission(**grant, StatementId="plain")
    refused("AccessDenied", elb.register_targets, **target)
    lambda_.add_permission(**grant, StatementId="alias", Qualifier="live")
    elb.register_targets(**target)
    (found,) = elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    assert found["Target"]["Id"] == arn("target", "live")
