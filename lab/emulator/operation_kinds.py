"""What an operation's name says: does it only read, and whose plane does it change."""

from __future__ import annotations

import re

_READING = re.compile(
    r"(Get|List|Describe|Head|Lookup|Query|Search|Scan|Select|Test|Simulate|Check|Filter)"
)
_DATA_PLANE = frozenset(
    {
        "PutObject",
        "CopyObject",
        "DeleteObject",
        "DeleteObjects",
        "PutObjectTagging",
        "DeleteObjectTagging",
        "CreateMultipartUpload",
        "UploadPart",
        "CompleteMultipartUpload",
        "AbortMultipartUpload",
        "SendMessage",
        "SendMessageBatch",
        "ReceiveMessage",
        "DeleteMessage",
        "DeleteMessageBatch",
        "ChangeMessageVisibility",
        "PutEvents",
        "PutMetricData",
        "PutLogEvents",
        "CreateLogStream",
        "Publish",
        "PublishBatch",
        "Invoke",
        "InvokeAsync",
        "Encrypt",
        "Decrypt",
        "GenerateDataKey",
        "ReEncrypt",
        "GenerateDataKeyWithoutPlaintext",
        "AssumeRole",
        "AssumeRoleWithWebIdentity",
        "SetAlarmState",
        "PutItem",
        "UpdateItem",
        "DeleteItem",
        "BatchWriteItem",
        "StartQuery",
    }
)


def is_reading(operation: str) -> bool:
    """Whether the operation changes nothing."""
    return _READING.match(operation) is not None


def is_data_plane(operation: str) -> bool:
    """Whether the operation changes contents (objects, messages, metrics), not resources."""
    return operation in _DATA_PLANE
