"""What the engine does with what a program registers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pulumi.runtime.proto import alias_pb2, resource_pb2
from stage import Act, Stage

from lab.engine.failure import StepFailedError
from lab.engine.plugin import InitializationError, PluginError, PluginGoneError, UncertainError
from pulumi_protocol.events import LogEvent, PropertyDiff, ResourceEvent, Summary
from pulumi_protocol.structs import from_struct, to_struct
from pulumi_protocol.values import ASSET, SIGNATURE, UNKNOWN, Properties, is_secret, plain, secret


def counts(summary: Summary) -> tuple[int, int, int, int, int]:
    return (
        summary.created,
        summary.updated,
        summary.replaced,
        summary.deleted,
        summary.same,
    )


def nothing(act: Act) -> None:
    """A program that names no resource any more."""
    act.provider()


def chain(size: int = 1, zone: str = "a", **options: Any):
    """a ← b ← c: each names the one before."""

    def program(act: Act) -> None:
        east = act.provider()
        a = act.thing("a", east, size=size, zone=zone, options=options)
        b = act.thing("b", east, after=a)
        act.thing("c", east, after=b)

    return program


def test_create_same_update_delete(stage: Stage) -> None:
    """N7: a first run creates, an equal one changes nothing and calls no plugin to change
    anything, an edit updates that one resource, and what the program no longer names goes."""
    assert counts(stage.run(chain())) == (3, 0, 0, 0, 0)
    stage.plugin.calls.clear()
    before = stage.path.read_bytes()
    assert counts(stage.run(chain())) == (0, 0, 0, 0, 3)
    assert stage.plugin.made("create", "update", "delete") == []
    assert stage.path.read_bytes() == before, "an unchanged run writes nothing"
    assert counts(stage.run(chain(size=2))) == (0, 1, 0, 0, 2)
    assert stage.reported("done") == [("update", "a")]
    assert counts(stage.run(nothing)) == (0, 0, 0, 3, 0)
    assert stage.plugin.made("delete") == [("delete", "c-3"), ("delete", "b-2"), ("delete", "a-1")]
    assert stage.plugin.cloud == {}


def test_a_preview_plans_and_touches_nothing(stage: Stage) -> None:
    """N5: a preview reports the same operations, gives unknowns for what is not yet made, calls no
    plugin to change anything and writes no state."""
    answers: list[Any] = []

    def program(act: Act) -> None:
        east = act.provider()
        answers.append(act.thing("a", east))

    assert counts(stage.run(program, preview=True)) == (1, 0, 0, 0, 0)
    assert (answers[0].id, answers[0].outputs["arn"]) == ("", UNKNOWN)
    assert stage.reported("planned") == [("create", "a")]
    assert not stage.path.exists()
    assert stage.plugin.made("create", "update", "delete") == []
    stage.run(chain())
    assert counts(stage.run(chain(size=2), preview=True)) == (0, 1, 0, 0, 2)
    [event] = [one for one in stage.events if isinstance(one, ResourceEvent) and one.diff]
    assert event.diff == (PropertyDiff("size", 1, 2),)
    assert counts(stage.run(lambda act: None, preview=True)) == (0, 0, 0, 3, 0)
    assert len(stage.states()) == 4


def test_a_replacement_creates_first_and_deletes_at_the_end(stage: Stage) -> None:
    """The new one is made before the old one goes, dependants get the new values, and the old
    one's deletion is no deletion of its own in the summary."""
    stage.run(chain())
    stage.plugin.calls.clear()
    assert counts(stage.run(chain(zone="z"))) == (0, 1, 1, 0, 1)
    assert stage.plugin.made("create", "update", "delete") == [
        ("create", "a"),
        ("update", "b"),  # c refers to b's arn, which an update keeps
        ("delete", "a-1"),
    ]
    assert stage.states()["a"].id == "a-4"


def test_second_check_of_a_replacement_sees_no_old_inputs(stage: Stage) -> None:
    """Nothing of the old resource may slip into the new one's inputs."""
    stage.run(chain())
    stage.plugin.calls.clear()
    stage.run(chain(zone="z"))
    olds = [call[2] for call in stage.plugin.calls if call[:2] == ("check", "a")]
    assert olds == [{"name": "a", "size": 1, "zone": "a"}, {}]


def test_deleting_before_replacing_takes_dependants_along(stage: Stage) -> None:
    """What a replacement would replace as well is deleted first, in reverse order, and made
    again; what would only be updated stays. The plugin's word or the program's option decide."""

    def program(zone: str, **options: Any):
        def registered(act: Act) -> None:
            east = act.provider()
            a = act.thing("a", east, zone=zone, options=options)
            b = act.thing("b", east, zone=a)
            act.thing("c", east, zone=b)
            act.thing("d", east, after=a)

        return registered

    stage.run(program("one"))
    for zone, first, options in (
        ("two", True, {}),
        ("three", False, {"deleteBeforeReplace": True, "deleteBeforeReplaceDefined": True}),
    ):
        ids = {name: state.id for name, state in stage.states().items()}
        stage.plugin.calls.clear()
        stage.plugin.delete_first = first
        planned = counts(stage.run(program(zone, **options), preview=True))
        assert counts(stage.run(program(zone, **options))) == planned == (0, 1, 3, 0, 0)
        changing = stage.plugin.made("create", "update", "delete")
        assert changing == [
            *(("delete", ids[name]) for name in "cba"),
            ("create", "a"),
            ("create", "b"),
            ("create", "c"),
            ("update", "d"),
        ]


def test_only_what_the_replacement_forces_goes_along(stage: Stage) -> None:
    """A dependant whose forcing property comes from another resource, and which takes the replaced
    one's in place, stays: it would be deleted without a cause."""

    def program(zone: str):
        def register(act: Act) -> None:
            east = act.provider()
            other = act.thing("other", east)
            base = act.thing("base", east, zone=zone)
            act.thing("user", east, zone=other, size=base)

        return register

    stage.run(program("one"))
    stage.plugin.delete_first = True
    stage.plugin.calls.clear()
    stage.run(program("two"))
    assert stage.plugin.made("delete", "create", "update") == [
        ("delete", "base-2"),
        ("create", "base"),
        ("update", "user"),
    ]


def test_the_option_may_forbid_deleting_first(stage: Stage) -> None:
    """``delete_before_replace=False``, set on purpose, wins over the plugin's wish."""
    stage.run(chain())
    stage.plugin.calls.clear()
    stage.plugin.delete_first = True
    stage.run(chain(zone="z", deleteBeforeReplace=False, deleteBeforeReplaceDefined=True))
    assert stage.plugin.made("create", "delete")[0] == ("create", "a")


def test_ignored_changes_keep_the_old_value(stage: Stage) -> None:
    """``ignore_changes`` holds for whole properties and for paths: the plugin sees old values."""

    def program(size: int, tags: dict[str, str]):
        def registered(act: Act) -> None:
            options = {"ignoreChanges": ["size", 'tags["x"]']}
            act.thing("a", act.provider(), size=size, tags=tags, options=options)

        return registered

    stage.run(program(1, {"x": "1", "y": "1"}))
    assert counts(stage.run(program(2, {"x": "2", "y": "1"}))) == (0, 0, 0, 0, 1)
    assert counts(stage.run(program(2, {"x": "2", "y": "2"}))) == (0, 1, 0, 0, 0)
    assert stage.states()["a"].inputs["tags"] == {"x": "1", "y": "2"}


def test_replace_on_changes(stage: Stage) -> None:
    """A property that the program names forces replacement where the plugin would update."""
    stage.run(chain())
    assert counts(stage.run(chain(size=2, replaceOnChanges=["zone"]))) == (0, 1, 0, 0, 2)
    assert counts(stage.run(chain(size=3, replaceOnChanges=["size"])))[2] == 1
    assert counts(stage.run(chain(size=4, replaceOnChanges=["*"])))[2] == 1


def test_an_alias_keeps_the_resource(stage: Stage) -> None:
    """A resource under a new name, type or parent continues under its alias instead of being made
    anew."""
    stage.run(lambda act: act.thing("a", act.provider()) and None)
    spec = alias_pb2.Alias(spec=alias_pb2.Alias.Spec(name="a"))

    def renamed(act: Act) -> None:
        act.thing("a", act.provider(), options={"name": "b", "aliases": [spec]})

    assert counts(stage.run(renamed)) == (0, 0, 0, 0, 1)
    urn = stage.states()["b"].urn

    def retyped(act: Act) -> None:
        options = {"name": "b", "type": "fake:index:Other", "aliases": [alias_pb2.Alias(urn=urn)]}
        act.thing("a", act.provider(), options=options)

    assert counts(stage.run(retyped)) == (0, 0, 0, 0, 1)
    assert list(stage.plugin.cloud) == ["a-1"]
    assert stage.states()["b"].type == "fake:index:Other"


def test_what_is_in_a_renamed_component_is_kept(stage: Stage) -> None:
    """A component of another type and name says so once; what it holds, and what that holds,
    continues, as in Pulumi's engine (step_generator.go, generateAliases)."""

    def program(kind: str, name: str, *aliases: alias_pb2.Alias) -> Callable[[Act], None]:
        def run(act: Act) -> None:
            outer = act.component(kind, name, aliases=aliases)
            inner = act.component("own:Inner", f"{name}-inner", parent=outer)
            act.thing("a", act.provider(), options={"name": f"{name}-inner-a", "parent": inner})

        return run

    stage.run(program("own:Old", "old"))
    before = dict(stage.plugin.cloud)
    spec = alias_pb2.Alias(spec=alias_pb2.Alias.Spec(type="own:Old", name="old"))
    done = counts(stage.run(program("own:New", "new", spec)))
    assert (done[0], done[2], done[3]) == (0, 0, 0), "created, replaced, deleted"
    assert dict(stage.plugin.cloud) == before
    assert stage.states()["new-inner-a"].urn.endswith(
        "own:New$own:Inner$fake:index:Thing::new-inner-a"
    )


def test_deleted_with_saves_the_call(stage: Stage) -> None:
    """What goes with another resource is not deleted by a call of its own, when that one goes."""

    def program(act: Act) -> None:
        east = act.provider()
        a = act.thing("a", east)
        act.thing("b", east, options={"deletedWith": a.urn})

    stage.run(program)
    assert counts(stage.run(lambda act: None)) == (0, 0, 0, 2, 0)
    assert stage.plugin.made("delete") == [("delete", "a-1")]


def test_secrets_are_nowhere_readable(stage: Stage) -> None:
    """Secret inputs, the outputs of the same name and outputs named secret are encrypted in the
    state (mode 0600) and masked in events and errors, inside longer texts too."""
    password = secret("correct-horse")

    def program(size: int, **fields: Any):
        def registered(act: Act) -> None:
            options = {"additionalSecretOutputs": ["arn"]}
            act.thing("a", act.provider(), size=size, password=password, options=options, **fields)

        return registered

    stage.run(program(1))
    assert "correct-horse" not in stage.path.read_text()
    assert stage.path.stat().st_mode & 0o777 == 0o600
    assert (stage.folder / "state" / "secrets.key").stat().st_mode & 0o777 == 0o600
    assert stage.path.parent.stat().st_mode & 0o777 == 0o700
    state = stage.states()["a"]
    assert is_secret(state.outputs["password"]) and is_secret(state.outputs["arn"])
    stage.plugin.faults["update a"] = PluginError("refused: user correct-horse is taken")
    with pytest.raises(StepFailedError) as raised:
        stage.run(program(2, note="about correct-horse"))
    assert str(raised.value) == "refused: user [secret] is taken"
    assert all("correct-horse" not in repr(event) for event in stage.events)
    shown = [event.diff for event in stage.events if isinstance(event, ResourceEvent)]
    assert PropertyDiff("note", None, "about [secret]") in shown[0]


def test_a_half_made_resource_is_updated_by_the_next_run(stage: Stage) -> None:
    """ErrorResourceInitFailed: the resource is recorded with its outputs and reasons, the run
    fails, and the next one calls Update though nothing differs."""
    stage.plugin.faults["create a"] = InitializationError("", {}, ("not ready yet",))
    with pytest.raises(StepFailedError, match="not ready yet"):
        stage.run(chain(), ends=False)
    assert stage.states()["a"].init_errors == ("not ready yet",)
    stage.plugin.calls.clear()
    assert counts(stage.run(chain())) == (2, 1, 0, 0, 0)
    assert stage.states()["a"].init_errors == ()


@pytest.mark.parametrize("kind", [PluginGoneError, UncertainError])
def test_a_creation_of_unknown_end_is_found_again(stage: Stage, kind: type[PluginError]) -> None:
    """Trap 44: the plugin's process died in the middle of Create, or AWS failed half-way: the next
    run looks for the resource by its name, takes it over and completes it; when there is none, it
    creates it."""
    for happened in (True, False):
        name = "kept" if happened else "lost"

        def program(act: Act, name: str = name) -> None:
            act.thing(name, act.provider())

        stage.plugin.faults[f"create {name}"] = kind("gone")
        with pytest.raises(StepFailedError, match="gone"):
            stage.run(program, ends=False)
        del stage.plugin.faults[f"create {name}"]
        if happened:
            stage.plugin.cloud["kept-9"] = {"name": "kept", "arn": "arn:kept-9"}
        stage.plugin.calls.clear()
        assert counts(stage.run(program))[:2] == ((0, 1) if happened else (1, 0))
        expected = ("update", "kept") if happened else ("create", "lost")
        assert expected in stage.plugin.made("create", "update")
        assert ("read", name) in stage.plugin.made("read")


def test_a_creation_nobody_asks_for_any_more_is_swept_up(stage: Stage) -> None:
    """What an interrupted creation left behind goes when the program no longer names it."""
    stage.plugin.faults["create a"] = PluginGoneError("gone")
    with pytest.raises(StepFailedError):
        stage.run(chain(), ends=False)
    stage.plugin.faults.clear()
    stage.plugin.cloud["a-9"] = {"name": "a", "arn": "arn:a-9"}
    assert counts(stage.run(nothing)) == (0, 0, 0, 1, 0)
    assert stage.plugin.cloud == {}


def test_an_update_of_unknown_end_is_done_again(stage: Stage) -> None:
    """An update that was under way when the plugin died is repeated, though nothing differs."""
    stage.run(chain())
    stage.plugin.faults["update a"] = PluginGoneError("gone")
    with pytest.raises(StepFailedError):
        stage.run(chain(size=2), ends=False)
    stage.plugin.faults.clear()
    stage.plugin.calls.clear()
    assert counts(stage.run(chain())) == (0, 1, 0, 0, 2)


@pytest.mark.parametrize("happened", [True, False])
@pytest.mark.parametrize("then", [1, 2, 3])
def test_an_edit_is_taken_back_after_its_update_of_unknown_end(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, happened: bool, then: int
) -> None:
    """AWS changes what a call names, and that is what differs: whether or not the interrupted
    update had its effect, the next run leaves the resource as its program says."""

    def update(urn: str, type: str, id: str, **given: Any) -> Properties:
        held, old, new = stage.plugin.cloud[id], plain(given["old_inputs"]), plain(given["news"])
        differing = {key: value for key, value in new.items() if old.get(key) != value}
        if not given["preview"] and (happened or differing.get("size") != 2 or then == 2):
            held.update(differing)
        fault = stage.plugin.faults.get("update")
        if fault is not None:
            raise fault
        return {**given["news"], "arn": held["arn"]}

    stage.run(chain(size=1))
    monkeypatch.setattr(stage.plugin, "update", update)
    stage.plugin.faults["update"] = UncertainError("failed half-way")
    with pytest.raises(StepFailedError, match="half-way"):
        stage.run(chain(size=2), ends=False)
    stage.plugin.faults.clear()
    assert stage.run(chain(size=then)).updated == 1
    [held] = [made for made in stage.plugin.cloud.values() if made["name"] == "a"]
    assert held["size"] == stage.states()["a"].outputs["size"] == then
    assert stage.run(chain(size=then)).changed == 0


def test_a_deletion_of_unknown_end_is_completed_before_creating_anew(stage: Stage) -> None:
    """A destroy died in a Delete and the next run is an up: the resource may be gone, so it is
    deleted for certain and made anew."""
    stage.run(chain())
    stage.plugin.faults["delete c-3"] = PluginGoneError("gone")
    with pytest.raises(StepFailedError):
        stage.run(nothing)
    stage.plugin.faults.clear()
    stage.plugin.calls.clear()
    assert counts(stage.run(chain())) == (0, 0, 1, 0, 2)
    assert stage.plugin.made("create", "delete") == [("delete", "c-3"), ("create", "c")]


def test_a_provider_in_another_region_replaces_its_resources(stage: Stage) -> None:
    """A provider's new region replaces what it serves; another change of it does not."""

    def program(region: str, **more: Any):
        return lambda act: act.thing("a", act.provider(region=region, **more)) and None

    stage.run(program("east"))
    assert counts(stage.run(program("east", color="red"))) == (0, 0, 0, 0, 1)
    assert counts(stage.run(program("west"), preview=True)) == (0, 0, 1, 0, 0)
    assert counts(stage.run(program("west"))) == (0, 0, 1, 0, 0)
    assert list(stage.plugin.cloud) == ["a-2"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"protect": True}, "protect is refused"),
        ({"retainOnDelete": True}, "retain_on_delete is refused"),
        ({"importId": "x"}, "does not support import_"),
        ({"transforms": [{}]}, "does not support transforms"),
        ({"replace_with": ["x"]}, "does not support replace_with"),
        ({"hooks": {"before_create": ["x"]}}, "does not support hooks"),
        ({"remote": True}, "does not support a remote component"),
        ({"customTimeouts": {"create": "soon"}}, "'soon' is no duration"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(
    stage: Stage, options: dict[str, Any], message: str
) -> None:
    """R9.3 and trap 32: nothing is silently left out."""
    with pytest.raises(StepFailedError, match=message):
        stage.run(lambda act: act.thing("a", act.provider(), options=options) and None)
    assert stage.plugin.cloud == {}


def test_default_providers_are_refused(stage: Stage) -> None:
    """Trap 32: a resource or an invoke without an explicit provider names itself in the error."""
    with pytest.raises(StepFailedError, match="no explicit provider") as raised:
        stage.run(lambda act: act.thing("a", "") and None)
    assert raised.value.urn.endswith("::a")
    request = resource_pb2.ResourceInvokeRequest(tok="fake:index:lookup")
    with pytest.raises(StepFailedError, match="the invoke fake:index:lookup has no explicit"):
        stage.run(lambda act: act.door.invoke(request))


@pytest.mark.parametrize(
    ("endpoints", "ok"),
    [
        ('[{"ec2": "http://127.0.0.1:45660", "s3": "http://localhost:1"}]', True),
        ('[{"ec2": "http://127.0.0.1:45660", "s3": "https://s3.amazonaws.com"}]', False),
        ('[{"ec2": "http://127.0.0.1.example.com"}]', False),
        ("[{}]", False),
        ("", False),
        (UNKNOWN, False),
        ('[{"ec2": "http://[::1"}]', False),
    ],
)
def test_an_aws_provider_must_stay_on_this_machine(stage: Stage, endpoints: str, ok: bool) -> None:
    """An AWS provider whose endpoints are not all on this machine is refused before any plugin
    is configured."""

    def program(act: Act) -> None:
        act.provider(type="pulumi:providers:aws", endpoints=endpoints)

    if ok:
        stage.run(program)
    else:
        with pytest.raises(StepFailedError, match=r"127\.0\.0\.1 alone"):
            stage.run(program)
    assert bool(stage.plugin.calls) == ok


def test_a_urn_may_be_registered_once(stage: Stage) -> None:
    """Two resources of one type and name are an error, as with the CLI."""

    def program(act: Act) -> None:
        east = act.provider()
        act.thing("a", east)
        act.thing("a", east)

    with pytest.raises(StepFailedError, match="registered twice"):
        stage.run(program)


def test_custom_timeouts_reach_the_plugin_in_seconds(stage: Stage) -> None:
    """``1h30m`` arrives as 5400.0, is kept for the deletion, and 0 means unset."""
    timeouts = {"create": "1h30m", "update": "90s", "delete": "500ms"}

    def program(size: int):
        return lambda act: (
            act.thing("a", act.provider(), size=size, options={"customTimeouts": timeouts}) and None
        )

    stage.run(program(1))
    stage.run(program(2))
    given = [call[2] for call in stage.plugin.calls if call[0] in ("create", "update")]
    assert given == [5400.0, 90.0]
    assert stage.states()["a"].custom_timeouts["delete"] == 0.5


def test_stack_references_are_answered_from_the_state_directory(stage: Stage) -> None:
    """Trap 33: outputs of the named stack with their secrets marked; an unknown stack or a name
    of another form is an error that names it, in a preview too."""

    def program(name: str, seen: list[Any] | None = None):
        def registered(act: Act) -> None:
            answer = act.door.read(
                resource_pb2.ReadResourceRequest(
                    id=name,
                    type="pulumi:pulumi:StackReference",
                    name=name,
                    properties=to_struct({"name": name}),
                    acceptSecrets=True,
                )
            )
            if seen is not None:
                seen.append(from_struct(answer.properties))

        return registered

    stage.stacks["network", "lab"] = {"id": "vpc-1", "token": secret("hidden-value")}
    seen: list[Any] = []
    assert counts(stage.run(program("organization/network/lab", seen))) == (0, 0, 0, 0, 0)
    assert seen[0]["outputs"] == stage.stacks["network", "lab"]
    assert seen[0]["secretOutputNames"] == ["token"]
    for preview in (True, False):
        with pytest.raises(StepFailedError, match=r"organization/data/lab.*never deployed"):
            stage.run(program("organization/data/lab"), preview=preview)
    with pytest.raises(StepFailedError, match="no `organization/project/stack`"):
        stage.run(program("someone/network/lab"))


def test_reading_an_existing_resource(stage: Stage) -> None:
    """``.get()`` reads through the plugin and is external: never changed, never deleted."""
    stage.plugin.cloud["given-1"] = {"name": "given", "arn": "arn:given"}

    def program(id: str):
        def registered(act: Act) -> None:
            request = resource_pb2.ReadResourceRequest(
                id=id, type="fake:index:Thing", name="given", provider=act.provider()
            )
            answer = act.door.read(request)
            assert answer.id in (id, "")

        return registered

    assert counts(stage.run(program("given-1"))) == (0, 0, 0, 0, 0)
    assert stage.states()["given"].external
    with pytest.raises(StepFailedError, match="there is no fake:index:Thing 'nothing'"):
        stage.run(program("nothing"))
    stage.run(lambda act: None)
    assert list(stage.plugin.cloud) == ["given-1"]


def test_invokes_wait_for_what_they_depend_on(stage: Stage) -> None:
    """In a preview an invoke that depends on what isn't made yet, or has unknown arguments, is
    unknown and the plugin isn't asked; otherwise the plugin answers, in previews too."""
    answers: list[Any] = []

    def program(act: Act) -> None:
        east = act.provider()
        a = act.thing("a", east)
        for urns, arguments in (([a.urn], {}), ([], {"x": UNKNOWN}), ([], {"x": 1})):
            request = resource_pb2.ResourceInvokeRequest(
                tok="fake:index:lookup", provider=east, dependsOn=urns, args=to_struct(arguments)
            )
            answers.append(act.door.invoke(request))

    stage.run(program, preview=True)
    assert [answer.unknown for answer in answers] == [True, True, False]
    answers.clear()
    stage.run(program)
    assert [answer.unknown for answer in answers] == [False] * 3
    answers.clear()
    stage.run(program, preview=True)
    assert [answer.unknown for answer in answers] == [False, True, False]


def test_assets_get_a_hash_and_diffs_compare_it(stage: Stage) -> None:
    """An asset arrives without a hash; the same content is no change, another is."""

    def program(text: str):
        asset = {SIGNATURE: ASSET, "text": text}
        return lambda act: act.thing("a", act.provider(), data=asset) and None

    stage.run(program("one"))
    assert len(stage.states()["a"].inputs["data"]["hash"]) == 64
    assert counts(stage.run(program("one"))) == (0, 0, 0, 0, 1)
    assert counts(stage.run(program("two"))) == (0, 1, 0, 0, 0)


def test_a_failed_deletion_lets_the_level_finish_and_stops(stage: Stage) -> None:
    """The rest stays recorded, and the next run resumes with it."""
    stage.run(chain())
    stage.plugin.faults["delete b-2"] = PluginError("in use")
    with pytest.raises(StepFailedError, match="in use"):
        stage.run(lambda act: None)
    assert set(stage.states()) == {"a", "b", "east"}
    stage.plugin.faults.clear()
    assert counts(stage.run(lambda act: None)) == (0, 0, 0, 2, 0)
    assert stage.states() == {}


def test_events_report_started_done_and_failed(stage: Stage) -> None:
    """Every changing step reports its beginning and its end; a failed one says why."""
    stage.plugin.faults["create c"] = PluginError("no room")
    with pytest.raises(StepFailedError, match="no room"):
        stage.run(chain(), ends=False)
    phases = [
        (event.name, event.phase) for event in stage.events if isinstance(event, ResourceEvent)
    ]
    assert phases == [
        (name, phase)
        for name in "abc"
        for phase in ("started", "failed" if name == "c" else "done")
    ]
    assert not [event for event in stage.events if isinstance(event, LogEvent)]
