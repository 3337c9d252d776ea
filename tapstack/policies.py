"""Statements of IAM and key policies that several layers need, written once."""

from collections.abc import Sequence
from typing import Any

import pulumi

Statement = dict[str, Any]
"""One statement of a policy; values may be Outputs."""

Text = pulumi.Input[str]

VERSION = "2012-10-17"
"""The policy language's version."""


def document(*statements: Any) -> pulumi.Output[str]:
    """A policy of these statements as JSON; their values may be Outputs."""
    return pulumi.Output.json_dumps({"Version": VERSION, "Statement": list(statements)})


def allow(sid: str, actions: Sequence[str], resources: Sequence[Text]) -> Statement:
    """Allows ``actions`` on ``resources`` (ARNs)."""
    return {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": list(resources)}


def parameter_arn(region: str, account_id: Text, path: str) -> pulumi.Output[str]:
    """The ARN of a Systems Manager parameter, known by its path."""
    return pulumi.Output.concat("arn:aws:ssm:", region, ":", account_id, ":parameter", path)


def trust(service: str, account_id: pulumi.Input[str] | None = None) -> pulumi.Output[str]:
    """A role's trust in one AWS service, such as ``s3.amazonaws.com``.

    With ``account_id`` the service may use the role for this account's resources only (IAM user
    guide, "The confused deputy problem"). Only for services whose documents show the condition,
    since not every one sends what it needs; a role of this account can't be passed from another
    one, so the form without it lets nobody else in.
    """
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sts:AssumeRole",
    }
    if account_id is not None:
        statement["Condition"] = {"StringEquals": {"aws:SourceAccount": account_id}}
    return document(statement)


KEY_ADMINISTRATION = (
    "kms:CancelKeyDeletion", "kms:CreateAlias", "kms:DeleteAlias", "kms:DescribeKey",
    "kms:DisableKey", "kms:DisableKeyRotation", "kms:EnableKey", "kms:EnableKeyRotation",
    "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListGrants", "kms:ListKeyPolicies",
    "kms:ListKeyRotations", "kms:ListResourceTags", "kms:PutKeyPolicy", "kms:RevokeGrant",
    "kms:RotateKeyOnDemand", "kms:ScheduleKeyDeletion", "kms:TagResource", "kms:UntagResource",
    "kms:UpdateAlias", "kms:UpdateKeyDescription",
)  # fmt: skip
"""What governs a key but neither encrypts nor decrypts with it (KMS developer guide, "Allows key
administrators to administer the KMS key")."""


def account_administers(account_id: pulumi.Input[str]) -> dict[str, Any]:
    """A key policy's statement that lets the account's IAM policies govern the key, not use it.

    ``kms:*`` instead would let any IAM policy of the account decrypt directly, and the statements
    on who uses the key would mean nothing. ``kms:PutKeyPolicy`` is in it: without, AWS refuses the
    key, since nobody could manage it any more (KMS developer guide, "Default key policy").
    """
    return {
        "Sid": "AccountAdministers",
        "Effect": "Allow",
        "Principal": {"AWS": pulumi.Output.format("arn:aws:iam::{0}:root", account_id)},
        "Action": list(KEY_ADMINISTRATION),
        "Resource": "*",
    }


def logs_service_encrypts(
    region: str, log_group_arns: Sequence[pulumi.Input[str]]
) -> dict[str, Any]:
    """A key policy's statement for CloudWatch Logs, for these log groups only.

    Source: CloudWatch Logs user guide, "Encrypt log data in CloudWatch Logs using AWS KMS".
    """
    return {
        "Sid": "LogsServiceEncrypts",
        "Effect": "Allow",
        "Principal": {"Service": f"logs.{region}.amazonaws.com"},
        "Action": [
            "kms:Encrypt*",
            "kms:Decrypt*",
            "kms:ReEncrypt*",
            "kms:GenerateDataKey*",
            "kms:Describe*",
        ],
        "Resource": "*",
        "Condition": {
            "ArnLike": {"kms:EncryptionContext:aws:logs:arn": list(log_group_arns)},
        },
    }
