"""HIPAA conformance pack: IAM and KMS."""

from ops.policies.graph import Graph, Resource, actions, targets
from ops.policies.rule import Rule

AREA = "IAM, KMS"
BLOCKED_KMS_ACTIONS = ("kms:decrypt", "kms:reencryptfrom")


def _policies(graph: Graph) -> list[Resource]:
    return graph.of("iam/policy:Policy")


def _allows(policy: Resource) -> list[dict[str, object]]:
    return [item for item in policy.statements() if item.get("Effect") == "Allow"]


def _administrators(graph: Graph) -> list[Resource]:
    return [
        policy
        for policy in _policies(graph)
        if any("*" in actions(item) and "*" in targets(item) for item in _allows(policy))
    ]


def _full_access(graph: Graph) -> list[Resource]:
    return [
        policy
        for policy in _policies(graph)
        if any(
            action == "*" or action.endswith(":*")
            for item in _allows(policy)
            for action in actions(item)
        )
    ]


def _inline(graph: Graph) -> list[Resource]:
    roles = [role for role in graph.of("iam/role:Role") if role.get("inlinePolicies")]
    return [*graph.of("iam/rolePolicy:RolePolicy"), *roles]


def _decrypts_anything(policies: list[Resource]) -> list[Resource]:
    return [
        policy
        for policy in policies
        if any(
            "*" in targets(item) and any(_is_blocked(action) for action in actions(item))
            for item in _allows(policy)
        )
    ]


def _is_blocked(action: str) -> bool:
    lower = action.lower()
    stem = lower.rstrip("*")
    return any(
        blocked == lower or (lower.endswith("*") and blocked.startswith(stem))
        for blocked in BLOCKED_KMS_ACTIONS
    )


def _customer_decrypts(graph: Graph) -> list[Resource]:
    return _decrypts_anything(_policies(graph))


def _inline_decrypts(graph: Graph) -> list[Resource]:
    return _decrypts_anything(graph.of("iam/rolePolicy:RolePolicy"))


def _disabled_keys(graph: Graph) -> list[Resource]:
    return [key for key in graph.of("kms/key:Key") if key.get("isEnabled") is False]


def _aws_key_secrets(graph: Graph) -> list[Resource]:
    return [
        secret
        for secret in graph.of("secretsmanager/secret:Secret")
        if not (secret.get("kmsKeyId") or secret.references.get("kmsKeyId"))
        or not all(replica.get("kmsKeyId") for replica in secret.get("replicas", []))
    ]


RULES = (
    Rule("iam-policy-no-statements-with-admin-access", AREA, _administrators),
    Rule("iam-policy-no-statements-with-full-access", AREA, _full_access),
    Rule("iam-no-inline-policy-check", AREA, _inline),
    Rule("iam-customer-policy-blocked-kms-actions", AREA, _customer_decrypts),
    Rule("iam-inline-policy-blocked-kms-actions", AREA, _inline_decrypts),
    Rule("kms-cmk-not-scheduled-for-deletion", AREA, _disabled_keys),
    Rule("secretsmanager-using-cmk", AREA, _aws_key_secrets),
)
