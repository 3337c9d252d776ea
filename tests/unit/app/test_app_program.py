"""The application layer's program: its resources in both regions, as they reach the engine."""

import json
import re
from typing import Any

import pytest
from harness import ACCOUNT, SUFFIX, Deployment, Registered, program, run_program, sample_outputs

from tapstack.contracts import DataOutputs, NetworkOutputs
from tapstack.errors import SettingsError

REGIONS = ("us-east-1", "us-west-2")
FUNCTION = "aws:lambda/function:Function"
both_regions = pytest.mark.parametrize("region", REGIONS)
NETWORK = sample_outputs(NetworkOutputs)
DATA = sample_outputs(DataOutputs)
ROLE_OF = {"us-east-1": "primary", "us-west-2": "secondary"}
CERTIFICATES = {
    region: f"arn:aws:acm:{region}:{ACCOUNT}:certificate/0a1b2c3d-0000-4000-8000-000000000000"
    for region in REGIONS
}


def api(deployment: Deployment, region: str) -> Registered:
    return deployment.one(FUNCTION, f"function-api-{region}")


def migrate(deployment: Deployment) -> Registered:
    return deployment.one(FUNCTION, "function-migrate-us-east-1")


def statements(deployment: Deployment, name: str) -> dict[str, dict[str, Any]]:
    policy = deployment.one("aws:iam/policy:Policy", name)
    return {entry["Sid"]: entry for entry in json.loads(policy.inputs["policy"])["Statement"]}


SERVER_NAMES = ",".join(DATA[role]["cluster_endpoint"] for role in ("primary", "secondary"))


def everywhere(region: str, value: Any) -> Any:
    """A value with what is a region's own replaced, so that two regions can be compared."""
    text = json.dumps(value, sort_keys=True)
    other = next(name for name in REGIONS if name != region)
    replaced = [(region, "REGION"), (ROLE_OF[region], "ROLE"), (other, "PEER")]
    replaced += [(DATA[ROLE_OF[other]]["reader_endpoint"], "DATA.peer_reader_endpoint")]
    replaced += [(DATA["global_writer_endpoint"], "DATA.global_writer_endpoint")]
    replaced += [(SERVER_NAMES, "DATA.both_cluster_endpoints")]
    replaced += [(value, f"NETWORK.{key}") for key, value in _texts(NETWORK[ROLE_OF[region]])]
    replaced += [(value, f"DATA.{key}") for key, value in _texts(DATA[ROLE_OF[region]])]
    for old, new in sorted(replaced, key=lambda pair: -len(pair[0])):
        text = text.replace(old, new)
    return json.loads(re.sub(r"[0-9a-f]{16}", "HASH", text))


def _texts(outputs: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (key, text)
        for key, value in outputs.items()
        for text in ([value] if isinstance(value, str) else value)
    ]


@pytest.mark.no_cover
def test_both_regions_are_identical_but_for_the_region_and_its_arns() -> None:
    """R2.1: the two services differ in nothing that isn't their region's own; only the standby
    knows the failover switch and may read it."""
    deployment = program("app")

    def graph(region: str) -> dict[tuple[str, str], Any]:
        return {
            (resource.type, resource.name.replace(region, "REGION")): everywhere(
                region, resource.inputs
            )
            for resource in deployment.created(region=region)
            if not re.search("migrate|gate", resource.name)
        }

    primary, secondary = graph("us-east-1"), graph("us-west-2")
    variables = secondary[(FUNCTION, "function-api-REGION")]["environment"]["variables"]
    switch = variables.pop("FAILOVER_SWITCH_PARAMETER")
    assert switch == f"/warm-standby/REGION/{SUFFIX}/local/failover-switch"
    policies = [
        graph[("aws:iam/policy:Policy", "role-api-REGION")] for graph in (primary, secondary)
    ]
    allowed = [json.loads(policy.pop("policy"))["Statement"] for policy in policies]
    extra = [entry for entry in allowed[1] if entry not in allowed[0]]
    assert [entry["Sid"] for entry in extra] == ["FailoverSwitch"]
    assert [entry for entry in allowed[0] if entry not in allowed[1]] == []
    assert primary == secondary


@both_regions
def test_the_function_runs_in_the_private_subnets(region: str) -> None:
    """R2.1, trap 67: Node.js 24 (22 ends in April 2027), VPC private subnets, the network layer's
    function group, bundled code."""
    function = api(program("app"), region).inputs
    network = NETWORK[ROLE_OF[region]]
    assert function["runtime"] == "nodejs24.x"
    assert function["handler"] == "index.handler"
    assert function["architectures"] == ["arm64"]
    assert function["vpcConfig"] == {
        "subnetIds": network["private_subnet_ids"],
        "securityGroupIds": [network["function_security_group_id"]],
    }
    assert function["tracingConfig"] == {"mode": "Active"}


def test_no_function_reserves_concurrency() -> None:
    """R2.4."""
    for function in program("app").created(FUNCTION):
        assert "reservedConcurrentExecutions" not in function.inputs


def test_memory_timeout_and_architecture_are_configuration() -> None:
    """R2.1: the same values reach both regions."""
    config = {"app:memoryMb": "1024", "app:timeoutSeconds": "20", "app:architecture": "x86_64"}
    deployment = run_program("app", config=config)
    for region in REGIONS:
        function = api(deployment, region).inputs
        assert (function["memorySize"], function["timeout"]) == (1024, 20)
        assert function["architectures"] == ["x86_64"]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"app:memoryMb": "127"}, r"app:memoryMb must be between 128 and 10240 \(got 127\)"),
        ({"app:timeoutSeconds": "30"}, r"app:timeoutSeconds \(30\) must be below .* 30 s"),
        (
            {"app:certificateArns": {"us-east-1": CERTIFICATES["us-west-2"]}},
            r"certificate of us-west-2 for us-east-1",
        ),
        ({"app:certificateArns": {"us-east-1": CERTIFICATES["us-east-1"]}}, r"none for us-west-2"),
        ({"app:ipamPoolIds": {"us-east-1": "pool"}}, r"us-east-1 has pool"),
        (
            {"app:ipamPoolIds": {"us-east-1": "ipam-pool-1"}},
            r"needs a pool in us-east-1 and in us-west-2: who allows",
        ),
    ],
)
def test_bad_configuration_ends_in_one_line(config: dict[str, Any], message: str) -> None:
    """R2.1: refused before any resource is declared."""
    with pytest.raises(SettingsError, match=message) as raised:
        run_program("app", config=config)
    assert "\n" not in str(raised.value)


@both_regions
def test_the_environment_is_what_the_application_reads(region: str) -> None:
    """names.md, between layers and code: everything to start here without the other region.
    Trap 63: no NODE_EXTRA_CA_CERTS, whose authorities Node.js would load at every cold start."""
    variables = api(program("app"), region).inputs["environment"]["variables"]
    data = DATA[ROLE_OF[region]]
    other = next(name for name in REGIONS if name != region)
    switch = {
        "FAILOVER_SWITCH_PARAMETER": f"/warm-standby/us-west-2/{SUFFIX}/local/failover-switch"
    }
    assert variables == {
        "REGION_ROLE": ROLE_OF[region],
        "ENVIRONMENT_SUFFIX": SUFFIX,
        "LOG_LEVEL": "info",
        "DATABASE_CERTIFICATE_AUTHORITIES": "/var/runtime/ca-cert.pem",
        "DATABASE_WRITER_ENDPOINT": DATA["global_writer_endpoint"],
        "DATABASE_CLUSTER_ENDPOINT": data["cluster_endpoint"],
        "DATABASE_READER_ENDPOINT": data["reader_endpoint"],
        "DATABASE_PORT": "5432",
        "DATABASE_NAME": "app",
        "DATABASE_SERVER_NAMES": SERVER_NAMES,
        "DATABASE_SECRET_ARN": data["application_secret_arn"],
        "BUCKET_NAME": data["bucket_name"],
        "EVENT_BUS_NAME": f"bus-app-{region}-{SUFFIX}",
        "EVENT_SOURCE": "warm-standby.app",
        "READINESS_TOKEN_SECRET_ARN": data["readiness_token_secret_arn"],
        "EPOCH_PARAMETER": f"/warm-standby/{region}/{SUFFIX}/shared/epoch",
        "PEER_EPOCH_PARAMETER": f"/warm-standby/{other}/{SUFFIX}/shared/epoch",
        "PEER_REGION": other,
        "DATABASE_PEER_READER_ENDPOINT": DATA[ROLE_OF[other]]["reader_endpoint"],
        **(switch if region == "us-west-2" else {}),
    }


def test_nothing_else_may_read_the_masters_secret() -> None:
    """R9.3: of all policies only the migration's names it, and it runs in us-east-1 alone."""
    deployment = program("app")
    master = DATA["master_secret_arn"]
    holders = [
        policy.name
        for policy in deployment.created("aws:iam/policy:Policy")
        if master in policy.inputs["policy"]
    ]
    assert holders == ["role-migrate-us-east-1"]
    variables = migrate(deployment).inputs["environment"]["variables"]
    assert variables["MASTER_SECRET_ARN"] == master
    assert variables["APPLICATION_SECRET_ARN"] == DATA["primary"]["application_secret_arn"]
    assert "DATABASE_SECRET_ARN" not in variables


def test_the_deployment_calls_the_migration_when_the_bundle_changes() -> None:
    """R2.1: same bundle, other handler; its hash, a new secret or a new database is the trigger,
    and services come after it."""
    deployment = program("app")
    function = migrate(deployment)
    assert function.inputs["handler"] == "index.migrate"
    assert function.inputs["code"] == api(deployment, "us-west-2").inputs["code"]
    call = deployment.one("aws:lambda/invocation:Invocation", "run-migrate-us-east-1")
    assert call.inputs["functionName"] == function.inputs["name"]
    triggers = call.inputs["triggers"]
    assert re.fullmatch(r"[0-9a-f]{64}", triggers.pop("bundle"))
    assert triggers == {
        "secret": DATA["primary"]["application_secret_arn"],
        "version": "present",
        "database": DATA["global_writer_endpoint"],
    }
    assert deployment.reaches(call, function)
    for region in REGIONS:
        assert deployment.reaches(api(deployment, region), call)


ALLOWED = {
    "NetworkInterfacesByLambda": {
        "ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets",
        "ec2:DeleteNetworkInterface", "ec2:AssignPrivateIpAddresses",
        "ec2:UnassignPrivateIpAddresses",
    },
    "Traces": {"xray:PutTraceSegments", "xray:PutTelemetryRecords"},
    "Logs": {"logs:CreateLogStream", "logs:PutLogEvents"},
    "Key": {"kms:Decrypt", "kms:GenerateDataKey"},
    "ApplicationSecret": {"secretsmanager:GetSecretValue"},
    "ReadinessToken": {"secretsmanager:GetSecretValue"},
    "Epochs": {"ssm:GetParameter"},
    "Bus": {"events:PutEvents", "events:DescribeEventBus"},
    "Attachments": {"s3:GetObject", "s3:PutObject"},
    "Events": {"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"},
    "FailedEvents": {"sqs:SendMessage"},
}  # fmt: skip


@both_regions
def test_the_role_grants_what_is_needed_and_no_more(region: str) -> None:
    """R9.3: each statement by name; a new permission has to be written here as well."""
    granted = statements(program("app"), f"role-api-{region}")
    denied = granted.pop("NoNetworkInterfacesByTheCode")
    assert denied["Effect"] == "Deny"
    assert set(denied["Action"]) == ALLOWED["NetworkInterfacesByLambda"]
    expected = dict(ALLOWED)
    if region == "us-west-2":
        expected["FailoverSwitch"] = {"ssm:GetParameter"}
    assert {sid: set(entry["Action"]) for sid, entry in granted.items()} == expected
    assert {entry["Effect"] for entry in granted.values()} == {"Allow"}


def test_only_two_statements_are_not_scoped() -> None:
    """R9.3: network interfaces and traces, whose actions know no resource; none else has a star."""
    deployment = program("app")
    for policy in deployment.created("aws:iam/policy:Policy"):
        for entry in json.loads(policy.inputs["policy"])["Statement"]:
            if entry["Sid"] in {"NetworkInterfacesByLambda", "Traces"}:
                assert entry["Resource"] == ["*"]
            elif entry["Effect"] == "Allow":
                for resource in entry["Resource"]:
                    assert resource.startswith("arn:aws:"), (policy.name, entry["Sid"])
                    assert SUFFIX in resource or ":kms:" in resource, (policy.name, entry["Sid"])


@both_regions
def test_a_regions_role_reaches_only_its_own_region(region: str) -> None:
    """R9.3, trap 10: us-west-2's function needs nothing that exists in us-east-1 only. It looks
    at the other region's epoch, and continues with its own while that can't be read (H26)."""
    other = next(name for name in REGIONS if name != region)
    granted = statements(program("app"), f"role-api-{region}")
    epochs = granted.pop("Epochs")["Resource"]
    assert [resource.split(":")[3] for resource in epochs] == [region, other]
    for entry in granted.values():
        for resource in entry["Resource"]:
            assert f":{other}:" not in resource, entry["Sid"]


@both_regions
def test_roles_have_one_customer_managed_policy_attached_first(region: str) -> None:
    """Trap 19: interfaces are reaped only while the role may; so the function depends on it."""
    deployment = program("app")
    attachment = deployment.one(
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment", f"role-api-{region}"
    )
    assert (
        attachment.inputs["policyArn"]
        == f"arn:aws:iam::{ACCOUNT}:policy/policy-api-{region}-{SUFFIX}"
    )
    assert deployment.reaches(api(deployment, region), attachment)
    assert attachment.urn in api(deployment, region).dependencies


@pytest.mark.no_cover
@pytest.mark.parametrize(
    ("name", "function"),
    [("function-api-us-west-2", "api"), ("function-migrate-us-east-1", "migrate")],
)
def test_the_log_group_has_retention_and_key_and_comes_first(name: str, function: str) -> None:
    """R2.4: logs are kept as long as configured, under the region's key."""
    deployment = run_program("app", config={"app:logRetentionDays": "365"})
    group = deployment.one("aws:cloudwatch/logGroup:LogGroup", name)
    region = deployment.region_of(group)
    assert group.inputs["name"] == f"/aws/lambda/function-{function}-{region}-{SUFFIX}"
    assert group.inputs["retentionInDays"] == 365
    assert group.inputs["kmsKeyId"] == DATA[ROLE_OF[region]]["key_arn"]
    assert deployment.reaches(deployment.one(FUNCTION, name), group)


@both_regions
def test_the_environment_and_the_queue_are_encrypted_under_our_key(region: str) -> None:
    """N8: what may name a patient's record is under the region's own key (trap 4)."""
    deployment = program("app")
    key = DATA[ROLE_OF[region]]["key_arn"]
    assert api(deployment, region).inputs["kmsKeyArn"] == key
    queue = deployment.one("aws:sqs/queue:Queue", region=region)
    assert queue.inputs["kmsMasterKeyId"] == key
    assert queue.inputs["name"] == f"queue-failed-events-{region}-{SUFFIX}"
    assert queue.inputs["messageRetentionSeconds"] == 14 * 24 * 3600


@both_regions
def test_events_that_the_function_fails_on_are_kept(region: str) -> None:
    """R2.4: error handling of asynchronous calls ends in a queue, not in nothing."""
    deployment = program("app")
    config = deployment.one("aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig",
                            region=region).inputs  # fmt: skip
    queue = deployment.one("aws:sqs/queue:Queue", region=region)
    assert config["functionName"] == api(deployment, region).inputs["name"]
    assert config["qualifier"] == "live"
    assert config["destinationConfig"] == {"onFailure": {"destination": queue.outputs["arn"]}}
    assert config["maximumRetryAttempts"] == 2
    assert config["maximumEventAgeInSeconds"] == 6 * 3600


@both_regions
def test_the_outbox_is_drained_every_minute(region: str) -> None:
    """R2.1, trap 27: a crash between row and event loses neither; both regions drain."""
    deployment = program("app")
    schedule = deployment.one("aws:scheduler/schedule:Schedule", f"schedule-outbox-{region}")
    alias = deployment.one("aws:lambda/alias:Alias", f"live-api-{region}").outputs["arn"]
    role = deployment.one("aws:iam/role:Role", f"schedule-outbox-{region}")
    assert schedule.inputs["scheduleExpression"] == "rate(1 minute)"
    assert schedule.inputs["flexibleTimeWindow"] == {"mode": "OFF"}
    target = schedule.inputs["target"]
    assert json.loads(target["input"]) == {
        "source": "warm-standby.schedule", "detail-type": "outbox.drain",
    }  # fmt: skip
    assert (target["arn"], target["roleArn"]) == (alias, role.outputs["arn"])
    trusted = json.loads(role.inputs["assumeRolePolicy"])["Statement"]
    assert trusted == [{
        "Effect": "Allow",
        "Principal": {"Service": "scheduler.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
    }]  # fmt: skip
    assert statements(deployment, f"schedule-outbox-{region}")["Call"]["Resource"] == [alias]
    attachment = deployment.one(
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment", f"schedule-outbox-{region}"
    )
    assert deployment.reaches(schedule, attachment)


@both_regions
def test_an_emergency_export_is_made_every_night_from_the_own_reader(region: str) -> None:
    """HIPAA §164.308(a)(7)(ii)(C): in each region, by nothing of the other one, as long as it may
    take, once a night; it may read its user's secret and write below its prefix, no more."""
    deployment = program("app")
    data = DATA[ROLE_OF[region]]
    function = deployment.one(FUNCTION, f"function-emergency-{region}")
    assert (function.inputs["handler"], function.inputs["timeout"]) == ("index.emergency", 900)
    variables = function.inputs["environment"]["variables"]
    assert variables["DATABASE_READER_ENDPOINT"] == data["reader_endpoint"]
    assert variables["BUCKET_NAME"] == data["bucket_name"]
    allowed = statements(deployment, f"role-emergency-{region}")
    assert allowed["Exports"]["Action"] == ["s3:PutObject"]
    assert allowed["Exports"]["Resource"] == [f"{data['bucket_arn']}/emergency/{region}/*"]
    assert allowed["ApplicationSecret"]["Resource"] == [data["application_secret_arn"]]
    assert {sid for sid in allowed if sid not in ("Exports", "ApplicationSecret")} == {
        "NetworkInterfacesByLambda", "NoNetworkInterfacesByTheCode", "Traces", "Logs", "Key",
    }  # fmt: skip
    schedule = deployment.one("aws:scheduler/schedule:Schedule", f"schedule-emergency-{region}")
    assert schedule.inputs["scheduleExpression"] == "cron(0 8 * * ? *)"
    target = schedule.inputs["target"]
    assert target["arn"] == function.outputs["arn"]
    assert target["retryPolicy"] == {
        "maximumEventAgeInSeconds": 6 * 3600, "maximumRetryAttempts": 5,
    }  # fmt: skip
    called = statements(deployment, f"schedule-emergency-{region}")["Call"]["Resource"]
    assert called == [function.outputs["arn"]]
    run = deployment.one("aws:lambda/invocation:Invocation", "run-migrate-us-east-1")
    assert deployment.reaches(function, run)


@both_regions
def test_the_load_balancer(region: str) -> None:
    """R2.2, traps 15, 17: public subnets, logs, keep-alive of 180 s, a name of at most 32."""
    balancer = program("app").one("aws:lb/loadBalancer:LoadBalancer", region=region).inputs
    network, data = NETWORK[ROLE_OF[region]], DATA[ROLE_OF[region]]
    assert balancer["name"] == f"alb-app-{region}-{SUFFIX}"
    assert len(balancer["name"]) <= 32
    assert balancer["internal"] is False
    assert balancer["subnets"] == network["public_subnet_ids"]
    assert balancer["securityGroups"] == [network["load_balancer_security_group_id"]]
    assert balancer["accessLogs"] == {"bucket": data["access_log_bucket_name"], "enabled": True}
    assert balancer["dropInvalidHeaderFields"] is True
    assert balancer["clientKeepAlive"] == 180
    assert balancer["enableDeletionProtection"] is False


def test_a_suffix_too_long_for_a_load_balancer_is_refused() -> None:
    """Trap 17: with the limit, the value and the longest suffix that fits."""
    with pytest.raises(SettingsError, match=r"at most 32; the longest suffix that fits has 14"):
        run_program("app", config={"TapStack:environmentSuffix": "a" * 15})


def test_deletion_protection_is_an_opt_in() -> None:
    """R9.3: everything is destroyable unless someone says otherwise."""
    deployment = run_program("app", config={"app:deletionProtection": "true"})
    for balancer in deployment.created("aws:lb/loadBalancer:LoadBalancer"):
        assert balancer.inputs["enableDeletionProtection"] is True


@both_regions
def test_the_target_group_checks_its_function(region: str) -> None:
    """R2.2, traps 13, 18: enabled, with a matcher and without a protocol, inside AWS's ranges."""
    group = program("app").one("aws:lb/targetGroup:TargetGroup", region=region).inputs
    assert group["targetType"] == "lambda"
    assert group["lambdaMultiValueHeadersEnabled"] is False
    check = group["healthCheck"]
    assert (check["enabled"], check["path"], check["matcher"]) == (True, "/health", "200")
    assert "protocol" not in check
    assert 2 <= check["timeout"] < check["interval"] <= 300
    assert all(2 <= check[key] <= 10 for key in ("healthyThreshold", "unhealthyThreshold"))


@both_regions
def test_the_permission_comes_before_the_attachment(region: str) -> None:
    """Trap 18: AWS refuses a target that the load balancer may not invoke."""
    deployment = program("app")
    permission = deployment.one("aws:lambda/permission:Permission", region=region)
    attachment = deployment.one("aws:lb/targetGroupAttachment:TargetGroupAttachment", region=region)
    group = deployment.one("aws:lb/targetGroup:TargetGroup", region=region)
    assert permission.inputs["principal"] == "elasticloadbalancing.amazonaws.com"
    assert permission.inputs["sourceArn"] == group.outputs["arn"]
    assert permission.urn in attachment.dependencies


@both_regions
def test_without_certificates_port_80_serves(region: str) -> None:
    """R2.2: the client's HTTP on 80; nothing else listens."""
    deployment = program("app")
    listener = deployment.one("aws:lb/listener:Listener", region=region)
    group = deployment.one("aws:lb/targetGroup:TargetGroup", region=region)
    assert (listener.inputs["port"], listener.inputs["protocol"]) == (80, "HTTP")
    assert listener.inputs["defaultActions"] == [
        {"type": "forward", "targetGroupArn": group.outputs["arn"]}
    ]
    assert deployment.created("aws:lb/listenerRule:ListenerRule") == []


@pytest.mark.no_cover
@both_regions
def test_the_way_in_has_addresses_that_others_can_allow(region: str) -> None:
    """Issue 23.9: each region's load balancer takes its own from its pool; as shipped there is
    none."""
    pools = {name: f"ipam-pool-{name[-1]}0" for name in REGIONS}
    type_ = "aws:lb/loadBalancer:LoadBalancer"
    made = run_program("app", config={"app:ipamPoolIds": pools}).one(type_, region=region)
    assert made.inputs["ipamPools"] == {"ipv4IpamPoolId": pools[region]}
    assert "ipamPools" not in program("app").one(type_, region=region).inputs


@pytest.mark.no_cover
@both_regions
def test_with_certificates_443_serves_and_80_redirects_all_but_the_checks(region: str) -> None:
    """R2.2, trap 12: Route 53 counts a redirect as healthy, so the released switch's 404 must
    come from port 80 itself."""
    deployment = run_program("app", config={"app:certificateArns": CERTIFICATES})
    group = deployment.one("aws:lb/targetGroup:TargetGroup", region=region).outputs["arn"]
    tls = deployment.one("aws:lb/listener:Listener", f"https-app-{region}").inputs
    assert (tls["port"], tls["protocol"]) == (443, "HTTPS")
    assert tls["certificateArn"] == CERTIFICATES[region]
    assert tls["sslPolicy"] == "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"
    assert tls["defaultActions"] == [{"type": "forward", "targetGroupArn": group}]
    plain = deployment.one("aws:lb/listener:Listener", f"http-app-{region}")
    assert plain.inputs["defaultActions"] == [
        {"type": "redirect", "redirect": {"protocol": "HTTPS", "port": "443",
                                          "statusCode": "HTTP_301"}}
    ]  # fmt: skip
    rule = deployment.one("aws:lb/listenerRule:ListenerRule", region=region).inputs
    assert rule["listenerArn"] == plain.outputs["arn"]
    assert rule["conditions"] == [{"pathPattern": {"values": ["/health", "/failover-switch"]}}]
    assert rule["actions"] == [{"type": "forward", "targetGroupArn": group}]
