"""Tags in the forms that AWS's services have for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.provider import models, shapes
from lab.provider.declaration import Declaration, Op

TAG_MEMBERS = ("tags", "taglist", "tagset", "resourcetaglist", "addtags", "backupvaulttags",
               "backupplantags")  # fmt: skip


def tag_member(shape: Any) -> str:
    """Returns the member of a structure that holds tags."""
    return next(name for name in shape.members if shapes.normal(name) in TAG_MEMBERS)


def tag_keys_member(shape: Any) -> str:
    """Returns the member that holds the keys of tags to remove."""
    for name in shape.members:
        if shapes.normal(name) in ("tagkeys", "tagkeylist", "removetagkeys"):
            return name
    return tag_member(shape)


def tags_to_aws(tags: Mapping[str, str], shape: Any) -> Any:
    """Returns tags in the form of a shape: a map, or a list of pairs under the shape's names."""
    if shape.type_name == "map":
        return dict(tags)
    names = {shapes.normal(name): name for name in shape.member.members}
    key, value = names.get("key") or names["tagkey"], names.get("value") or names["tagvalue"]
    return [{key: name, value: str(tags[name])} for name in sorted(tags)]


def tags_from_aws(found: Any) -> dict[str, str]:
    """Returns tags from either form."""
    if isinstance(found, Mapping):
        return {str(key): str(value) for key, value in found.items()}
    made: dict[str, str] = {}
    for pair in found:
        lower = {key.lower(): value for key, value in pair.items()}
        made[str(lower.get("key", lower.get("tagkey")))] = str(
            lower.get("value", lower.get("tagvalue", ""))
        )
    return made


def in_creation(kind: Declaration, call: Op, tags: Mapping[str, str]) -> dict[str, Any]:
    """Returns the parameters by which a creating call takes tags, in the form its shape has."""
    if not tags or not kind.tagging:
        return {}
    shape = models.input_shape(kind.service, call.name)
    if kind.tag_resource and "TagSpecifications" in shape.members:
        pairs = [{"Key": key, "Value": value} for key, value in sorted(tags.items())]
        return {"TagSpecifications": [{"ResourceType": kind.tag_resource, "Tags": pairs}]}
    name = tag_member(shape)
    return {name: tags_to_aws(tags, shape.members[name])}


def removing(service: str, call: Op, keys: list[str]) -> dict[str, Any]:
    """Returns the parameter by which an untagging call takes keys."""
    shape = models.input_shape(service, call.name)
    name = tag_keys_member(shape)
    is_text = shape.members[name].member.type_name == "string"
    return {name: keys if is_text else [{"Key": key} for key in keys]}


def adding(service: str, call: Op, tags: Mapping[str, str]) -> dict[str, Any]:
    """Returns the parameter by which a tagging call takes tags."""
    shape = models.input_shape(service, call.name)
    name = tag_member(shape)
    return {name: tags_to_aws(tags, shape.members[name])}


def changes(
    before: Mapping[str, Any], after: Mapping[str, Any]
) -> tuple[dict[str, str], list[str]]:
    """Returns the tags to write and the keys to remove, between two versions of the inputs."""
    had, wanted = before.get("tagsAll") or {}, after.get("tagsAll") or {}
    added = {key: value for key, value in wanted.items() if had.get(key) != value}
    return added, sorted(had.keys() - wanted.keys())
