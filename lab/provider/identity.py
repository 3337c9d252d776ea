"""Which of AWS's resources is the one that an interrupted creation made.

AWS gives the ids of many resources itself, so that nothing in the inputs is a key. What a creation
left is the one resource that is as its inputs asked: it has all their tags and differs in no input
that the creating call took. Where two are so, nothing distinguishes them, and neither is taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lab.provider import shapes
from lab.provider.aws import Aws
from lab.provider.declaration import Properties
from lab.provider.resource import ResourceType
from pulumi_protocol.values import plain_without_nulls


@dataclass(frozen=True)
class Candidate:
    """A resource that AWS lists: its id, what AWS says of it, its tags."""

    ident: str
    raw: Properties
    tags: Mapping[str, str]


def carries(seen: Mapping[str, str], wanted: Mapping[str, Any]) -> bool:
    """Returns whether all tags in ``wanted``, which must be some, are among those seen."""
    return bool(wanted) and all(seen.get(key) == str(value) for key, value in wanted.items())


def is_as_asked(kind: ResourceType, aws: Aws, raw: Properties, props: Properties) -> bool:
    """Returns whether AWS has no input of the creating call otherwise."""
    call = kind.creation
    assert call is not None, kind.pulumi_type  # noqa: S101 - it was created by a call
    return all(
        shapes.same(kind.drift(aws, raw, key, value), value)
        for key, value in props.items()
        if kind.location(call, key)
    )


def find_created(
    kind: ResourceType,
    aws: Aws,
    inputs: Properties,
    candidates: Iterable[Candidate],
    *,
    tagged_later: bool = False,
) -> str | None:
    """Returns the id of the one candidate that the inputs created, or None.

    ``tagged_later``: AWS tags it by a call after its creation, so that one without any tag may be
    it as well; one that has the tags goes before it.
    """
    props = plain_without_nulls(inputs)
    wanted = props.get("tagsAll") or {}
    tagged: list[str] = []
    untagged: list[str] = []
    for found in candidates:
        group = tagged if carries(found.tags, wanted) else untagged
        may_be = group is tagged or (tagged_later and not found.tags)
        if may_be and is_as_asked(kind, aws, found.raw, props):
            group.append(found.ident)
    same = tagged or untagged
    return same[0] if len(same) == 1 else None
