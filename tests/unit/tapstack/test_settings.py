"""Settings: what a stack file may say, and the one line that each mistake gets."""

import re
from typing import Any

import pytest

from tapstack.errors import SettingsError
from tapstack.fields import key_of
from tapstack.settings import Settings, refuse_secrets

BASE = {"TapStack:environmentSuffix": "synthj5p6r0e5", "aws:region": "us-east-1"}
CERTIFICATE = "arn:aws:acm:{region}:123456789012:certificate/11111111-2222-3333"


def settings(stack: str = "dev", **config: Any) -> Settings:
    """Settings of a stack from the base and what's given; ``__`` stands for the colon."""
    extra = {key.replace("__", ":"): value for key, value in config.items()}
    return Settings.of(stack, {**BASE, **extra})


def test_the_shipped_development_file_is_enough() -> None:
    """R9.4: suffix and region are all that dev needs; everything else has a default."""
    dev = settings()
    assert dev.suffix == "synthj5p6r0e5"
    assert dev.environment == "dev"
    assert dev.primary_region == "us-east-1"
    assert dev.standby_region == "us-west-2"
    assert not dev.is_lab
    assert dev.warnings() == ()
    assert dev.data.deletion_protection is False
    assert dev.app.deletion_protection is False
    assert dev.data.secret_recovery_days == 0


def test_the_default_domain_carries_the_suffix() -> None:
    """R9.1, trap 16: a domain that AWS accepts, distinct for each environment."""
    assert settings().domain == "warm-standby-synthj5p6r0e5.net"
    assert settings(global__domain="care.acme.org").domain == "care.acme.org"
    assert settings(global__domain="care.xn--p1ai").domain == "care.xn--p1ai"


def test_the_lab_needs_its_address() -> None:
    """The stack named lab is environment lab, and calls only the address it is given."""
    with pytest.raises(SettingsError, match="TapStack:endpoint is missing"):
        settings("lab")
    lab = settings("lab", TapStack__endpoint="http://127.0.0.1:45660")
    assert lab.is_lab


def test_only_the_lab_has_an_address() -> None:
    """A dev or prod stack with the lab's endpoint would deploy to a laptop."""
    with pytest.raises(SettingsError, match=r"environment lab only \(this one is dev\)"):
        settings(TapStack__endpoint="http://127.0.0.1:45660")


def test_an_address_beyond_this_machine_is_refused() -> None:
    """The lab is local: nothing of it may point elsewhere."""
    with pytest.raises(SettingsError, match="an http:// address of this machine"):
        settings("lab", TapStack__endpoint="http://10.1.2.3:4566")


def test_prod_without_certificates_is_refused_unless_plain_http_is_chosen() -> None:
    """R2.2: the client's HTTP-only wish is for testing and development."""
    with pytest.raises(SettingsError, match="environment prod needs app:certificateArns"):
        settings("prod", TapStack__environment="prod")
    chosen = settings("prod", TapStack__environment="prod", app__allowPlainHttp="true")
    assert chosen.environment == "prod"


def test_certificates_are_for_both_regions_and_of_their_own() -> None:
    """A load balancer takes only a certificate of its region."""
    east, west = (CERTIFICATE.format(region=region) for region in ("us-east-1", "us-west-2"))
    both = settings(app__certificateArns=f'{{"us-east-1": "{east}", "us-west-2": "{west}"}}')
    assert both.app.certificate_arns == {"us-east-1": east, "us-west-2": west}
    with pytest.raises(SettingsError, match="has none for us-west-2"):
        settings(app__certificateArns=f'{{"us-east-1": "{east}"}}')
    with pytest.raises(SettingsError, match="has a certificate of us-east-1 for us-west-2"):
        settings(app__certificateArns=f'{{"us-east-1": "{east}", "us-west-2": "{east}"}}')
    with pytest.raises(SettingsError, match="must map regions to certificate ARNs"):
        settings(app__certificateArns='{"us-east-1": "mine"}')


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"TapStack:environmentSuffix": None}, "TapStack:environmentSuffix is missing: set it in"),
        ({"TapStack:environmentSuffix": "Dev_1"}, "lower-case letters, digits and single hyphens"),
        ({"TapStack:environmentSuffix": "a--b"}, "lower-case letters, digits and single hyphens"),
        ({"TapStack:environment": "staging"}, "must be lab or dev or prod"),
        ({"aws:region": "us-east-2"}, "aws:region must be us-east-1"),
        ({"aws:region": None}, r"aws:region must be us-east-1.*\(got nothing\)"),
        ({"aws:profile": "me"}, "aws:profile is not a setting; aws has: region"),
        ({"TapStack:standbyRegion": "eu-west-1"}, "TapStack:standbyRegion must be us-west-2"),
        ({"TapStack:accountId": "123"}, "must be twelve digits"),
        (
            {"TapStack:primaryZones": '["us-east-1a", "us-east-1a", "us-east-1b"]'},
            "three different zones of us-east-1",
        ),
        (
            {"TapStack:standbyZones": '["us-west-2a", "us-west-2b"]'},
            "three different zones of us-west-2",
        ),
        (
            {"TapStack:standbyZones": '["us-west-2a", "us-west-2b", "us-east-1c"]'},
            "three different zones of us-west-2",
        ),
        ({"TapStack:primaryZones": "us-east-1a"}, "must be a list of strings"),
        ({"TapStack:primaryZones": "[1, 2, 3]"}, "must be a list of strings"),
        ({"TapStack:primaryZones": '{"a": "b"}'}, "must be a list of strings"),
        ({"app:certificateArns": "[]"}, "must be a map of strings"),
        ({"network:natGatways": "1"}, "network:natGatways is not a setting; network has: "),
        ({"network:natGateways": "one"}, "network:natGateways must be a whole number"),
        ({"network:vpcEndpoints": "yes"}, "network:vpcEndpoints must be true or false"),
        ({"data:minCapacity": "much"}, "data:minCapacity must be a number"),
        ({"app:timeoutSeconds": "30"}, "must be below the target group's health-check interval"),
        ({"app:memoryMb": "64"}, "app:memoryMb must be between 128 and 10240"),
        ({"app:architecture": "mips"}, "must be arm64 or x86_64"),
        ({"global:domain": "app.example.com"}, "is reserved: AWS refuses"),
        ({"global:domain": "Not A Domain"}, "must be a domain name in lower case"),
        ({"global:alarmEmail": "nobody"}, "must be an e-mail address"),
        ({"global:hostedZoneId": "zone"}, "a hosted zone id such as"),
        ({"global:healthCheckInterval": "20"}, "must be 10 or 30|must be 30 or 10"),
    ],
)
def test_every_mistake_gets_one_line(config: dict[str, str | None], message: str) -> None:
    """R9: unknown, missing, mistyped and out-of-range keys are refused by every program."""
    values = {key: value for key, value in {**BASE, **config}.items() if value is not None}
    with pytest.raises(SettingsError, match=message) as raised:
        Settings.of("dev", values)
    assert "\n" not in str(raised.value)


def test_a_foreign_layers_mistake_shows_in_every_layer() -> None:
    """Each program validates all five namespaces, so nothing is found after half a deployment."""
    with pytest.raises(SettingsError, match=re.escape("global:healthCheckThreshold")):
        settings(global__healthCheckThreshold="0")


def test_secure_values_are_refused() -> None:
    """Trap 39: Pulumi Cloud encrypts per stack, so four projects can't share a secure value."""
    refuse_secrets(set())
    with pytest.raises(SettingsError, match="data:password is a secure: value"):
        refuse_secrets({"data:password"})


def test_keys_are_written_as_pulumi_writes_them() -> None:
    """names.md: snake_case fields, camelCase keys."""
    assert key_of("flow_log_retention_days") == "flowLogRetentionDays"
    assert key_of("domain") == "domain"
