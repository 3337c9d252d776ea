"""The configuration of a stack, typed and validated before any resource is declared.

One file an environment (``Pulumi.<stack>.yaml`` at the root) is shared by the four projects, and
every program validates all five namespaces, so a mistake shows in the first layer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from tapstack import fields
from tapstack.app_settings import AppSettings
from tapstack.budget import Budget, check_budget, recovery_budget
from tapstack.connections import check_connections
from tapstack.data_settings import DataSettings
from tapstack.errors import SettingsError
from tapstack.fields import matching, one_of, setting
from tapstack.global_settings import GlobalSettings
from tapstack.network_settings import NetworkSettings
from tapstack.well_known import PROJECT

PRIMARY_REGION = "us-east-1"
LAB_STACK = "lab"


@dataclass(frozen=True)
class StackSettings:
    """Settings of the whole stack: the ``TapStack:`` namespace."""

    environment_suffix: str = setting(
        check=matching(
            r"[a-z0-9]+(-[a-z0-9]+)*", "lower-case letters, digits and single hyphens between them"
        ),
        help="Ends every physical name and distinguishes environments of one account",
    )
    environment: str = setting(
        "", check=one_of("lab", "dev", "prod"), help="The Environment tag: lab, dev or prod"
    )
    standby_region: str = setting(
        "us-west-2", check=one_of("us-west-2"), help="The warm standby's region"
    )
    primary_zones: tuple[str, ...] = setting(
        ("us-east-1a", "us-east-1b", "us-east-1c"), help="Three availability zones of us-east-1"
    )
    standby_zones: tuple[str, ...] = setting(
        ("us-west-2a", "us-west-2b", "us-west-2c"), help="Three availability zones of us-west-2"
    )
    account_id: str = setting(
        "",
        check=matching(r"\d{12}", "twelve digits"),
        help="The only AWS account that may be deployed to",
    )
    permissions_boundary: str = setting(
        "",
        check=matching(r"arn:aws:iam::\d{12}:policy/\S+", "the ARN of a managed policy"),
        help="Boundary of every role; the deploying role then makes none without it",
    )
    endpoint: str = setting(
        "",
        check=matching(
            r"http://(127\.0\.0\.1|localhost):\d{1,5}", "an http:// address of this machine"
        ),
        help="Address of the lab; only with environment lab",
    )

    def __post_init__(self) -> None:
        for key, zones, region in (
            ("primaryZones", self.primary_zones, PRIMARY_REGION),
            ("standbyZones", self.standby_zones, self.standby_region),
        ):
            wrong = [zone for zone in zones if zone[:-1] != region or not zone[-1:].isalpha()]
            if len(zones) != 3 or len(set(zones)) != 3 or wrong:
                raise SettingsError(
                    f"TapStack:{key} must be three different zones of {region} "
                    f"(got {', '.join(zones)})"
                )


@dataclass(frozen=True)
class Settings:
    """Everything that a stack file says, for one layer's program or for an operator's tool."""

    stack_name: str
    stack: StackSettings
    network: NetworkSettings
    data: DataSettings
    app: AppSettings
    global_: GlobalSettings

    @property
    def suffix(self) -> str:
        """The environment suffix, the last part of every physical name."""
        return self.stack.environment_suffix

    @property
    def environment(self) -> str:
        """``lab``, ``dev`` or ``prod``."""
        return self.stack.environment

    @property
    def is_lab(self) -> bool:
        """Whether this stack runs on a laptop and must call nothing beyond it."""
        return self.environment == "lab"

    @property
    def domain(self) -> str:
        """The hosted zone's domain; only the default carries the suffix."""
        return self.global_.domain or f"{PROJECT}-{self.suffix}.net"

    @property
    def fqdn(self) -> str:
        """The name that clients use: it leads to the region that serves."""
        return f"app.{self.domain}"

    @property
    def server_name(self) -> str:
        """The name on the load balancers' certificates, whose own names are on none; empty without
        certificates."""
        return self.fqdn if self.app.certificate_arns else ""

    @property
    def primary_region(self) -> str:
        """The region that serves."""
        return PRIMARY_REGION

    @property
    def standby_region(self) -> str:
        """The region that stands by warm."""
        return self.stack.standby_region

    @property
    def budget(self) -> Budget:
        """The recovery budget that this configuration makes (N6)."""
        return recovery_budget(
            self.global_.health_check_interval, self.global_.health_check_threshold
        )

    def warnings(self) -> tuple[str, ...]:
        """What works but goes against advice, one line each."""
        return self.data.warnings()

    @classmethod
    def of(cls, stack_name: str, config: Mapping[str, Any]) -> Self:
        """Parses ``{"namespace:key": value}`` as Pulumi hands it over (values are strings).

        Raises :class:`SettingsError` with one line for the first mistake.
        """
        spaces: dict[str, dict[str, str]] = {}
        for name, value in config.items():
            namespace, _, key = name.partition(":")
            spaces.setdefault(namespace, {})[key] = value
        _check_region(spaces.get("aws", {}))
        settings = cls(
            stack_name=stack_name,
            stack=fields.parse(StackSettings, "TapStack", spaces.get("TapStack", {})),
            network=fields.parse(NetworkSettings, "network", spaces.get("network", {})),
            data=fields.parse(DataSettings, "data", spaces.get("data", {})),
            app=fields.parse(AppSettings, "app", spaces.get("app", {})),
            global_=fields.parse(GlobalSettings, "global", spaces.get("global", {})),
        )
        if not settings.environment:
            default = "lab" if stack_name == LAB_STACK else "dev"
            settings = replace(settings, stack=replace(settings.stack, environment=default))
        settings._check_together()
        return settings

    @classmethod
    def of_program(cls) -> Self:
        """The settings of the Pulumi program that is running."""
        import pulumi
        from pulumi.runtime import config

        secrets = config._SECRET_KEYS.get() or set(config.get_config_secret_keys_env())
        refuse_secrets(secrets)
        return cls.of(pulumi.get_stack(), {**config.get_config_env(), **config.CONFIG.get()})

    def _check_together(self) -> None:
        check_budget(self.budget)
        check_connections(self.app, self.data)
        if self.is_lab and not self.stack.endpoint:
            raise SettingsError(
                "TapStack:endpoint is missing: environment lab needs the lab's address, such as "
                "http://127.0.0.1:45660"
            )
        if self.stack.endpoint and not self.is_lab:
            raise SettingsError(
                f"TapStack:endpoint is for environment lab only (this one is {self.environment})"
            )
        both = {self.primary_region, self.standby_region}
        if self.app.ipam_pool_ids and set(self.app.ipam_pool_ids) != both:
            raise SettingsError(
                f"app:ipamPoolIds needs a pool in {' and in '.join(sorted(both))}: who allows one "
                "region's addresses is shut out by a failover"
            )
        plain = {self.primary_region, self.standby_region} - set(self.app.certificate_arns)
        if self.app.certificate_arns and plain:
            raise SettingsError(
                f"app:certificateArns has none for {', '.join(sorted(plain))}: both regions "
                "need one"
            )
        if self.environment == "prod" and plain and not self.app.allow_plain_http:
            raise SettingsError(
                "environment prod needs app:certificateArns for both regions, or "
                "app:allowPlainHttp true to serve patient data over plain HTTP knowingly"
            )


def refuse_secrets(secret_keys: set[str]) -> None:
    """A shared stack file holds no ``secure:`` value.

    Pulumi Cloud encrypts configuration per stack, so the other three projects couldn't read it
    (pulumi #757).
    """
    if secret_keys:
        raise SettingsError(
            f"{sorted(secret_keys)[0]} is a secure: value, which the four projects can't share; "
            "keep secrets in AWS Secrets Manager"
        )


def _check_region(aws: Mapping[str, str]) -> None:
    unknown = sorted(set(aws) - {"region"})
    if unknown:
        raise SettingsError(f"aws:{unknown[0]} is not a setting; aws has: region")
    if aws.get("region") != PRIMARY_REGION:
        raise SettingsError(
            f"aws:region must be {PRIMARY_REGION}, the region that serves "
            f"(got {aws.get('region', 'nothing')})"
        )
