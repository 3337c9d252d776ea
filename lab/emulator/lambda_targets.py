"""Lambda functions as targets of load balancers: who may call them, and what they may answer."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from lab.call import Answer
from lab.emulator.functions import Function
from lab.emulator.policies import Access, allows

LARGEST = 1024 * 1024
"""Bytes of a Lambda target's request body, and of its response as JSON (AWS, "Use Lambda functions
as targets of an Application Load Balancer", Limits)."""


def deployed_function(arn: str) -> Function | None:
    """A deployed function by its ARN, with or without an alias or version."""
    from ministack.services import lambda_svc

    parts = arn.split(":")
    if len(parts) < 7:
        return None
    record, config, _ = lambda_svc._get_func_record_for_ref_in_scope(
        arn, account_id=parts[4], region=parts[3]
    )
    if not record or not config or not record.get("code_zip"):
        return None
    return Function(config, record["code_zip"], ":".join(parts[7:]))


def may_invoke(function: Function, target_group: str) -> bool:
    """Whether the policy of the function, or of the alias or version that is called, lets load
    balancers call it from this target group."""
    from ministack.services import lambda_svc

    account = function.arn.split(":")[4]
    record = lambda_svc._functions._data.get((account, function.region, function.name), {})
    access = Access(
        action="lambda:InvokeFunction",
        resource=function.called_arn,
        service="elasticloadbalancing.amazonaws.com",
        context={"aws:SourceArn": target_group, "aws:SourceAccount": account},
    )
    return allows([record.get("policy", {})], access)


def answer_of(result: Any) -> Answer | None:
    """A Lambda target's answer; None when it isn't one (malformed, or above 1 MB)."""
    if not isinstance(result, dict):
        return None
    text = json.dumps(result, ensure_ascii=False)
    if len(text.encode("utf-8", "surrogatepass")) > LARGEST:
        return None
    try:
        status = int(result["statusCode"])
        body = result.get("body") or ""
        content = (
            base64.b64decode(body, validate=True)
            if result.get("isBase64Encoded")
            else str(body).encode()
        )
    except (KeyError, TypeError, ValueError, binascii.Error):
        return None
    if not 100 <= status <= 599:
        return None
    multi = result.get("multiValueHeaders")
    headers = (
        [(name, str(value)) for name, values in multi.items() for value in values]
        if multi
        else [(name, str(value)) for name, value in (result.get("headers") or {}).items()]
    )
    headers = [
        (name.lower(), value)
        for name, value in headers
        if name.lower() not in ("content-length", "connection", "transfer-encoding")
    ]
    if content and not any(name == "content-type" for name, _ in headers):
        headers.append(("content-type", "application/octet-stream"))
    return Answer(status, headers, content)
