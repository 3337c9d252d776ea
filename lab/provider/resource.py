"""How a declared resource type calls AWS: the ways that hold for most types.

What AWS's API shapes differently from pulumi-aws, a type overrides (``create``, ``finish``,
``describe``, ``look_up``, ``drift``, ``update``, ``delete``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lab.provider import models, shapes, tags
from lab.provider.aws import Aws, is_not_found
from lab.provider.decisions import late
from lab.provider.declaration import Declaration, Op, Properties
from lab.provider.templates import fill
from pulumi_protocol.values import plain_without_nulls


class ResourceType(Declaration):
    """One resource type: its declaration, and its calls."""

    # -- parameters --------------------------------------------------------------------------------

    def values(self, aws: Aws, ident: str | None, props: Mapping[str, Any]) -> Properties:
        """Returns what templates may name."""
        made = {**props, "region": aws.region}
        if ident is not None:
            made["id"] = ident
        return made

    def fill(self, aws: Aws, template: Any, ident: str | None, props: Mapping[str, Any]) -> Any:
        """Returns a template with its fields filled in; None if a field has no value."""
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
        """Returns the parameters of a call: its fixed ones and every input that it takes."""
        shape = models.input_shape(self.service, call.name)
        names = {**self.names, **call.names}
        made: Properties = {}
        for key, value in props.items():
            if only is not None and key not in only:
                continue
            target = self.location(call, key)
            if target is not None and value is not None:
                target_shape = shapes.follow(shape, target)
                shapes.put(made, target, shapes.to_aws(value, target_shape, names, key))
        for key, template in call.fixed.items():
            value = self.fill(aws, template, ident, {**(state or {}), **props})
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
        state: Mapping[str, Any] | None = None,
    ) -> Properties:
        """Makes a call with the inputs that it takes; returns AWS's answer."""
        parameters = self.parameters(aws, call, ident, props, only, state)
        return aws.call(self.service, call.name, parameters)

    # -- create ------------------------------------------------------------------------------------

    def create(self, aws: Aws, props: Properties) -> str:
        """Makes the creating call; returns the id."""
        if self.creation is None:
            raise NotImplementedError(self.pulumi_type)
        parameters = self.parameters(aws, self.creation, None, props)
        parameters |= self.tags_of(self.creation, props)
        return self.ident_of(aws, aws.call(self.service, self.creation.name, parameters), props)

    def tags_of(self, call: Op, props: Mapping[str, Any]) -> Properties:
        """Returns the parameters by which a creating call takes the tags."""
        return tags.in_creation(self, call, props.get("tagsAll") or {})

    def create_with_outputs(self, aws: Aws, props: Properties) -> tuple[str, Properties]:
        """Creates; returns the id, and what no later call answers."""
        return self.create(aws, props), {}

    def ident_of(self, aws: Aws, answer: Any, props: Mapping[str, Any]) -> str:
        """Returns the id, from the creation's answer or from the inputs."""
        if "{" in self.id:
            ident = self.fill(aws, self.id, None, props)
        else:
            ident = shapes.get(answer, self.id)
        if ident is None:
            raise RuntimeError(f"{self.pulumi_type}: AWS's answer has no {self.id}")
        return str(ident)

    def finish(self, aws: Aws, ident: str, props: Properties) -> None:
        """Does what creation leaves to later calls: waits, and sends what only updates take."""
        self.wait_ready(aws, ident, props)
        for call in self.updates:
            self.send_update(aws, call, ident, props, late(self, call, props), {})

    def complete(self, aws: Aws, ident: str, props: Properties) -> None:
        """Does what an interrupted creation may have left undone."""
        self.finish(aws, ident, props)

    def wait_ready(self, aws: Aws, ident: str, props: Properties) -> None:
        """Waits until AWS says that it is usable."""
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

    # -- read --------------------------------------------------------------------------------------

    def describe(self, aws: Aws, ident: str, props: Mapping[str, Any]) -> Properties | None:
        """Returns what AWS says of it, or None when it isn't there."""
        assert self.reading is not None, self.pulumi_type  # noqa: S101 - else it's overridden
        return self.ask(aws, self.reading, ident, props)

    def ask(
        self, aws: Aws, call: Op, ident: str | None, props: Mapping[str, Any]
    ) -> Properties | None:
        """Makes a describing call; returns its result, or None when AWS knows no such thing."""
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
        return None if self.is_gone(found) else found

    def is_gone(self, raw: Any) -> bool:
        """Returns whether AWS still lists what is deleted."""
        return bool(self.ready) and shapes.get(raw, self.ready[0]) in self.gone_states

    def require(self, aws: Aws, ident: str, props: Mapping[str, Any]) -> Properties:
        """Returns what AWS says of it, which must be there."""
        raw = self.describe(aws, ident, props)
        if raw is None:
            raise RuntimeError(f"{self.pulumi_type} {ident}: gone right after it was written")
        return raw

    def look_up(self, aws: Aws, inputs: Properties) -> str | None:
        """Returns the id of a resource that is as the inputs name it, or None."""
        props = plain_without_nulls(inputs)
        if self.search is not None:
            found = self.ask(aws, self.search, None, props)
            ident = shapes.get(found, self.found_id) if found else None
            return str(ident) if ident else None
        ident = self.fill(aws, self.id, None, props)
        if ident is None or self.describe(aws, str(ident), props) is None:
            return None
        return str(ident)

    def imported(self, aws: Aws, ident: str, raw: Properties) -> Properties:
        """Returns the inputs of a resource of which only the id is known."""
        shape = self.read_shape()
        made: Properties = {} if self.is_global else {"region": aws.region}
        for key in self.inputs.split():
            path = shapes.locate(shape, key, self.read_names)
            value = shapes.get(raw, path) if path else None
            if path and value is not None:
                made[key] = shapes.from_aws(value, shapes.follow(shape, path), self.names, key)
        return made

    def drift(self, aws: Aws, raw: Properties, key: str, written: Any) -> Any:
        """Returns an input as AWS has it; what AWS doesn't say, as it was written."""
        shape, names = self.read_shape(), self.read_names
        path = shapes.locate(shape, key, names)
        if path is None:
            return written
        return shapes.from_aws(
            shapes.get(raw, path), shapes.follow(shape, path), names, key, written
        )

    def current_tags(
        self, aws: Aws, ident: str, raw: Properties, props: Properties
    ) -> dict[str, str]:
        """Returns the tags that AWS has."""
        tagging = self.tagging
        assert tagging is not None, self.pulumi_type  # noqa: S101 - or it has no tags to read
        if tagging.list is None:
            return tags.tags_from_aws(shapes.get(raw, tagging.path) or [])
        answer = self.call(aws, tagging.list, ident, {}, state={**raw, **props})
        path = tagging.list.result or tags.tag_member(
            models.output_shape(self.service, tagging.list.name)
        )
        return tags.tags_from_aws(shapes.get(answer, path) or [])

    # -- update ------------------------------------------------------------------------------------

    def update(
        self,
        aws: Aws,
        ident: str,
        before: Properties,
        after: Properties,
        changed: list[str],
        state: Properties,
    ) -> None:
        """Makes the calls for the inputs that changed."""
        for call in self.updates:
            mine = [key for key in changed if self.location(call, key)]
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
        """Makes one update call for the inputs in ``changed``, if any."""
        if not changed:
            return
        values = dict(props)
        if not call.put:
            values |= {key: self.reset(call, key) for key in changed if key not in values}
        if call.one_by_one:
            for key in changed:
                self.call(aws, call, ident, values, only=[key], state=state)
        else:
            only = None if call.put else self.carried(call, changed)
            self.call(aws, call, ident, values, only=only, state=state)

    def retag(
        self, aws: Aws, ident: str, before: Properties, after: Properties, state: Properties
    ) -> None:
        """Makes the tags as ``after`` has them."""
        tagging = self.tagging
        assert tagging is not None, self.pulumi_type  # noqa: S101 - or it has no tags to change
        added, removed = tags.changes(before, after)
        values = {**state, **after}
        if removed:
            parameters = self.parameters(aws, tagging.untag, ident, {}, state=values)
            parameters |= tags.removing(self.service, tagging.untag, removed)
            aws.call(self.service, tagging.untag.name, parameters)
        if added:
            parameters = self.parameters(aws, tagging.tag, ident, {}, state=values)
            parameters |= tags.adding(self.service, tagging.tag, added)
            aws.call(self.service, tagging.tag.name, parameters)

    # -- delete ------------------------------------------------------------------------------------

    def delete(self, aws: Aws, ident: str, props: Properties) -> None:
        """Makes the deleting call."""
        if self.deletion is not None:
            self.call(aws, self.deletion, ident, {}, state=props)
