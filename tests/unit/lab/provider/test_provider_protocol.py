"""The provider as an engine meets it: configuration, previews, differences, failures, process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest
from botocore.exceptions import ClientError
from google.protobuf import any_pb2
from harness import program
from provider_client import Context, FailedCallError, ProviderClient, Resource
from pulumi.runtime.proto import provider_pb2, status_pb2

from lab.provider.aws import ENDPOINT_VARIABLE, Aws
from lab.provider.service import VERSION, AwsProvider
from pulumi_protocol.structs import from_struct, to_struct
from pulumi_protocol.values import UNKNOWN, is_secret, secret

NOWHERE = "http://127.0.0.1:9"
PLUGIN = Path(__file__).parents[4] / "lab" / "provider" / "pulumi-resource-aws"
BUCKET = "aws:s3/bucket:Bucket"
SUBNET = "aws:ec2/subnet:Subnet"


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> ProviderClient:
    """A provider whose endpoint answers nothing: no call may be made."""
    monkeypatch.setenv(ENDPOINT_VARIABLE, NOWHERE)
    return ProviderClient(NOWHERE, tags={"Environment": "lab"})


def configuration(**args: Any) -> list[str]:
    request = provider_pb2.CheckRequest(news=to_struct({"region": "us-east-1", **args}))
    answer = AwsProvider().CheckConfig(request, Context())
    return [item.reason for item in answer.failures]


@pytest.mark.parametrize(
    "endpoint",
    ["https://ec2.us-east-1.amazonaws.com", "http://10.0.0.1:45660", "http://127.0.0.1.evil.org"],
)
def test_an_endpoint_elsewhere_is_refused(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    """The lab calls nothing beyond this machine (N1), in CheckConfig and again in Configure."""
    monkeypatch.delenv(ENDPOINT_VARIABLE, raising=False)
    endpoints = json.dumps([{"ec2": endpoint}])
    assert "127.0.0.1" in configuration(endpoints=endpoints)[0]
    args = to_struct({"region": "us-east-1", "endpoints": endpoints})
    with pytest.raises(FailedCallError) as caught:
        AwsProvider().Configure(provider_pb2.ConfigureRequest(args=args), Context())
    assert caught.value.code == grpc.StatusCode.INVALID_ARGUMENT
    monkeypatch.setenv(ENDPOINT_VARIABLE, endpoint)
    assert configuration(endpoints=json.dumps([{"ec2": NOWHERE}]))


def test_a_provider_without_endpoint_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an address of the lab nothing is called at all."""
    monkeypatch.delenv(ENDPOINT_VARIABLE, raising=False)
    assert "never calls AWS" in configuration()[0]
    assert "never calls AWS" in configuration(endpoints="[{}]")[0]


def test_arguments_that_mean_nothing_here_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """N1: neither a profile nor an argument the lab doesn't know is quietly passed over; an
    address that a preview doesn't know yet is no failure."""
    monkeypatch.setenv(ENDPOINT_VARIABLE, NOWHERE)
    assert configuration(region="") == ["the provider needs a region"]
    assert configuration(profile="production") == ["the lab's provider uses no AWS profile"]
    assert configuration(assumeRoles="[]") == [
        "provider argument 'assumeRoles' is not supported by the lab's provider"
    ]
    assert configuration(endpoints=UNKNOWN) == []


def test_a_provider_whose_region_is_unknown_checks_names_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """N5: a preview may know no region yet; inputs pass, and what needs AWS says why it can't."""
    monkeypatch.setenv(ENDPOINT_VARIABLE, NOWHERE)
    client = ProviderClient(NOWHERE, UNKNOWN)
    assert client.servicer.aws is None
    client.servicer.Cancel(None, Context())
    inputs, failures = client.check(Resource(BUCKET, "x"), {"bucket": "b"})
    assert (inputs, failures) == ({"bucket": "b"}, [])
    with pytest.raises(FailedCallError, match="isn't configured yet: its region is unknown"):
        client.create(BUCKET, "x", {"bucket": "b"})


def test_cancel_ends_the_waiting_of_a_configured_provider(client: ProviderClient) -> None:
    """Ctrl-C: nothing keeps polling for a resource that no one waits for."""
    client.servicer.Cancel(None, Context())
    assert client.servicer.aws is not None
    assert client.servicer.aws.cancelled.is_set()


def test_credentials_come_from_the_provider_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A profile and credentials in the environment change nothing (N1)."""
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAREAL")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "real")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://example.org")
    monkeypatch.setenv(ENDPOINT_VARIABLE, NOWHERE)
    aws = ProviderClient(NOWHERE).servicer.aws
    assert aws is not None
    made: Any = aws.client("ec2")
    assert made.meta.endpoint_url == NOWHERE
    assert made._request_signer._credentials.access_key == "test"


def test_only_the_region_replaces_a_provider() -> None:
    """Other arguments change in place: a replaced provider would replace all its resources."""
    old = {"region": "us-east-1", "endpoints": "[]"}
    for new, replaces in (({**old, "endpoints": "[1]"}, []), ({**old, "region": "x"}, ["region"])):
        request = provider_pb2.DiffRequest(old_inputs=to_struct(old), news=to_struct(new))
        assert list(AwsProvider().DiffConfig(request, Context()).replaces) == replaces


@pytest.mark.no_cover
@pytest.mark.parametrize("layer", ["network", "data", "app", "global"])
def test_the_programs_use_only_what_the_provider_maps(client: ProviderClient, layer: str) -> None:
    """Every resource of the four programs passes Check: no unknown type, no unmapped input."""
    clients = {"us-east-1": client, "us-west-2": ProviderClient(NOWHERE, "us-west-2")}
    problems = {}
    checked = 0
    for resource in program(layer).resources:
        if not resource.type.startswith("aws:"):
            continue
        region = next((name for name in clients if name in resource.name), "us-east-1")
        _, failures = clients[region].check(
            Resource(resource.type, resource.name), dict(resource.inputs)
        )
        checked += 1
        if failures:
            problems[resource.name] = failures
    assert checked > 10
    assert problems == {}


def test_an_unknown_type_is_refused_by_name(client: ProviderClient) -> None:
    """A type that isn't declared fails in Check, in previews too."""
    _, failures = client.check(Resource("aws:dynamodb/globalTable:GlobalTable", "x"), {})
    assert "aws:dynamodb/globalTable:GlobalTable" in failures[0][1]


def test_an_unmapped_nested_input_is_refused_by_path(client: ProviderClient) -> None:
    """Nested inputs are as strict as others."""
    token = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
    news = {"bucket": "b", "rules": [{"id": "x", "status": "Enabled", "expire": {"days": 1}}]}
    _, failures = client.check(Resource(token, "x"), news)
    assert failures[0][0] == "rules.expire"


def test_check_adds_region_and_all_tags_and_keeps_secrets(client: ProviderClient) -> None:
    """The provider's region and default tags reach the inputs; secrets stay wrapped."""
    token = "aws:ssm/parameter:Parameter"
    news = {"name": "/a", "type": "String", "value": secret("s"), "tags": {"Name": "a"}}
    inputs, failures = client.check(Resource(token, "x"), news)
    assert not failures
    assert inputs["region"] == "us-east-1"
    assert inputs["tagsAll"] == {"Environment": "lab", "Name": "a"}
    assert inputs["tags"] == {"Name": "a"}
    assert inputs["value"] == secret("s")
    news["tags"] = {"Name": secret("a")}
    inputs, _ = client.check(Resource(token, "x"), dict(news))
    assert inputs["tagsAll"] == {"Environment": "lab", "Name": secret("a")}
    news["tags"] = secret({"Name": "a"})
    inputs, _ = client.check(Resource(token, "x"), dict(news))
    assert inputs["tagsAll"] == secret({"Environment": "lab", "Name": "a"})
    role, _ = client.check(
        Resource("aws:iam/role:Role", "r"), {"name": "r", "assumeRolePolicy": ""}
    )
    assert "region" not in role


def test_a_region_other_than_the_provider_s_is_refused(client: ProviderClient) -> None:
    """Trap 32: a resource belongs to the region of its provider."""
    _, failures = client.check(Resource(BUCKET, "x"), {"bucket": "b", "region": "us-west-2"})
    assert [key for key, _ in failures] == ["region"]
    assert "us-east-1: give it the provider of its own region" in failures[0][1]


def test_tags_that_are_unknown_leave_all_tags_unknown(client: ProviderClient) -> None:
    """N5: a preview invents no tags."""
    inputs, failures = client.check(Resource(BUCKET, "x"), {"bucket": "b", "tags": UNKNOWN})
    assert not failures
    assert inputs["tagsAll"] == UNKNOWN


def test_a_function_and_a_type_that_are_unknown_are_named(client: ProviderClient) -> None:
    """First light: what the plugin doesn't hold is said in one line, also when AWS's own type
    was deployed by another program."""
    token = "aws:ec2/getAmi:getAmi"
    answer = client.servicer.Invoke(provider_pb2.InvokeRequest(tok=token), Context())
    assert [item.reason for item in answer.failures] == [
        f"function {token} is not supported by the lab's provider"
    ]
    other = "aws:dynamodb/globalTable:GlobalTable"
    with pytest.raises(FailedCallError, match=rf"deleting {other} .* in us-east-1"):
        client.delete(Resource(other, "x"))


@pytest.mark.parametrize(
    ("news", "place"),
    [
        ({"environment": {"values": {}}}, "environment.values"),
        ({"ephemeralStorage": {"size": "big"}}, "ephemeralStorage"),
    ],
)
def test_a_wrong_nested_value_is_refused_where_it_is(
    client: ProviderClient, news: dict[str, Any], place: str
) -> None:
    """First light: a name or a number that AWS would refuse fails before anything is called."""
    _, failures = client.check(Resource("aws:lambda/function:Function", "x"), {"name": "f", **news})
    assert [key for key, _ in failures] == [place]


def test_a_preview_of_an_update_keeps_what_can_t_change(client: ProviderClient) -> None:
    """N5: an ARN stays known, a version that the update makes doesn't; an ignored input stays
    as it was when the update is made."""
    inputs = {"name": "/a", "type": "String", "value": "one"}
    parameter = _existing(client, "aws:ssm/parameter:Parameter", inputs)
    olds = {**parameter.inputs, "arn": "arn:a", "version": 1}
    request = provider_pb2.UpdateRequest(
        id="/a",
        urn=parameter.urn,
        olds=to_struct(olds),
        old_inputs=to_struct(parameter.inputs),
        news=to_struct({**parameter.inputs, "value": "two"}),
        preview=True,
    )
    answer = from_struct(client.servicer.Update(request, Context()).properties)
    assert (answer["arn"], answer["version"], answer["value"]) == ("arn:a", UNKNOWN, "two")


def test_a_preview_calls_nothing_and_invents_nothing(client: ProviderClient) -> None:
    """Create in a preview answers unknown outputs and no id (N5)."""
    inputs = {"vpcId": UNKNOWN, "cidrBlock": "10.0.0.0/24"}
    request = provider_pb2.CreateRequest(
        urn=f"urn:pulumi:lab::p::{SUBNET}::x", properties=to_struct(inputs), preview=True
    )
    answer = client.servicer.Create(request, Context())
    outputs = from_struct(answer.properties)
    assert answer.id == ""
    assert outputs["vpcId"] == outputs["arn"] == UNKNOWN
    assert outputs["cidrBlock"] == "10.0.0.0/24"


def _existing(client: ProviderClient, token: str, inputs: dict[str, Any]) -> Resource:
    resource = Resource(token, "x")
    resource.id, resource.inputs = "x", client.checked(resource, inputs)
    resource.outputs = resource.inputs
    return resource


def test_a_replacement_under_the_same_name_deletes_first(client: ProviderClient) -> None:
    """A fixed name can exist only once; a changed name or a nameless check is made first
    (trap 15b)."""
    inputs = {"vpcId": "v", "cidrBlock": "10.0.0.0/24", "availabilityZone": "us-east-1a"}
    subnet = _existing(client, SUBNET, inputs)
    moved = client.diff(subnet, {**inputs, "availabilityZone": "us-east-1b"})
    assert list(moved.replaces) == ["availabilityZone"]
    assert moved.deleteBeforeReplace
    renumbered = client.diff(subnet, {**inputs, "cidrBlock": "10.0.9.0/24"})
    assert list(renumbered.replaces) == ["cidrBlock"]
    assert not renumbered.deleteBeforeReplace
    check = {"type": "HTTP", "fqdn": "a", "requestInterval": 30, "measureLatency": True}
    health = _existing(client, "aws:route53/healthCheck:HealthCheck", check)
    slower = client.diff(health, {**check, "requestInterval": 10})
    assert list(slower.replaces) == ["requestInterval"]
    assert not slower.deleteBeforeReplace


def test_a_tag_change_is_shown_exactly(client: ProviderClient) -> None:
    """One edited tag is one difference in place, by its path."""
    inputs = {"bucket": "b", "tags": {"Name": "one", "T": "x"}}
    bucket = _existing(client, BUCKET, inputs)
    answer = client.diff(bucket, {**inputs, "tags": {"Name": "two", "T": "x"}})
    assert set(answer.detailedDiff) == {"tags.Name", "tagsAll.Name"}
    assert not answer.replaces


def test_ignored_paths_are_no_difference(client: ProviderClient) -> None:
    """ignoreChanges holds for properties and for paths inside them."""
    inputs = {"bucket": "b", "tags": {"Name": "one"}}
    bucket = _existing(client, BUCKET, inputs)
    news = {**inputs, "tags": {"Name": "two"}}
    assert client.diff(bucket, news, ["tags", "tagsAll"]).changes == 1
    assert client.diff(bucket, news, ["tags.Name", "tagsAll.Name"]).changes == 1


def test_documents_and_numbers_are_compared_by_content(client: ProviderClient) -> None:
    """A policy with other spaces and a number as text are no change."""
    token = "aws:s3/bucketPolicy:BucketPolicy"
    held = _existing(client, token, {"bucket": "b", "policy": '{"Statement": [], "Id": "x"}'})
    same = {"bucket": "b", "policy": '{"Id":"x","Statement":[]}'}
    assert client.diff(held, same).changes == 1
    assert client.diff(held, {**same, "policy": '{"Id":"y","Statement":[]}'}).changes == 2


def test_names_that_aws_refuses_fail_early(client: ProviderClient) -> None:
    """Load balancers' names have 32 characters (trap 17); groups don't begin with sg-."""
    for token, name in (
        ("aws:lb/targetGroup:TargetGroup", "t" * 33),
        ("aws:lb/loadBalancer:LoadBalancer", "l" * 33),
        ("aws:ec2/securityGroup:SecurityGroup", "sg-one"),
    ):
        _, failures = client.check(Resource(token, "x"), {"name": name})
        assert [key for key, _ in failures] == ["name"]


def test_a_cross_region_bus_needs_a_role(client: ProviderClient) -> None:
    """AWS refuses a bus of another region as target without a role (trap 26)."""
    news = {
        "rule": "r",
        "targetId": "t",
        "arn": "arn:aws:events:us-west-2:000000000000:event-bus/b",
    }
    token = "aws:cloudwatch/eventTarget:EventTarget"
    _, failures = client.check(Resource(token, "x"), news)
    assert [key for key, _ in failures] == ["roleArn"]
    assert client.check(Resource(token, "x"), {**news, "roleArn": "arn:aws:iam::0:role/r"})[1] == []


def test_what_exists_but_is_unfinished_is_handed_over(
    lab_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A creation that fails after AWS made the resource answers id, outputs and reason, so that
    nothing is orphaned and the next update completes it (N7)."""
    client = ProviderClient(lab_endpoint)
    call = Aws.call

    def refusing(self: Aws, service: str, operation: str, *rest: Any) -> dict[str, Any]:
        if operation == "PutResourcePolicy":
            error: Any = {"Error": {"Code": "MalformedPolicyDocument", "Message": "no"}}
            raise ClientError(error, operation)
        return call(self, service, operation, *rest)

    monkeypatch.setattr(Aws, "call", refusing)
    news = {"name": "secret-unfinished", "recoveryWindowInDays": 0, "policy": "{}"}
    with pytest.raises(FailedCallError) as caught:
        client.create("aws:secretsmanager/secret:Secret", "unfinished", news)
    assert "secret-unfinished" in caught.value.details
    assert "MalformedPolicyDocument" in caught.value.details
    status = status_pb2.Status.FromString(dict(caught.value.metadata)["grpc-status-details-bin"])
    detail = provider_pb2.ErrorResourceInitFailed()
    packed: any_pb2.Any = status.details[0]
    assert packed.Unpack(detail)
    outputs = from_struct(detail.properties)
    assert detail.id == outputs["arn"]
    resource = Resource("aws:secretsmanager/secret:Secret", "unfinished")
    resource.id, resource.outputs = detail.id, outputs
    resource.inputs = from_struct(detail.inputs)
    del news["policy"]
    client.update(resource, news)
    client.delete(resource)
    assert client.read(resource).id == ""


def test_a_failure_is_one_line_with_name_region_and_code(lab_endpoint: str) -> None:
    """What failed, where, and AWS's own code and message."""
    client = ProviderClient(lab_endpoint, "us-west-2")
    token = "aws:cloudwatch/logGroup:LogGroup"
    group = client.create(token, "x", {"name": "/twice"})
    with pytest.raises(FailedCallError) as caught:
        client.create(token, "x", {"name": "/twice"})
    client.delete(group)
    line = caught.value.details
    assert "\n" not in line
    parts = (token, "/twice", "us-west-2", "CreateLogGroup", "ResourceAlreadyExistsException")
    assert [part for part in parts if part not in line] == []


def test_drift_is_seen_and_only_where_written(lab_endpoint: str) -> None:
    """A change behind the program's back shows in inputs and outputs; a resource that is gone
    answers no id."""
    client = ProviderClient(lab_endpoint, tags={"Environment": "lab"})
    news = {"name": "/drift", "type": "String", "value": secret("one"), "tags": {"A": "b"}}
    resource = client.create("aws:ssm/parameter:Parameter", "drift", news)
    aws = client.servicer.aws
    assert aws is not None
    aws.call("ssm", "PutParameter", {"Name": "/drift", "Value": "two", "Overwrite": True})
    tags = {"ResourceType": "Parameter", "ResourceId": "/drift"}
    aws.call("ssm", "AddTagsToResource", {**tags, "Tags": [{"Key": "A", "Value": "c"}]})
    answer = client.read(resource)
    inputs, outputs = from_struct(answer.inputs), from_struct(answer.properties)
    assert inputs["value"] == outputs["value"] == secret("two")
    assert inputs["tags"] == {"A": "c"}
    assert inputs["tagsAll"] == {"Environment": "lab", "A": "c"}
    assert inputs.keys() == resource.inputs.keys()
    client.delete(resource)
    assert client.read(resource).id == ""


def test_an_ignored_input_stays_as_it_was_when_another_changes(lab_endpoint: str) -> None:
    """Trap 2: ``ignoreChanges`` holds in the update itself, not in the comparison alone."""
    client = ProviderClient(lab_endpoint)
    inputs = {"name": "/ignored", "type": "String", "value": "one", "description": "one"}
    parameter = client.create("aws:ssm/parameter:Parameter", "ignored", inputs)
    news = {**parameter.inputs, "value": "two", "description": "two"}
    client.servicer.Update(
        provider_pb2.UpdateRequest(
            id=parameter.id,
            urn=parameter.urn,
            olds=to_struct(parameter.outputs),
            old_inputs=to_struct(parameter.inputs),
            news=to_struct(news),
            ignoreChanges=["value", "keyId"],
        ),
        Context(),
    )
    aws = client.servicer.aws
    assert aws is not None
    found = aws.call("ssm", "GetParameter", {"Name": "/ignored"})["Parameter"]
    assert found["Value"] == "one"
    (found,) = aws.call("ssm", "DescribeParameters", {"Filters": [
        {"Key": "Name", "Values": ["/ignored"]}]})["Parameters"]  # fmt: skip
    assert found["Description"] == "two"
    client.delete(parameter)


def test_get_reads_everything_from_the_id(lab_endpoint: str) -> None:
    """Read without inputs, as ``.get()`` asks it, builds them from AWS."""
    client = ProviderClient(lab_endpoint)
    vpc = client.create("aws:ec2/vpc:Vpc", "get", {"cidrBlock": "10.9.0.0/16"})
    outputs = from_struct(client.read(vpc, bare=True).properties)
    assert outputs["cidrBlock"] == "10.9.0.0/16"
    assert outputs["region"] == "us-east-1"
    client.delete(vpc)


def test_the_caller_is_the_lab_s_account(lab_endpoint: str) -> None:
    """The account that names and policies hold."""
    client = ProviderClient(lab_endpoint, "us-west-2")
    identity = client.invoke("aws:index/getCallerIdentity:getCallerIdentity", {})
    assert identity["accountId"] == "000000000000"


def test_a_zone_is_found_by_its_id(lab_endpoint: str) -> None:
    """``global:hostedZoneId`` works in the lab, too: name without the last dot, name servers."""
    client = ProviderClient(lab_endpoint)
    zone = client.create("aws:route53/zone:Zone", "zone", {"name": "found.test"})
    found = client.invoke("aws:route53/getZone:getZone", {"zoneId": zone.id})
    assert (found["name"], found["zoneId"]) == ("found.test", zone.id)
    assert found["privateZone"] is False
    assert found["nameServers"] == zone.outputs["nameServers"] != []
    client.delete(zone)


def test_random_passwords_are_new_secrets_of_the_alphabet_asked_for(lab_endpoint: str) -> None:
    """Trap 3: a new one at each call, marked as a secret, of the length and characters wanted."""
    client = ProviderClient(lab_endpoint)
    token = "aws:secretsmanager/getRandomPassword:getRandomPassword"
    args = {"passwordLength": 40, "excludePunctuation": True, "requireEachIncludedType": True}
    first, second = (client.invoke(token, args)["randomPassword"] for _ in range(2))
    assert is_secret(first)
    assert first != second
    assert len(first["value"]) == 40
    assert first["value"].isalnum()
    none = {f"exclude{kind}": True for kind in ("Lowercase", "Uppercase", "Numbers", "Punctuation")}
    spaces = client.invoke(token, {**none, "includeSpace": True, "passwordLength": 3})
    assert spaces["randomPassword"]["value"] == "   "
    digits = {**none, "excludeNumbers": False, "excludeCharacters": "012345678"}
    unmixed = client.invoke(token, {**digits, "requireEachIncludedType": False})
    assert unmixed["randomPassword"]["value"] == "9" * 32
    with pytest.raises(FailedCallError, match="every character is excluded"):
        client.invoke(token, none)


def test_a_secret_s_versions_are_listed_without_their_values(lab_endpoint: str) -> None:
    """Trap 42: which version is current, for who must not read it."""
    client = ProviderClient(lab_endpoint)
    secret = client.create("aws:secretsmanager/secret:Secret", "listed", {"name": "listed"})
    value = {"secretId": secret.id, "secretString": "word"}
    made = client.create("aws:secretsmanager/secretVersion:SecretVersion", "listed", value)
    token = "aws:secretsmanager/getSecretVersions:getSecretVersions"
    found = client.invoke(token, {"secretId": secret.id})
    current = [
        one["versionId"] for one in found["versions"] if "AWSCURRENT" in one["versionStages"]
    ]
    assert current == [made.id.partition("|")[2]]
    assert "word" not in str(found)


def _start(parent: list[str] | None = None) -> subprocess.Popen[str]:
    environment = {**os.environ, "WARM_STANDBY_PYTHON": sys.executable}
    return subprocess.Popen(
        [*(parent or []), str(PLUGIN), "127.0.0.1:1"],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_the_plugin_speaks_grpc_and_ends_on_sigint() -> None:
    """The executable prints its port alone, shakes hands, reports its version, survives Cancel and
    ends at once on SIGINT."""
    from pulumi.runtime.proto import provider_pb2_grpc

    process = _start()
    try:
        port = int(_line(process))
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = provider_pb2_grpc.ResourceProviderStub(channel)
            answer = stub.Handshake(
                provider_pb2.ProviderHandshakeRequest(engine_address="127.0.0.1:1"), timeout=20
            )
            assert answer.accept_secrets
            from google.protobuf import empty_pb2

            assert stub.GetPluginInfo(empty_pb2.Empty(), timeout=20).version == VERSION
            stub.Cancel(empty_pb2.Empty(), timeout=20)
            assert stub.GetPluginInfo(empty_pb2.Empty(), timeout=20).version == VERSION
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def test_the_plugin_ends_with_a_killed_engine() -> None:
    """No plugin is left behind when its engine is killed without a word."""
    script = (
        "import subprocess, sys, time; "
        "p = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, text=True); "
        "p.stdout.readline(); print(p.pid, flush=True); time.sleep(60)"
    )
    engine = _start([sys.executable, "-c", script])
    try:
        plugin = int(_line(engine))
        assert psutil.pid_exists(plugin)
        engine.kill()
        engine.wait()
        for _ in range(100):
            if not psutil.pid_exists(plugin) or psutil.Process(plugin).status() == "zombie":
                break
            time.sleep(0.1)
        else:
            os.kill(plugin, signal.SIGKILL)
            pytest.fail("the plugin outlived its engine by 10 s")
    finally:
        engine.kill()
        engine.wait()
        assert engine.stdout is not None
        engine.stdout.close()
