"""Lambda: functions, permissions, invocations, aliases, event source mappings."""

from __future__ import annotations

import hashlib
import json
from typing import Any, ClassVar

from lab.provider.archive import zipped
from lab.provider.aws import Aws
from lab.provider.declaration import Properties, Tagging, op
from lab.provider.resource import ResourceType
from pulumi_protocol.values import plain_without_nulls

CODE = "code architectures"
LATEST = "$LATEST"
UNPUBLISHED = frozenset({"tags", "tagsAll", "reservedConcurrentExecutions"})
ROLE_SECONDS = 10.0
"""A role made a moment ago can't be assumed yet, or has no permissions yet."""
MAPPING_ARN = "arn:aws:lambda:{region}:{account}:event-source-mapping"


class Function(ResourceType):
    """A function."""

    pulumi_type = "aws:lambda/function:Function"
    service = "lambda"
    inputs = (
        "name role handler runtime timeout memorySize description environment vpcConfig "
        "tracingConfig deadLetterConfig layers ephemeralStorage loggingConfig kmsKeyArn snapStart "
        "packageType publish fileSystemConfig code architectures "
        "reservedConcurrentExecutions"
    )
    settings = "replaceSecurityGroupsOnDestroy replacementSecurityGroupIds"
    names: ClassVar = {
        "name": "FunctionName",
        "code": "",
        "fileSystemConfig": "FileSystemConfigs",
        "fileSystemConfig.localMountPath": "LocalMountPath",
    }
    autoname = "name"
    identity = ("name",)
    creation = op("CreateFunction")
    updates = (
        op(
            "UpdateFunctionConfiguration",
            only=(
                "role handler runtime timeout memorySize description environment vpcConfig "
                "tracingConfig deadLetterConfig layers ephemeralStorage loggingConfig kmsKeyArn "
                "snapStart fileSystemConfig"
            ),
            FunctionName="{id}",
        ),
    )
    in_place = f"{CODE} reservedConcurrentExecutions publish"
    resets: ClassVar = {
        "timeout": 3,
        "memorySize": 128,
        "environment": {"variables": {}},
        "vpcConfig": {"subnetIds": [], "securityGroupIds": []},
        "tracingConfig": {"mode": "PassThrough"},
        "deadLetterConfig": {"targetArn": ""},
        "ephemeralStorage": {"size": 512},
        "snapStart": {"applyOn": "None"},
    }
    id = "{name}"
    reading = op(
        "GetFunction",
        "Configuration",
        names={"name": "FunctionName", "code": ""},
        FunctionName="{id}",
    )
    deletion = op("DeleteFunction", FunctionName="{id}")
    tagging = Tagging(
        tag=op("TagResource", Resource="arn:aws:lambda:{region}:{account}:function:{id}"),
        untag=op("UntagResource", Resource="arn:aws:lambda:{region}:{account}:function:{id}"),
        list=op("ListTags", Resource="arn:aws:lambda:{region}:{account}:function:{id}"),
    )
    volatile = frozenset(
        {"lastModified", "version", "qualifiedArn", "codeSha256", "sourceCodeSize",
         "qualifiedInvokeArn"}
    )  # fmt: skip
    invoke = "arn:aws:apigateway:{region}:lambda:path/2015-03-31/functions/"
    outputs: ClassVar = {
        "arn": "FunctionArn",
        "invokeArn": (f"{invoke}arn:aws:lambda:{{region}}:{{account}}:function:{{id}}/invocations"),
        "qualifiedArn": lambda raw: (
            f"{raw['FunctionArn']}:{raw.get('Newest') or LATEST}"
            if raw.get("FunctionArn")
            else None
        ),
        "version": lambda raw: raw.get("Newest") or raw.get("Version"),
        "lastModified": "LastModified",
        "codeSha256": "CodeSha256",
        "sourceCodeSize": "CodeSize",
    }

    def describe(self, aws: Aws, ident: str, props: Any) -> Properties | None:
        """As pulumi-aws does: the version is the newest that is published, if any is."""
        raw = super().describe(aws, ident, props)
        if raw is not None:
            published = self._published(aws, ident)
            raw["Newest"] = str(max(published)) if published else LATEST
        return raw

    def _published(self, aws: Aws, ident: str) -> list[int]:
        found: list[int] = []
        more: dict[str, str] = {}
        while True:
            page = aws.call("lambda", "ListVersionsByFunction", {"FunctionName": ident, **more})
            found += [int(one["Version"]) for one in page["Versions"] if one["Version"] != LATEST]
            if not page.get("NextMarker"):
                return found
            more = {"Marker": page["NextMarker"]}

    def create(self, aws: Aws, props: Properties) -> str:
        call = op("CreateFunction")
        parameters = self.parameters(aws, call, None, props)
        parameters["Code"] = {"ZipFile": zipped(props["code"])}
        parameters |= self.tags_of(call, props)
        aws.retry(
            ROLE_SECONDS,
            ("InvalidParameterValueException", "KMSAccessDeniedException"),
            lambda: aws.call("lambda", "CreateFunction", parameters),
            says=" role ",
        )
        return props["name"]

    def finish(self, aws: Aws, ident: str, props: Properties) -> None:
        self._settled(aws, ident)
        reserved = props.get("reservedConcurrentExecutions")
        if reserved is not None and int(reserved) >= 0:
            aws.call(
                "lambda",
                "PutFunctionConcurrency",
                {"FunctionName": ident, "ReservedConcurrentExecutions": int(reserved)},
            )

    def _settled(self, aws: Aws, ident: str) -> None:
        """Waits until creation or the last update has ended."""

        def probe() -> bool | None:
            raw = super(Function, self).describe(aws, ident, {})
            if raw is None:
                raise RuntimeError(f"function {ident}: gone right after it was written")
            if raw.get("State") == "Failed" or raw.get("LastUpdateStatus") == "Failed":
                reason = raw.get("StateReason") or raw.get("LastUpdateStatusReason")
                raise RuntimeError(f"function {ident} failed: {reason}")
            busy = raw.get("State") == "Pending" or raw.get("LastUpdateStatus") == "InProgress"
            return None if busy else True

        aws.until(f"function {ident} becoming active", self.wait_seconds, probe)

    def update(
        self,
        aws: Aws,
        ident: str,
        before: Any,
        after: Properties,
        changed: list[str],
        state: Properties,
    ) -> None:
        if "loggingConfig" in changed and "loggingConfig" not in after:
            usual = {"logFormat": "Text", "logGroup": f"/aws/lambda/{ident}"}
            after = {**after, "loggingConfig": usual}
        super().update(aws, ident, before, after, changed, state)
        self._settled(aws, ident)
        if set(CODE.split()) & set(changed):
            self._send_code(aws, ident, after)
            self._settled(aws, ident)
        # Tags and concurrency are the function's, not a version's.
        if after.get("publish") and set(changed) - UNPUBLISHED:
            aws.call("lambda", "PublishVersion", {"FunctionName": ident})
            self._settled(aws, ident)
        if "reservedConcurrentExecutions" in changed:
            if int(after.get("reservedConcurrentExecutions", -1)) >= 0:
                self.finish(aws, ident, after)
            else:
                aws.call("lambda", "DeleteFunctionConcurrency", {"FunctionName": ident})

    def _send_code(self, aws: Aws, ident: str, props: Properties) -> None:
        parameters = self.parameters(aws, op("UpdateFunctionCode", only=CODE), None, props)
        parameters["ZipFile"] = zipped(props["code"])
        parameters["FunctionName"] = ident
        aws.call("lambda", "UpdateFunctionCode", parameters)

    def drift(self, aws: Aws, raw: Properties, key: str, written: Any) -> Any:
        if key == "reservedConcurrentExecutions":
            answer = aws.call(
                "lambda", "GetFunctionConcurrency", {"FunctionName": raw["FunctionName"]}
            )
            return answer.get("ReservedConcurrentExecutions", -1)
        if key in ("publish", "code"):
            return written
        return super().drift(aws, raw, key, written)


class Permission(ResourceType):
    """Who may invoke a function."""

    pulumi_type = "aws:lambda/permission:Permission"
    service = "lambda"
    inputs = (
        "function statementId action principal sourceArn sourceAccount qualifier principalOrgId "
        "functionUrlAuthType eventSourceToken invokedViaFunctionUrl"
    )
    names: ClassVar = {"function": "FunctionName"}
    autoname = "statementId"
    identity = ("function", "statementId", "qualifier")
    creation = op("AddPermission")
    id = "{statementId}"
    deletion = op(
        "RemovePermission",
        FunctionName="{function}",
        StatementId="{id}",
        Qualifier="{qualifier}",
    )

    def describe(self, aws: Aws, ident: str, props: Any) -> Properties | None:
        read = op("GetPolicy", FunctionName="{function}", Qualifier="{qualifier}")
        found = self.ask(aws, read, ident, props)
        for statement in json.loads((found or {}).get("Policy") or "{}").get("Statement", []):
            if statement.get("Sid") == ident:
                return statement
        return None

    def drift(self, aws: Aws, raw: Properties, key: str, written: Any) -> Any:
        if key == "principal":
            principal = raw.get("Principal", written)
            if isinstance(principal, dict):
                principal = principal.get("Service") or principal.get("AWS") or written
            is_root = str(principal).endswith(f":{written}:root")
            return written if is_root else principal
        if key == "action":
            return raw.get("Action", written)
        if key == "sourceArn":
            for values in (raw.get("Condition") or {}).values():
                for name, value in values.items():
                    if name.lower() == "aws:sourcearn":
                        return value
        return written


class Invocation(ResourceType):
    """A call of a function, made when its input or its triggers change."""

    pulumi_type = "aws:lambda/invocation:Invocation"
    service = "lambda"
    inputs = "functionName input triggers qualifier"
    names: ClassVar = {"triggers": ""}
    outputs: ClassVar = {"result": "result"}
    volatile = frozenset({"result"})

    def replaces(self, prop: str) -> bool:
        return prop in ("functionName", "region", "input", "triggers", "qualifier")

    def _invoke(self, aws: Aws, props: Properties) -> str:
        parameters = {
            "FunctionName": props["functionName"],
            "Payload": props["input"].encode(),
            "Qualifier": props.get("qualifier") or LATEST,
        }
        answer = aws.retry(
            30,
            ("ResourceConflictException", "TooManyRequestsException"),
            lambda: aws.call("lambda", "Invoke", parameters),
        )
        result = answer["Payload"].read().decode()
        if answer.get("FunctionError"):
            raise RuntimeError(
                f"function {props['functionName']} answered {answer['FunctionError']}: {result}"
            )
        return result

    def create_with_outputs(self, aws: Aws, props: Properties) -> tuple[str, Properties]:
        result = self._invoke(aws, props)
        digest = hashlib.sha256(props["input"].encode()).hexdigest()[:32]
        qualifier = props.get("qualifier") or LATEST
        return f"{props['functionName']}_{qualifier}_{digest}", {"result": result}

    def look_up(self, aws: Aws, inputs: Properties) -> str | None:
        return None  # a call leaves nothing behind to be found; it is made again

    def describe(self, aws: Aws, ident: str, props: Any) -> Properties | None:
        return {}

    def delete(self, aws: Aws, ident: str, props: Properties) -> None:
        """Does nothing: a call can't be taken back."""


class FunctionEventInvokeConfig(ResourceType):
    """How asynchronous calls of a function are retried, and where failures go."""

    pulumi_type = "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig"
    service = "lambda"
    inputs = (
        "functionName qualifier maximumEventAgeInSeconds maximumRetryAttempts destinationConfig"
    )
    creation = op("PutFunctionEventInvokeConfig")
    updates = (
        op(
            "PutFunctionEventInvokeConfig",
            only="maximumEventAgeInSeconds maximumRetryAttempts destinationConfig",
            put=True,
            FunctionName="{functionName}",
            Qualifier="{qualifier}",
        ),
    )
    identity = ("functionName", "qualifier")
    reading = op(
        "GetFunctionEventInvokeConfig",
        names={"functionName": "", "qualifier": ""},
        FunctionName="{functionName}",
        Qualifier="{qualifier}",
    )
    deletion = op(
        "DeleteFunctionEventInvokeConfig", FunctionName="{functionName}", Qualifier="{qualifier}"
    )

    def ident_of(self, aws: Aws, answer: Any, props: Any) -> str:
        qualifier = props.get("qualifier")
        return f"{props['functionName']}:{qualifier}" if qualifier else props["functionName"]

    def look_up(self, aws: Aws, inputs: Properties) -> str | None:
        props = plain_without_nulls(inputs)
        ident = self.ident_of(aws, {}, props)
        return ident if self.describe(aws, ident, props) is not None else None

    def values(self, aws: Aws, ident: str | None, props: Any) -> Properties:
        made = super().values(aws, ident, props)
        if ident and "functionName" not in made:
            made["functionName"] = ident
        return made


class Alias(ResourceType):
    """A name for a version of a function."""

    pulumi_type = "aws:lambda/alias:Alias"
    service = "lambda"
    inputs = "functionName name functionVersion description routingConfig"
    autoname = "name"
    identity = ("functionName", "name")
    creation = op("CreateAlias")
    updates = (
        op("UpdateAlias", only="functionVersion description routingConfig",
           FunctionName="{functionName}", Name="{name}"),
    )  # fmt: skip
    resets: ClassVar = {"routingConfig": {"additionalVersionWeights": {}}}
    id = "AliasArn"
    reading = op("GetAlias", FunctionName="{functionName}", Name="{name}")
    search, found_id = reading, "AliasArn"
    deletion = op("DeleteAlias", FunctionName="{functionName}", Name="{name}")
    outputs: ClassVar = {
        "arn": "AliasArn",
        "invokeArn": (
            "arn:aws:apigateway:{region}:lambda:path/2015-03-31/functions/{id}/invocations"
        ),
    }

    def values(self, aws: Aws, ident: str | None, props: Any) -> Properties:
        made = super().values(aws, ident, props)
        if ident and "name" not in made:
            *_, made["functionName"], made["name"] = ident.split(":")
        return made


class EventSourceMapping(ResourceType):
    """What hands a queue's messages to a function."""

    pulumi_type = "aws:lambda/eventSourceMapping:EventSourceMapping"
    service = "lambda"
    inputs = (
        "eventSourceArn functionName batchSize enabled filterCriteria functionResponseTypes "
        "maximumBatchingWindowInSeconds scalingConfig"
    )
    identity = ("eventSourceArn", "functionName")
    creation = op("CreateEventSourceMapping")
    updates = (op("UpdateEventSourceMapping", UUID="{id}"),)
    resets: ClassVar = {
        "batchSize": 10,
        "enabled": True,
        "filterCriteria": {"filters": []},
        "maximumBatchingWindowInSeconds": 0,
        "scalingConfig": {},
    }
    id = "UUID"
    reading = op("GetEventSourceMapping", names={"functionName": ""}, UUID="{id}")
    search = op(
        "ListEventSourceMappings",
        "EventSourceMappings[0]",
        EventSourceArn="{eventSourceArn}",
        FunctionName="{functionName}",
    )
    found_id = "UUID"
    deletion = op("DeleteEventSourceMapping", UUID="{id}")
    ready = ("State", frozenset({"Enabled", "Disabled"}), frozenset[str]())
    gone_states = frozenset({"Deleting"})
    tagging = Tagging(
        tag=op("TagResource", Resource=f"{MAPPING_ARN}:{{id}}"),
        untag=op("UntagResource", Resource=f"{MAPPING_ARN}:{{id}}"),
        list=op("ListTags", Resource=f"{MAPPING_ARN}:{{id}}"),
    )
    volatile = frozenset({"lastModified", "lastProcessingResult", "state"})
    outputs: ClassVar = {
        "arn": f"{MAPPING_ARN}:{{id}}",
        "uuid": "{id}",
        "functionArn": "FunctionArn",
        "lastModified": "LastModified",
        "lastProcessingResult": "LastProcessingResult",
        "state": "State",
        "stateTransitionReason": "StateTransitionReason",
    }

    def create(self, aws: Aws, props: Properties) -> str:
        return aws.retry(
            ROLE_SECONDS,
            ("InvalidParameterValueException",),
            lambda: super(EventSourceMapping, self).create(aws, props),
            says=" role ",
        )

    def drift(self, aws: Aws, raw: Properties, key: str, written: Any) -> Any:
        if key == "enabled":
            return raw.get("State") in ("Creating", "Enabled", "Enabling", "Updating")
        return super().drift(aws, raw, key, written)
