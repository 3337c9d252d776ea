"""What the plugin decides before it calls anything: pure functions of declarations and values."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from lab.provider import diff, shapes
from lab.provider.declaration import ALWAYS, Declaration, Failures, Op, Properties
from pulumi_protocol.values import (
    UNKNOWN,
    contains_unknown,
    is_asset,
    is_secret,
    plain_without_nulls,
    secret,
)


@dataclass(frozen=True)
class Difference:
    """What changes between two versions of the inputs, and how."""

    changes: tuple[tuple[str, str, int], ...] = ()
    """(top-level property, path, kind) of each change."""
    replaces: tuple[str, ...] = ()
    """The properties that force replacement."""
    deletes_first: bool = False
    """AWS allows one such resource only: the old one goes before the new one is made."""


def own(properties: Mapping[str, object]) -> Properties:
    """Returns the properties without the SDK's own marks (``__defaults``)."""
    return {key: value for key, value in properties.items() if not key.startswith("__")}


def with_name(
    kind: Declaration, news: Properties, olds: Properties, urn: str, seed: bytes
) -> Properties:
    """Returns the inputs with a name for what the program left unnamed, as Pulumi gives one:
    stable while the resource lives."""
    key = kind.autoname
    if not key:
        return news
    suffix = hashlib.sha256(seed or urn.encode()).hexdigest()[:7]
    made = olds.get(key) or f"{urn.rsplit('::', 1)[-1]}-{suffix}"
    name = news.get(key, made)
    is_known = isinstance(name, str) and name != UNKNOWN
    return {**news, key: kind.named(name) if is_known else name}


def with_defaults(
    kind: Declaration, news: Properties, region: str, default_tags: Mapping[str, str]
) -> tuple[Properties, Failures]:
    """Returns the inputs with what the provider gives (region and default tags), and what is
    wrong with them."""
    made, failures = dict(news), []
    if not kind.is_global:
        asked = made.setdefault("region", region)
        if asked not in (region, UNKNOWN):
            reason = f"region {asked} differs from its provider's {region}"
            failures.append(("region", f"{reason}: give it the provider of its own region"))
    if kind.tagging and "tagsAll" not in made:
        tags = made.get("tags") or {}
        if contains_unknown(tags) and not isinstance(tags, Mapping):
            made["tagsAll"] = UNKNOWN
        else:
            # A tag that is secret stays so: `tags` may be one as a whole, or hold some.
            whole = is_secret(tags)
            merged = {**default_tags, **(plain_without_nulls(tags) if whole else tags)}
            if merged:
                made["tagsAll"] = secret(merged) if whole else merged
    return made, failures


def failures(kind: Declaration, news: Properties, olds: Properties, region: str) -> Failures:
    """Returns what is wrong with the inputs; inputs that were checked before are not again."""
    found = [
        (key, f"input {key!r} of {kind.pulumi_type} is not supported by the lab's provider")
        for key in own(news)
        if key not in kind.known
    ]
    if found or shapes.same(own(news), own(olds)):
        return found
    props = plain_without_nulls(own(news))
    for key, value in props.items():
        if isinstance(value, Mapping | list) and key not in ALWAYS and not is_asset(value):
            found += kind.check_nested(key, value)
    return found + kind.validate(props, region)


def difference(
    kind: Declaration, old: Properties, new: Properties, ignored: list[str]
) -> Difference:
    """Returns what changes from ``old`` to ``new``, without the paths that are ignored."""
    found = [item for item in diff.changes(old, new) if not diff.is_ignored(item[1], ignored)]
    replaces = sorted({key for key, _, _ in found if kind.replaces(key)})
    stays = all(
        shapes.same(old.get(key), new.get(key)) or old.get(key) == new.get(key)
        for key in kind.identity
    )
    return Difference(tuple(found), tuple(replaces), bool(replaces and kind.identity) and stays)


def changed(before: Properties, after: Properties) -> list[str]:
    """Returns the inputs that an update has to change, in order."""
    return [
        key
        for key in sorted({*own(before), *own(after)})
        if not shapes.same(before.get(key), after.get(key))
    ]


def late(kind: Declaration, call: Op, props: Properties) -> list[str]:
    """Returns the inputs that creation leaves to an update call."""
    return [
        key
        for key in props
        if kind.location(call, key) and not (kind.creation and kind.location(kind.creation, key))
    ]


def previewed(kind: Declaration, inputs: Properties, old: Properties | None) -> Properties:
    """Returns the outputs as far as a preview can know them."""
    made: Properties = {}
    for key in kind.outputs:
        kept = old is not None and key not in kind.volatile and key in old
        made[key] = old[key] if old is not None and kept else UNKNOWN
    return {**made, **own(inputs)}


def tags_seen(
    fresh: Properties, seen: Mapping[str, str], default_tags: Mapping[str, str]
) -> Properties:
    """Returns inputs with the tags that AWS has; the provider's default tags are not the
    program's own."""
    written = plain_without_nulls(fresh.get("tags") or {})
    tags = {key: value for key, value in seen.items() if not key.startswith("aws:")}
    mine = {
        key: value
        for key, value in tags.items()
        if key in written or default_tags.get(key) != value
    }
    made = dict(fresh)
    if mine or "tags" in fresh:
        made["tags"] = mine
    if tags or "tagsAll" in fresh:
        made["tagsAll"] = tags
    return made
