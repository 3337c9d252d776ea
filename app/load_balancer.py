"""The load balancer of one region, with the function's alias as its only target."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from tapstack.app_settings import TARGET_GROUP_INTERVAL, AppSettings
from tapstack.contracts import RegionalNetwork
from tapstack.regions import Region
from tapstack.well_known import FAILOVER_SWITCH_PATH, HEALTH_PATH

CLIENT_KEEP_ALIVE_SECONDS = 180
"""The default of an hour pins clients to the side that died (trap 15)."""

TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"
"""TLS 1.3 and 1.2 with forward secrecy only ("Security policies for your Application Load
Balancer")."""

NEVER_REDIRECTED = (HEALTH_PATH, FAILOVER_SWITCH_PATH)
"""Route 53 counts a redirect as healthy, so what it checks on port 80 is answered there."""


@dataclass(frozen=True)
class LoadBalancerArgs:
    """Where it stands, what it forwards to, where it logs."""

    region: Region
    settings: AppSettings
    network: RegionalNetwork
    access_log_bucket_name: pulumi.Input[str]
    function: aws.lambda_.Alias


class LoadBalancer(pulumi.ComponentResource):
    """An Application Load Balancer on port 80, with 443 beside it when there is a certificate.

    The target group checks its function: a failover alias evaluates the target's health, and a
    lambda target group has its checks off by default and fails open (traps 13, 18). Names are at
    most 32 characters (trap 17, held by :mod:`tapstack.naming`).
    """

    def __init__(
        self, name: str, args: LoadBalancerArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("warmstandby:app:LoadBalancer", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.balancer = aws.lb.LoadBalancer(
            f"alb-{name}",
            name=args.region.physical_name("alb", "app"),
            load_balancer_type="application",
            internal=False,
            security_groups=[args.network.load_balancer_security_group_id],
            subnets=args.network.public_subnet_ids,
            access_logs=aws.lb.LoadBalancerAccessLogsArgs(
                bucket=args.access_log_bucket_name, enabled=True
            ),
            drop_invalid_header_fields=True,
            client_keep_alive=CLIENT_KEEP_ALIVE_SECONDS,
            ipam_pools=_pools(args),
            enable_deletion_protection=args.settings.deletion_protection,
            opts=child,
        )
        self.target_group = aws.lb.TargetGroup(
            f"tg-{name}",
            name=args.region.physical_name("tg", "app"),
            target_type="lambda",
            # Single-value headers: the function answers both shapes, one is enough (trap 18).
            lambda_multi_value_headers_enabled=False,
            health_check=aws.lb.TargetGroupHealthCheckArgs(
                enabled=True,
                path=HEALTH_PATH,
                matcher="200",
                interval=TARGET_GROUP_INTERVAL,
                # Shorter than the interval even where the function's own timeout is not.
                timeout=10,
                healthy_threshold=2,
                unhealthy_threshold=2,
            ),
            opts=child,
        )
        # The permission comes first: AWS refuses a target that it may not invoke (trap 18).
        permission = aws.lambda_.Permission(
            f"from-alb-{name}",
            action="lambda:InvokeFunction",
            function=args.function.function_name,
            qualifier=args.function.name,
            principal="elasticloadbalancing.amazonaws.com",
            source_arn=self.target_group.arn,
            opts=child,
        )
        aws.lb.TargetGroupAttachment(
            f"target-{name}",
            target_group_arn=self.target_group.arn,
            target_id=args.function.arn,
            # A group takes one function: the one before makes way.
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[permission], delete_before_replace=True
            ),
        )
        certificate_arn = args.settings.certificate_arns.get(args.region.name)
        if certificate_arn:
            self._serve_tls(name, certificate_arn)
        else:
            self._listen(f"http-{name}", 80, "HTTP", self._forward())
        self.register_outputs({"dns_name": self.balancer.dns_name})

    def _serve_tls(self, name: str, certificate_arn: str) -> None:
        """443 serves; 80 redirects to it, except what Route 53 checks."""
        self._listen(
            f"https-{name}",
            443,
            "HTTPS",
            self._forward(),
            certificate_arn=certificate_arn,
            ssl_policy=TLS_POLICY,
        )
        redirect = aws.lb.ListenerDefaultActionArgs(
            type="redirect",
            redirect=aws.lb.ListenerDefaultActionRedirectArgs(
                protocol="HTTPS", port="443", status_code="HTTP_301"
            ),
        )
        plain = self._listen(f"http-{name}", 80, "HTTP", redirect)
        aws.lb.ListenerRule(
            f"checks-{name}",
            listener_arn=plain.arn,
            priority=1,
            conditions=[
                aws.lb.ListenerRuleConditionArgs(
                    path_pattern=aws.lb.ListenerRuleConditionPathPatternArgs(
                        values=list(NEVER_REDIRECTED)
                    )
                )
            ],
            actions=[
                aws.lb.ListenerRuleActionArgs(
                    type="forward", target_group_arn=self.target_group.arn
                )
            ],
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _listen(
        self,
        name: str,
        port: int,
        protocol: str,
        action: aws.lb.ListenerDefaultActionArgs,
        **more: str,
    ) -> aws.lb.Listener:
        return aws.lb.Listener(
            name,
            load_balancer_arn=self.balancer.arn,
            port=port,
            protocol=protocol,
            default_actions=[action],
            opts=pulumi.ResourceOptions(parent=self),
            **more,  # type: ignore[arg-type]
        )

    def _forward(self) -> aws.lb.ListenerDefaultActionArgs:
        return aws.lb.ListenerDefaultActionArgs(
            type="forward", target_group_arn=self.target_group.arn
        )


def _pools(args: LoadBalancerArgs) -> aws.lb.LoadBalancerIpamPoolsArgs | None:
    """The pool whose block stays the same for those who allow addresses; None: Amazon's own."""
    pool = args.settings.ipam_pool_ids.get(args.region.name)
    return aws.lb.LoadBalancerIpamPoolsArgs(ipv4_ipam_pool_id=pool) if pool else None
