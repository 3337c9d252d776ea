"""What a resource type declares: its inputs, AWS's calls for it, its id and its outputs.

Which input goes into which call follows from botocore's shapes: an input belongs to every call
whose shape has a member of that name. From this follows the rest: an input of an update call
changes in place, any other forces replacement; an input that only an update call takes is sent
right after creation. Nothing here calls AWS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NoReturn

from lab.provider import models, shapes
from pulumi_protocol.values import plain_without_nulls

Properties = dict[str, Any]
Output = str | Callable[[Any], Any]
Failures = list[tuple[str, str]]
"""What is wrong with inputs: (property, reason)."""

ALWAYS = frozenset({"region", "tags", "tagsAll"})
"""Inputs that no call takes under their own name."""


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
    """The call replaces everything: AWS removes each setting that isn't sent."""
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
    """Returns a declared call; ``only`` and ``without`` are inputs separated by spaces."""
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
    """How a service tags what exists. ``path`` is where ``reading`` answers the tags; else
    ``list`` is called."""

    tag: Op
    untag: Op
    path: str = ""
    list: Op | None = None


class Declaration:
    """One resource type of pulumi-aws, and what follows from its declaration alone.

    Class attributes declare; an instance holds nothing and can't be changed.
    """

    pulumi_type: ClassVar[str]
    service: ClassVar[str]
    inputs: ClassVar[str] = ""
    """The inputs it knows, separated by spaces, by their names in pulumi-aws."""
    settings: ClassVar[str] = ""
    """Inputs that steer this provider and reach no AWS call of their own name."""
    names: ClassVar[Mapping[str, str]] = {}
    """Exceptions: input path (without indexes) → AWS member path."""
    creation: ClassVar[Op | None] = None
    reading: ClassVar[Op | None] = None
    updates: ClassVar[tuple[Op, ...]] = ()
    deletion: ClassVar[Op | None] = None
    search: ClassVar[Op | None] = None
    """A describe call by natural key, when the id is AWS's own; ``found_id`` is its id in it."""
    id: ClassVar[str] = ""
    """Template over inputs if it has a brace, else a path in the creation's answer."""
    found_id: ClassVar[str] = ""
    outputs: ClassVar[Mapping[str, Output]] = {}
    """Computed output → path in what ``reading`` answers, or template, or function of it."""
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

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is a declaration: {name} can't be set")

    @property
    def known(self) -> frozenset[str]:
        """Every input that the type accepts."""
        always = {"tags", "tagsAll"} if self.tagging else set()
        if not self.is_global:
            always.add("region")
        return frozenset([*self.inputs.split(), *self.settings.split(), *always])

    def location(self, call: Op, prop: str) -> str | None:
        """Returns where ``call`` takes the input ``prop``, or None."""
        if prop in ALWAYS or prop in call.without:
            return None
        if call.only is not None and prop not in call.only:
            return None
        shape = models.input_shape(self.service, call.name)
        return shapes.locate(shape, prop, {**self.names, **call.names})

    def replaces(self, prop: str) -> bool:
        """Returns whether a change of ``prop`` forces replacement."""
        if prop in self.replace.split() or prop == "region":
            return True
        if prop in self.settings.split() or prop in self.in_place.split() or prop in ALWAYS:
            return False
        return not any(self.location(call, prop) for call in self.updates)

    def carried(self, call: Op, changed: list[str]) -> list[str] | None:
        """Returns the inputs that an update call carries when some changed; None: all."""
        return changed

    def reset(self, call: Op, key: str) -> Any:
        """Returns what an input becomes in an update call when the program no longer sets it."""
        if key in self.resets:
            return self.resets[key]
        shape = models.input_shape(self.service, call.name)
        target = shapes.follow(shape, self.location(call, key) or "")
        kind = getattr(target, "type_name", "")
        if kind == "list":
            return []
        if kind == "string":
            return ""
        raise RuntimeError(f"{key} can't be unset in place: set it to the value it shall have")

    def read_shape(self) -> Any:
        """Returns the botocore shape of what ``describe`` answers, or None."""
        if self.reading is None:
            return None
        return shapes.follow(
            models.output_shape(self.service, self.reading.name), self.reading.result
        )

    @property
    def read_names(self) -> Mapping[str, str]:
        """The exceptions in names that hold for what ``describe`` answers."""
        return {**self.names, **(self.reading.names if self.reading else {})}

    def label(self, props: Mapping[str, Any]) -> str:
        """Returns the resource's physical name, for messages."""
        props = plain_without_nulls(dict(props))
        tags = props.get("tagsAll") or props.get("tags") or {}
        candidates = [self.autoname, *self.identity, "name"]
        names = [str(props[key]) for key in candidates if key and props.get(key)]
        name = tags.get("Name") if isinstance(tags, Mapping) else None
        return name or (names[0] if names else "")

    def named(self, name: str) -> str:
        """Returns a name as AWS wants it for this type."""
        return name

    def validate(self, props: Properties, region: str) -> Failures:
        """Returns what AWS would refuse, where that is cheap to see; values may be unknown."""
        return []

    def check_nested(self, key: str, value: Any) -> Failures:
        """Returns what is wrong inside an input that is a structure or a list."""
        for call in filter(None, (self.creation, *self.updates)):
            target = self.location(call, key)
            if target is None:
                continue
            shape = shapes.follow(models.input_shape(self.service, call.name), target)
            try:
                shapes.to_aws(value, shape, {**self.names, **call.names}, key)
            except shapes.UnmappedError as error:
                return [(error.path, str(error))]
            except (TypeError, ValueError) as error:
                return [(key, f"{key}: {error}")]
        return []
