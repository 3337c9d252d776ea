"""What a resource type is: a declaration of AWS calls, and the engine that carries it out.

A type names its calls (``create``, ``read``, ``updates``, ``delete``), its inputs, its id and its
outputs. Which input goes into which call follows from botocore's shapes: an input belongs to every
call whose shape has a member of that name. From this follows the rest: an input of an update call
changes in place, any other forces replacement; an input that only an update call takes is sent
right after creation.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from lab.provider import shapes, wire
from lab.provider.aws import DEPENDENCY_CODES, Aws, explain, is_not_found

Properties = dict[str, Any]
Output = str | Callable[[Any], Any]

ALWAYS = frozenset({"region", "tags", "tagsAll"})
_FIELD = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Op:
    """One AWS call. ``fixed`` are parameters that don't come from an input of the same name;
    ``{id}``, ``{region}``, ``{account}`` and ``{input}`` in them are filled in."""

    name: str
    result: str = ""
    """Where in the answer the resource is (``Vpcs[0]``)."""
    only: frozenset[str] | None = None
    """The inputs it takes; None: every input that its shape knows."""
    without: frozenset[str] = frozenset()
    names: Mapping[str, str] = field(default_factory=dict)
    one_by_one: bool = False
    """AWS takes one attribute a call."""
    put: bool = False
    """What isn't sent is thereby removed."""
    fixed: Mapping[str, Any] = field(default_factory=dict)


def op(
    name: str,
    result: str = "",
    *,
    only: str | None = None,
    without: str = "",
    names: Mapping[str, str] | None = None,
    one_by_one: bool = False,
    put: bool = False,
    **fixed: Any,
) -> Op:
    """Declare a call; ``only`` and ``without`` are inputs separated by spaces."""
    return Op(
        name,
        result,
        None if only is None else frozenset(only.split()),
        frozenset(without.split()),
        names or {},
        one_by_one,
        put,
        fixed,
    )


@dataclass(frozen=True)
class Tagging:
    """How a service tags what exists. ``path`` is where ``read`` answers the tags; else ``list``
    is called."""

    tag: Op
    untag: Op
    path: str = ""
    list: Op | None = None


class UnfinishedError(Exception):
    """The resource exists, but isn't as asked. The engine records it and calls Update later."""

    def __init__(self, ident: str, outputs: Properties, reason: str) -> None:
        super().__init__(reason)
        self.ident, self.outputs, self.reason = ident, outputs, reason


def fill(template: Any, values: Mapping[str, Any]) -> Any:
    """A template with its fields filled in; None if a field has no value."""
    if isinstance(template, list):
        return [fill(item, values) for item in template]
    if not isinstance(template, str):
        return template
    fields = _FIELD.findall(template)
    if any(values.get(name) is None for name in fields):
        return None
    if len(fields) == 1 and template == "{" + fields[0] + "}":
        return values[fields[0]]
    return _FIELD.sub(lambda match: str(values[match[1]]), template)


class ResourceType:
    """One resource type of pulumi-aws. Subclasses declare; what AWS's API shapes differently
    from pulumi-aws, they override (``do_create``, ``describe``, ``do_update``, ``do_delete``)."""

    pulumi_type: ClassVar[str]
    service: ClassVar[str]
    inputs: ClassVar[str] = ""
    """The inputs it knows, separated by spaces, by their names in pulumi-aws."""
    settings: ClassVar[str] = ""
    """Inputs that steer this provider and reach no AWS call of their own name."""
    names: ClassVar[Mapping[str, str]] = {}
    """Exceptions: input path (without indexes) → AWS member path."""
    create: ClassVar[Op | None] = None
    read: ClassVar[Op | None] = None
    updates: ClassVar[tuple[Op, ...]] = ()
    remove: ClassVar[Op | None] = None
    find: ClassVar[Op | None] = None
    """A describe call by natural key, when the id is AWS's own; ``found_id`` is its id in it."""
    id: ClassVar[str] = ""
    """Template over inputs if it has a brace, else a path in the creation's answer."""
    found_id: ClassVar[str] = ""
    outputs: ClassVar[Mapping[str, Output]] = {}
    """Computed output → path in what ``read`` answers, or template, or function of it."""
    volatile: ClassVar[frozenset[str]] = frozenset()
    """Outputs that an update changes."""
    secret_outputs: ClassVar[frozenset[str]] = frozenset()
    replace: ClassVar[str] = ""
    """Inputs that force replacement although an update call would take them."""
    in_place: ClassVar[str] = ""
    """Inputs that special code changes in place."""
    resets: ClassVar[Mapping[str, Any]] = {}
    """What an input becomes when the program no longer sets it."""
    identity: ClassVar[tuple[str, ...]] = ()
    """Inputs that make its natural key: while these stay, AWS allows one such resource only."""
    autoname: ClassVar[str] = ""
    tagging: ClassVar[Tagging | None] = None
    tag_resource: ClassVar[str] = ""
    is_global: ClassVar[bool] = False
    ready: ClassVar[tuple[str, frozenset[str], frozenset[str]] | None] = None
    """(path of the state, states to wait for, states of failure)."""
    gone_states: ClassVar[frozenset[str]] = frozenset()
    waits_gone: ClassVar[bool] = False
    create_retry: ClassVar[tuple[str, ...]] = ()
    """AWS error codes of a creation that pass by themselves."""
    dependency_seconds: ClassVar[float] = 60.0
    wait_seconds: ClassVar[float] = 600.0

    # -- what is declared -------------------------------------------------------------------

    @property
    def known(self) -> frozenset[str]:
        """Every input that the type accepts."""
        always = {"tags", "tagsAll"} if self.tagging else set()
        if not self.is_global:
            always.add("region")
        return frozenset([*self.inputs.split(), *self.settings.split(), *always])

    def location(self, aws: Aws, call: Op, prop: str) -> str | None:
        """Where ``call`` takes the input ``prop``, or None."""
        if prop in ALWAYS or prop in call.without:
            return None
        if call.only is not None and prop not in call.only:
            return None
        shape = aws.operation(self.service, call.name).input_shape
        return shapes.locate(shape, prop, {**self.names, **call.names})

    def replaces(self, aws: Aws, prop: str) -> bool:
        """Whether a change of ``prop`` forces replacement."""
        if prop in self.replace.split() or prop == "region":
            return True
        if prop in self.settings.split() or prop in self.in_place.split() or prop in ALWAYS:
            return False
        return not any(self.location(aws, call, prop) for call in self.updates)

    def label(self, props: Mapping[str, Any]) -> str:
        """The resource's physical name, for messages."""
        props = wire.plain(dict(props))
        tags = props.get("tagsAll") or props.get("tags") or {}
        candidates = [self.autoname, *self.identity, "name"]
        names = [str(props[key]) for key in candidates if key and props.get(key)]
        name = tags.get("Name") if isinstance(tags, Mapping) else None
        return name or (names[0] if names else "")

    # -- check ------------------------------------------------------------------------------

    def check(self, aws: Aws, news: Properties, olds: Properties) -> list[tuple[str, str]]:
        """What is wrong with the inputs: (property, reason)."""
        failures = [
            (key, f"input {key!r} of {self.pulumi_type} is not supported by the lab's provider")
            for key in news
            if key not in self.known and not key.startswith("__")
        ]
        if failures or shapes.same(news, olds):
            return failures
        props = wire.plain(news)
        for key, value in props.items():
            if isinstance(value, Mapping | list) and key not in ALWAYS and not wire.is_asset(value):
                failures += self._check_nested(aws, key, value)
        return failures + self.validate(aws, props)

    def _check_nested(self, aws: Aws, key: str, value: Any) -> list[tuple[str, str]]:
        for call in filter(None, (self.create, *self.updates)):
            target = self.location(aws, call, key)
            if target is None:
                continue
            shape = shapes.follow(aws.operation(self.service, call.name).input_shape, target)
            try:
                shapes.to_aws(value, shape, {**self.names, **call.names}, key)
            except shapes.UnmappedError as error:
                return [(error.path, str(error))]
            except (TypeError, ValueError) as error:
                return [(key, f"{key}: {error}")]
        return []

    def validate(self, aws: Aws, props: Properties) -> list[tuple[str, str]]:
        """What AWS would refuse, where telling it early is cheap; values may be unknown."""
        return []

    def assign_name(self, news: Properties, olds: Properties, urn: str, seed: bytes) -> None:
        """Give a name to what the program left unnamed, as Pulumi does: stable while it lives."""
        if self.autoname and self.autoname not in news:
            kept = olds.get(self.autoname)
            suffix = hashlib.sha256(seed or urn.encode()).hexdigest()[:7]
            news[self.autoname] = kept or f"{urn.rsplit('::', 1)[-1]}-{suffix}"

    # -- parameters -------------------------------------------------------------------------

    def values(self, aws: Aws, ident: str | None, props: Mapping[str, Any]) -> Properties:
        """What templates may name."""
        made = {**props, "region": aws.region}
        if ident is not None:
            made["id"] = ident
        return made

    def _fill(self, aws: Aws, template: Any, ident: str | None, props: Mapping[str, Any]) -> Any:
        values = self.values(aws, ident, props)
        if "{account}" in repr(template):
            values["account"] = aws.account_id
        return fill(template, values)

    def parameters(
        self,
        aws: Aws,
        call: Op,
        ident: str | None,
        props: Mapping[str, Any],
        only: Iterable[str] | None = None,
        state: Mapping[str, Any] | None = None,
    ) -> Properties:
        """The parameters of a call: its fixed ones and every input that it takes."""
        shape = aws.operation(self.service, call.name).input_shape
        names = {**self.names, **call.names}
        made: Properties = {}
        for key, value in props.items():
            if only is not None and key not in only:
                continue
            target = self.location(aws, call, key)
            if target is not None and value is not None:
                target_shape = shapes.follow(shape, target)
                shapes.put(made, target, shapes.to_aws(value, target_shape, names, key))
        for key, template in call.fixed.items():
            value = self._fill(aws, template, ident, {**(state or {}), **props})
            if value is not None:
                shapes.put(made, key, value)
        return made

    def call(
        self,
        aws: Aws,
        call: Op,
        ident: str | None,
        props: Mapping[str, Any],
        only: Iterable[str] | None = None,
        extra: Mapping[str, Any] | None = None,
        state: Mapping[str, Any] | None = None,
    ) -> Properties:
        """Make a call with the inputs that it takes."""
        parameters = self.parameters(aws, call, ident, props, only, state)
        return aws.call(self.service, call.name, {**parameters, **(extra or {})})

    # -- create -----------------------------------------------------------------------------

    def create_resource(self, aws: Aws, inputs: Properties) -> tuple[str, Properties]:
        """Create it; answers id and outputs. Raises UnfinishedError when it exists only partly."""
        props = wire.plain(inputs)
        ident = (
            aws.retry(60, self.create_retry, lambda: self.do_create(aws, props))
            if self.create_retry
            else self.do_create(aws, props)
        )
        try:
            self.finish(aws, ident, props)
            raw = self.require(aws, ident, props)
        except Exception as error:
            raise self.unfinished(aws, ident, inputs, {}, error) from error
        return ident, self.answer(aws, ident, raw, inputs, {})

    def unfinished(
        self, aws: Aws, ident: str, inputs: Properties, old: Properties, error: Exception
    ) -> UnfinishedError:
        """The state of a resource that exists, but isn't as asked."""
        try:
            raw = self.describe(aws, ident, wire.plain({**old, **inputs})) or {}
        except Exception:
            raw = {}
        return UnfinishedError(ident, self.answer(aws, ident, raw, inputs, old), explain(error))

    def do_create(self, aws: Aws, props: Properties) -> str:
        """The creating call; answers the id."""
        if self.create is None:
            raise NotImplementedError(self.pulumi_type)
        parameters = self.parameters(aws, self.create, None, props)
        self.add_tags(aws, self.create, parameters, props.get("tagsAll") or {})
        return self.ident_of(aws, aws.call(self.service, self.create.name, parameters), props)

    def ident_of(self, aws: Aws, answer: Any, props: Mapping[str, Any]) -> str:
        """The id, from the creation's answer or from the inputs."""
        if "{" in self.id:
            ident = self._fill(aws, self.id, None, props)
        else:
            ident = shapes.get(answer, self.id)
        if ident is None:
            raise RuntimeError(f"{self.pulumi_type}: AWS's answer has no {self.id}")
        return str(ident)

    def finish(self, aws: Aws, ident: str, props: Properties) -> None:
        """What creation leaves to later calls: waiting, and inputs that only updates take."""
        self.wait_ready(aws, ident, props)
        for call in self.updates:
            late = [
                key
                for key in props
                if self.location(aws, call, key)
                and not (self.create and self.location(aws, self.create, key))
            ]
            self.send_update(aws, call, ident, props, late, {})

    def wait_ready(self, aws: Aws, ident: str, props: Properties) -> None:
        """Wait until AWS says that it is usable."""
        if self.ready is None:
            return
        path, wanted, failed = self.ready

        def probe() -> bool | None:
            state = shapes.get(self.describe(aws, ident, props) or {}, path)
            if state in failed:
                raise RuntimeError(f"{self.pulumi_type} {ident} is {state}")
            return True if state in wanted or state is None else None

        aws.until(
            f"{self.pulumi_type} {ident} becoming {'/'.join(wanted)}", self.wait_seconds, probe
        )

    # -- read -------------------------------------------------------------------------------

    def describe(self, aws: Aws, ident: str, props: Mapping[str, Any]) -> Properties | None:
        """What AWS says of it, or None when it isn't there."""
        assert self.read is not None, self.pulumi_type  # noqa: S101 - else it's overridden
        return self._described(aws, self.read, ident, props)

    def _described(
        self, aws: Aws, call: Op, ident: str | None, props: Mapping[str, Any]
    ) -> Properties | None:
        parameters = self.parameters(aws, call, ident, {}, state=props)
        try:
            answer = aws.call(self.service, call.name, parameters)
        except Exception as error:
            if is_not_found(error):
                return None
            raise
        answer.pop("ResponseMetadata", None)
        found = shapes.get(answer, call.result) if call.result else answer
        if not found and call.result:
            return None
        if self.gone_states and self.ready and shapes.get(found, self.ready[0]) in self.gone_states:
            return None
        return found

    def require(self, aws: Aws, ident: str, props: Mapping[str, Any]) -> Properties:
        """What AWS says of it, which must be there."""
        raw = self.describe(aws, ident, props)
        if raw is None:
            raise RuntimeError(f"{self.pulumi_type} {ident}: gone right after it was written")
        return raw

    def look_up(self, aws: Aws, inputs: Properties) -> str | None:
        """The id of a resource that is as the inputs name it, or None."""
        props = wire.plain(inputs)
        if self.find is not None:
            found = self._described(aws, self.find, None, props)
            ident = shapes.get(found, self.found_id) if found else None
            return str(ident) if ident else None
        ident = self._fill(aws, self.id, None, props)
        if ident is None or self.describe(aws, str(ident), props) is None:
            return None
        return str(ident)

    def read_shape(self, aws: Aws) -> Any:
        """The botocore shape of what ``describe`` answers, or None."""
        if self.read is None:
            return None
        shape = aws.operation(self.service, self.read.name).output_shape
        return shapes.follow(shape, self.read.result)

    def read_resource(
        self, aws: Aws, ident: str, inputs: Properties, old: Properties
    ) -> tuple[Properties, Properties] | None:
        """(inputs, outputs) with the drift applied, or None when it is gone."""
        known = {**old, **inputs}
        raw = self.describe(aws, ident, wire.plain(known))
        if raw is None:
            return None
        fresh = dict(inputs)
        if not inputs and not old:
            fresh = self.imported(aws, ident, raw)
        for key, written in fresh.items():
            if key in ALWAYS or key.startswith("__"):
                continue
            seen = self.drift(aws, raw, key, wire.plain(written))
            if not shapes.same(seen, written):
                fresh[key] = wire.secret(seen) if wire.has_secret(written) else seen
        if self.tagging:
            self._read_tags(aws, ident, raw, fresh, known)
        return fresh, self.answer(aws, ident, raw, fresh, old)

    def imported(self, aws: Aws, ident: str, raw: Properties) -> Properties:
        """The inputs of a resource of which only the id is known."""
        shape = self.read_shape(aws)
        made: Properties = {} if self.is_global else {"region": aws.region}
        for key in self.inputs.split():
            path = shapes.locate(
                shape, key, {**self.names, **(self.read.names if self.read else {})}
            )
            value = shapes.get(raw, path) if path else None
            if path and value is not None:
                made[key] = shapes.from_aws(value, shapes.follow(shape, path), self.names, key)
        return made

    def drift(self, aws: Aws, raw: Properties, key: str, written: Any) -> Any:
        """An input as AWS has it; what AWS doesn't tell, as it was written."""
        shape = self.read_shape(aws)
        names = {**self.names, **(self.read.names if self.read else {})}
        path = shapes.locate(shape, key, names)
        if path is None:
            return written
        return shapes.from_aws(
            shapes.get(raw, path), shapes.follow(shape, path), names, key, written
        )

    def answer(
        self, aws: Aws, ident: str, raw: Properties, inputs: Properties, old: Properties
    ) -> Properties:
        """The outputs: inputs as received, and everything computed."""
        props = wire.plain({**old, **inputs})
        made: Properties = {}
        for key, source in self.outputs.items():
            value = self._output(aws, source, ident, raw, props)
            if value is None:
                value = old.get(key)
            if value is not None:
                made[key] = wire.secret(value) if key in self.secret_outputs else value
        return {**made, **{k: v for k, v in inputs.items() if not k.startswith("__")}}

    def _output(
        self, aws: Aws, source: Output, ident: str, raw: Properties, props: Properties
    ) -> Any:
        if callable(source):
            value = source(raw)
        elif "{" in source:
            value = self._fill(aws, source, ident, props)
        else:
            value = shapes.get(raw, source)
        return value.isoformat() if hasattr(value, "isoformat") else value

    def preview(self, inputs: Properties, old: Properties | None) -> Properties:
        """The outputs as far as a preview can know them."""
        made = {}
        for key in self.outputs:
            if old is not None and key not in self.volatile and key in old:
                made[key] = old[key]
            else:
                made[key] = wire.UNKNOWN
        return {**made, **{k: v for k, v in inputs.items() if not k.startswith("__")}}

    # -- update -----------------------------------------------------------------------------

    def update_resource(
        self, aws: Aws, ident: str, old: Properties, old_inputs: Properties, inputs: Properties
    ) -> Properties:
        """Make it as the inputs say; answers the outputs."""
        before, after = wire.plain(old_inputs), wire.plain(inputs)
        changed = [
            key
            for key in sorted({*before, *after})
            if not key.startswith("__")
            and not shapes.same(before.get(key), after.get(key))
            and not (key not in before and key not in after)
        ]
        state = wire.plain(old)
        try:
            if changed:
                self.do_update(aws, ident, before, after, changed, state)
                if "tagsAll" in changed:
                    self.retag(aws, ident, before, after, state)
                self.wait_ready(aws, ident, {**state, **after})
            else:
                self.finish(aws, ident, {**after})
            raw = self.require(aws, ident, {**state, **after})
        except Exception as error:
            raise self.unfinished(aws, ident, inputs, old, error) from error
        return self.answer(aws, ident, raw, inputs, old)

    def do_update(
        self,
        aws: Aws,
        ident: str,
        before: Properties,
        after: Properties,
        changed: list[str],
        state: Properties,
    ) -> None:
        """The calls for the inputs that changed."""
        for call in self.updates:
            mine = [key for key in changed if self.location(aws, call, key)]
            self.send_update(aws, call, ident, after, mine, state)

    def send_update(
        self,
        aws: Aws,
        call: Op,
        ident: str,
        props: Properties,
        changed: list[str],
        state: Properties,
    ) -> None:
        """One update call for the inputs in ``changed``, if any."""
        if not changed:
            return
        values = dict(props)
        if not call.put:
            for key in changed:
                if key not in values:
                    values[key] = self._reset(aws, call, key)
        if call.one_by_one:
            for key in changed:
                self.call(aws, call, ident, values, only=[key], state=state)
        else:
            only = None if call.put else self.sent_with(call, changed)
            self.call(aws, call, ident, values, only=only, state=state)

    def sent_with(self, call: Op, changed: list[str]) -> list[str] | None:
        """The inputs that an update call carries when some changed; None: all that it takes."""
        return changed

    def _reset(self, aws: Aws, call: Op, key: str) -> Any:
        if key in self.resets:
            return self.resets[key]
        shape = aws.operation(self.service, call.name).input_shape
        target = shapes.follow(shape, self.location(aws, call, key) or "")
        kind = getattr(target, "type_name", "")
        if kind == "list":
            return []
        if kind == "string":
            return ""
        raise RuntimeError(f"{key} can't be unset in place: set it to the value it shall have")

    # -- tags -------------------------------------------------------------------------------

    def add_tags(self, aws: Aws, call: Op, parameters: Properties, tags: Mapping[str, str]) -> None:
        """Put tags into the parameters of a call, in the form its shape has."""
        shape = aws.operation(self.service, call.name).input_shape
        if not tags or not self.tagging:
            return
        if self.tag_resource and "TagSpecifications" in shape.members:
            pairs = [{"Key": key, "Value": value} for key, value in sorted(tags.items())]
            parameters["TagSpecifications"] = [{"ResourceType": self.tag_resource, "Tags": pairs}]
            return
        name = tag_member(shape)
        parameters[name] = tags_to_aws(tags, shape.members[name])

    def retag(
        self, aws: Aws, ident: str, before: Properties, after: Properties, state: Properties
    ) -> None:
        """Make the tags as ``after`` has them."""
        tagging = self.tagging
        assert tagging is not None, self.pulumi_type  # noqa: S101 - or it has no tags to change
        had, wanted = before.get("tagsAll") or {}, after.get("tagsAll") or {}
        added = {key: value for key, value in wanted.items() if had.get(key) != value}
        removed = sorted(key for key in had if key not in wanted)
        values = {**state, **after}
        if removed:
            parameters = self.parameters(aws, tagging.untag, ident, {}, state=values)
            shape = aws.operation(self.service, tagging.untag.name).input_shape
            keys = tag_keys_member(shape)
            parameters[keys] = (
                removed
                if shape.members[keys].member.type_name == "string"
                else [{"Key": key} for key in removed]
            )
            aws.call(self.service, tagging.untag.name, parameters)
        if added:
            parameters = self.parameters(aws, tagging.tag, ident, {}, state=values)
            shape = aws.operation(self.service, tagging.tag.name).input_shape
            name = tag_member(shape)
            parameters[name] = tags_to_aws(added, shape.members[name])
            aws.call(self.service, tagging.tag.name, parameters)

    def _read_tags(
        self, aws: Aws, ident: str, raw: Properties, fresh: Properties, known: Properties
    ) -> None:
        tags = self.current_tags(aws, ident, raw, wire.plain({**known, **fresh}))
        own = wire.plain(fresh.get("tags") or {})
        tags = {key: value for key, value in tags.items() if not key.startswith("aws:")}
        mine = {
            key: value
            for key, value in tags.items()
            if key in own or aws.default_tags.get(key) != value
        }
        if mine or "tags" in fresh:
            fresh["tags"] = mine
        if tags or "tagsAll" in fresh:
            fresh["tagsAll"] = tags

    def current_tags(
        self, aws: Aws, ident: str, raw: Properties, props: Properties
    ) -> dict[str, str]:
        """The tags that AWS has."""
        tagging = self.tagging
        assert tagging is not None, self.pulumi_type  # noqa: S101 - or it has no tags to read
        if tagging.list is None:
            return tags_from_aws(shapes.get(raw, tagging.path) or [])
        parameters = self.parameters(aws, tagging.list, ident, {}, state={**raw, **props})
        answer = aws.call(self.service, tagging.list.name, parameters)
        if tagging.list.result:
            return tags_from_aws(shapes.get(answer, tagging.list.result) or [])
        shape = aws.operation(self.service, tagging.list.name).output_shape
        return tags_from_aws(answer.get(tag_member(shape)) or [])

    # -- delete -----------------------------------------------------------------------------

    def delete_resource(
        self, aws: Aws, ident: str, old: Properties, inputs: Properties, seconds: float = 0
    ) -> None:
        """Delete it; that it isn't there is success."""
        props = wire.plain({**old, **inputs})

        def attempt() -> None:
            try:
                self.do_delete(aws, ident, props)
            except Exception as error:
                if not is_not_found(error):
                    raise

        aws.retry(seconds or self.dependency_seconds, DEPENDENCY_CODES, attempt)
        if self.waits_gone:
            aws.until(
                f"{self.pulumi_type} {ident} going away",
                seconds or self.wait_seconds,
                lambda: True if self.describe(aws, ident, props) is None else None,
            )

    def do_delete(self, aws: Aws, ident: str, props: Properties) -> None:
        """The deleting call."""
        if self.remove is not None:
            parameters = self.parameters(aws, self.remove, ident, {}, state=props)
            aws.call(self.service, self.remove.name, parameters)


TAG_MEMBERS = ("tags", "taglist", "tagset", "resourcetaglist", "addtags", "backupvaulttags",
               "backupplantags")  # fmt: skip


def tag_member(shape: Any) -> str:
    """The member of a structure that holds tags."""
    return next(name for name in shape.members if shapes.normal(name) in TAG_MEMBERS)


def tag_keys_member(shape: Any) -> str:
    """The member that holds the keys of tags to remove."""
    for name in shape.members:
        if shapes.normal(name) in ("tagkeys", "tagkeylist", "removetagkeys"):
            return name
    return tag_member(shape)


def tags_to_aws(tags: Mapping[str, str], shape: Any) -> Any:
    """Tags in the form of a shape: a map, or a list of pairs under the shape's own names."""
    if shape.type_name == "map":
        return dict(tags)
    names = {shapes.normal(name): name for name in shape.member.members}
    key, value = names.get("key") or names["tagkey"], names.get("value") or names["tagvalue"]
    return [{key: name, value: str(tags[name])} for name in sorted(tags)]


def tags_from_aws(found: Any) -> dict[str, str]:
    """Tags from either form."""
    if isinstance(found, Mapping):
        return {str(key): str(value) for key, value in found.items()}
    made: dict[str, str] = {}
    for pair in found:
        lower = {key.lower(): value for key, value in pair.items()}
        made[str(lower.get("key", lower.get("tagkey")))] = str(
            lower.get("value", lower.get("tagvalue", ""))
        )
    return made
