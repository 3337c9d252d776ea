"""HIPAA conformance pack: Application Load Balancers and certificates."""

from ops.policies.graph import Graph, Resource
from ops.policies.rule import Rule

AREA = "ALB, ACM"
PLAIN_HTTP = (
    "HTTP on port 80 without a certificate is the client's wish for testing and development "
    "(R2.2); app:certificateArns adds HTTPS and the redirect, and prod is refused without them "
    "unless app:allowPlainHttp is set"
)
MODERN_POLICIES = ("ELBSecurityPolicy-TLS13-1-2-", "ELBSecurityPolicy-TLS13-1-3-")


def _balancers(graph: Graph) -> list[Resource]:
    return graph.of("lb/loadBalancer:LoadBalancer")


def _listeners(graph: Graph, protocol: str) -> list[Resource]:
    return [
        listener
        for listener in graph.of("lb/listener:Listener")
        if listener.get("protocol") == protocol
    ]


def _plain_listeners(graph: Graph) -> list[Resource]:
    return [
        listener
        for listener in _listeners(graph, "HTTP")
        if any(action.get("type") != "redirect" for action in listener.get("defaultActions", []))
    ]


def _without_certificate(graph: Graph) -> list[Resource]:
    secure = [listener for listener in _listeners(graph, "HTTPS") if listener.get("certificateArn")]
    return [
        balancer
        for balancer in _balancers(graph)
        if not any(graph.names(listener, "loadBalancerArn", balancer) for listener in secure)
    ]


def _old_tls(graph: Graph) -> list[Resource]:
    return [
        listener
        for listener in _listeners(graph, "HTTPS")
        if not str(listener.get("sslPolicy", "")).startswith(MODERN_POLICIES)
    ]


def _unprotected(graph: Graph) -> list[Resource]:
    return [item for item in _balancers(graph) if not item.get("enableDeletionProtection")]


def _unlogged(graph: Graph) -> list[Resource]:
    return [item for item in _balancers(graph) if not (item.get("accessLogs") or {}).get("enabled")]


def _without_firewall(graph: Graph) -> list[Resource]:
    associations = "wafv2/webAclAssociation:WebAclAssociation"
    return [
        item for item in _balancers(graph) if not graph.attached(associations, "resourceArn", item)
    ]


def _unlogged_firewalls(graph: Graph) -> list[Resource]:
    logging = "wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration"
    return [
        item
        for item in graph.of("wafv2/webAcl:WebAcl")
        if not graph.attached(logging, "resourceArn", item)
    ]


def _unwatched_certificates(graph: Graph) -> list[Resource]:
    watched = any(
        alarm.get("metricName") == "DaysToExpiry"
        for alarm in graph.of("cloudwatch/metricAlarm:MetricAlarm")
    )
    return [] if watched else _listeners(graph, "HTTPS")


RULES = (
    Rule("alb-http-to-https-redirection-check", AREA, _plain_listeners, PLAIN_HTTP),
    Rule("elbv2-acm-certificate-required", AREA, _without_certificate, PLAIN_HTTP),
    Rule("elb-predefined-security-policy-ssl-check", AREA, _old_tls),
    Rule(
        "elb-deletion-protection-enabled",
        AREA,
        _unprotected,
        "everything is destroyable with no manual step (R9.3); app:deletionProtection turns it on",
    ),
    Rule("elb-logging-enabled", AREA, _unlogged),
    Rule(
        "alb-waf-enabled",
        AREA,
        _without_firewall,
        "a web application firewall costs more than the load balancers; associate one by its ARN "
        "where the environment needs it",
    ),
    Rule("wafv2-logging-enabled", AREA, _unlogged_firewalls),
    Rule("acm-certificate-expiration-check", AREA, _unwatched_certificates, whole_stack=True),
)
