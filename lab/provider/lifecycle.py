"""The steps of a resource's life as the engine asks for them: create, read, update, delete."""

from __future__ import annotations

from typing import Any

from lab.provider import decisions, shapes
from lab.provider.aws import DEPENDENCY_CODES, Aws, explain, is_not_found
from lab.provider.declaration import ALWAYS, Output, Properties
from lab.provider.resource import ResourceType
from pulumi_protocol.values import contains_secret, plain_without_nulls, secret


class UnfinishedError(Exception):
    """The resource exists, but isn't as asked. The engine records it and calls Update later."""

    def __init__(self, ident: str, outputs: Properties, reason: str) -> None:
        super().__init__(reason)
        self.ident, self.outputs, self.reason = ident, outputs, reason


def create(kind: ResourceType, aws: Aws, inputs: Properties) -> tuple[str, Properties]:
    """Creates it; returns id and outputs. Raises UnfinishedError when it exists only partly."""
    props = plain_without_nulls(inputs)
    ident, answered = (
        aws.retry(60, kind.create_retry, lambda: kind.create_with_outputs(aws, props))
        if kind.create_retry
        else kind.create_with_outputs(aws, props)
    )
    try:
        kind.finish(aws, ident, props)
        raw = kind.require(aws, ident, props)
    except Exception as error:
        raise _unfinished(kind, aws, ident, inputs, {}, error) from error
    return ident, outputs(kind, aws, ident, {**raw, **answered}, inputs, {})


def read(
    kind: ResourceType, aws: Aws, ident: str, inputs: Properties, old: Properties
) -> tuple[Properties, Properties] | None:
    """Returns (inputs, outputs) with the drift applied, or None when it is gone."""
    known = {**old, **inputs}
    raw = kind.describe(aws, ident, plain_without_nulls(known))
    if raw is None:
        return None
    fresh = dict(inputs) if inputs or old else kind.imported(aws, ident, raw)
    for key, written in decisions.own(fresh).items():
        if key in ALWAYS:
            continue
        seen = kind.drift(aws, raw, key, plain_without_nulls(written))
        if not shapes.same(seen, written):
            fresh[key] = secret(seen) if contains_secret(written) else seen
    if kind.tagging:
        seen = kind.current_tags(aws, ident, raw, plain_without_nulls({**known, **fresh}))
        fresh = decisions.tags_seen(fresh, seen, aws.default_tags)
    return fresh, outputs(kind, aws, ident, raw, fresh, old)


def update(
    kind: ResourceType,
    aws: Aws,
    ident: str,
    old: Properties,
    old_inputs: Properties,
    inputs: Properties,
) -> Properties:
    """Makes it as the inputs say; returns the outputs. Inputs that are the same complete a
    creation. Raises UnfinishedError when it isn't wholly as asked."""
    before, after = plain_without_nulls(old_inputs), plain_without_nulls(inputs)
    state = plain_without_nulls(old)
    changed = decisions.changed(before, after)
    try:
        if changed:
            kind.update(aws, ident, before, after, changed, state)
            if "tagsAll" in changed:
                kind.retag(aws, ident, before, after, state)
            kind.wait_ready(aws, ident, {**state, **after})
        else:
            kind.complete(aws, ident, after)
        raw = kind.require(aws, ident, {**state, **after})
    except Exception as error:
        raise _unfinished(kind, aws, ident, inputs, old, error) from error
    return outputs(kind, aws, ident, raw, inputs, old)


def delete(
    kind: ResourceType,
    aws: Aws,
    ident: str,
    old: Properties,
    inputs: Properties,
    seconds: float = 0,
) -> None:
    """Deletes it; that it isn't there is success. ``seconds``: how long AWS may refuse for what
    still depends on it (0: the type's own time)."""
    props = plain_without_nulls({**old, **inputs})

    def attempt() -> None:
        try:
            kind.delete(aws, ident, props)
        except Exception as error:
            if not is_not_found(error):
                raise

    aws.retry(seconds or kind.dependency_seconds, DEPENDENCY_CODES, attempt)
    if kind.waits_gone:
        aws.until(
            f"{kind.pulumi_type} {ident} going away",
            seconds or kind.wait_seconds,
            lambda: True if kind.describe(aws, ident, props) is None else None,
        )


def outputs(
    kind: ResourceType,
    aws: Aws,
    ident: str,
    raw: Properties,
    inputs: Properties,
    old: Properties,
) -> Properties:
    """Returns the outputs: inputs as received, and everything computed."""
    props = plain_without_nulls({**old, **inputs})
    made: Properties = {}
    for key, source in kind.outputs.items():
        value = _output(kind, aws, source, ident, raw, props)
        if value is None:
            value = old.get(key)
        if value is not None:
            made[key] = secret(value) if key in kind.secret_outputs else value
    return {**made, **decisions.own(inputs)}


def _output(
    kind: ResourceType, aws: Aws, source: Output, ident: str, raw: Properties, props: Properties
) -> Any:
    if callable(source):
        value = source(raw)
    elif "{" in source:
        value = kind.fill(aws, source, ident, props)
    else:
        value = shapes.get(raw, source)
    return value.isoformat() if hasattr(value, "isoformat") else value


def _unfinished(
    kind: ResourceType,
    aws: Aws,
    ident: str,
    inputs: Properties,
    old: Properties,
    error: Exception,
) -> UnfinishedError:
    """Returns the state of a resource that exists, but isn't as asked."""
    try:
        raw = kind.describe(aws, ident, plain_without_nulls({**old, **inputs})) or {}
    except Exception:
        raw = {}
    return UnfinishedError(ident, outputs(kind, aws, ident, raw, inputs, old), explain(error))
