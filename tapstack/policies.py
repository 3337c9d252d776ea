"""Statements of IAM and key policies that several layers need, written once."""

from collections.abc import Sequence
from typing import Any

import pulumi

VERSION = "2012-10-17"
"""The policy language's version."""


def document(*statements: Any) -> pulumi.Output[str]:
    """A policy of these statements as JSON; their values may be Outputs."""
    return pulumi.Output.json_dumps({"Version": VERSION, "Statement": list(statements)})


def trust(service: str, account_id: pulumi.Input[str] | None = None) -> pulumi.Output[str]:
    """A role's trust in one AWS service, such as ``s3.amazonaws.com``.

    With ``account_id`` the service may use the role for this account's resources only (IAM user
    guide, "The confused deputy problem"); not every service sends what that condition needs.
    """
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sts:AssumeRole",
    }
    if account_id is not None:
        statement["Condition"] = {"StringEquals": {"aws:SourceAccount": account_id}}
    return document(statement)


def account_administers(account_id: pulumi.Input[str]) -> dict[str, Any]:
    """A key policy's statement that lets the account's IAM policies govern the key.

    Without it AWS refuses the key, since nobody could manage it any more (KMS developer guide,
    "Default key policy").
    """
    return {
        "Sid": "AccountAdministers",
        "Effect": "Allow",
        "Principal": {"AWS": pulumi.Output.format("arn:aws:iam::{0}:root", account_id)},
        "Action": "kms:*",
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
