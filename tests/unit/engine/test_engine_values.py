"""Values on the wire, paths in them, hashes of assets."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import struct_pb2
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab.engine import assets, paths, values
from lab.engine.values import ARCHIVE, ASSET, OUTPUT_VALUE, SIGNATURE, UNKNOWN, secret

settings.register_profile(
    "engine", max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
engine = settings.get_profile("engine")
KEYS = st.text('abcxyz_ .[]"\\', min_size=1, max_size=4)
LEAVES = st.none() | st.booleans() | st.integers(-(2**50), 2**50) | st.text(max_size=5)
UNKNOWNS = st.just(UNKNOWN)


def trees(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(KEYS, inner, max_size=3)
            | inner.map(lambda value: {SIGNATURE: values.SECRET, "value": value})
        ),
        max_leaves=8,
    )


@engine
@given(st.dictionaries(KEYS, trees(LEAVES | UNKNOWNS), max_size=4))
def test_values_survive_the_wire(properties: dict[str, Any]) -> None:
    """Secrets, unknowns, empty lists and maps, nulls and whole numbers come back as they went."""
    wire = struct_pb2.Struct.FromString(values.to_struct(properties).SerializeToString())
    assert values.from_struct(wire) == properties


@engine
@given(trees(LEAVES | UNKNOWNS))
def test_plain_and_masked_values_hold_no_secret(value: Any) -> None:
    """Unwrapping leaves no marker; masking leaves no marker and no unknown's signature."""
    assert not values.contains_secret(values.plain(value))
    assert not values.contains_secret(values.masked(value))
    assert not values.contains_unknown(values.masked(value))


def test_output_values_and_unknown_signatures() -> None:
    """An output value is its content, secret or unknown; a signature nobody knows is refused."""
    wire = values.to_struct(
        {
            "known": {SIGNATURE: OUTPUT_VALUE, "value": 1},
            "hidden": {SIGNATURE: OUTPUT_VALUE, "value": 2, "secret": True},
            "open": {SIGNATURE: OUTPUT_VALUE},
        }
    )
    assert values.from_struct(wire) == {"known": 1, "hidden": secret(2), "open": UNKNOWN}
    with pytest.raises(ValueError, match="unknown signature 'x'"):
        values.from_struct(values.to_struct({"a": {SIGNATURE: "x"}}))
    with pytest.raises(TypeError, match="a set is no property value"):
        values.to_struct({"a": set()})


def test_references_become_ids() -> None:
    """A plugin that takes no resource references gets ids; a component's is its URN."""
    custom = {SIGNATURE: values.RESOURCE_REFERENCE, "urn": "u", "id": "i"}
    coming = {SIGNATURE: values.RESOURCE_REFERENCE, "urn": "u", "id": ""}
    component = {SIGNATURE: values.RESOURCE_REFERENCE, "urn": "u"}
    assert values.references_as_ids([custom, coming, component]) == ["i", UNKNOWN, "u"]


def test_the_masker_knows_the_forms_a_secret_takes() -> None:
    """Lines, JSON escapes and credentials inside a JSON document are masked; a user name inside
    it and texts too short to be secrets are not."""
    masker = values.Masker()
    masker.learn(
        {
            "key": secret("first line of key\nsecond line of key"),
            "quoted": secret('quo"ted-secret'),
            "document": secret('{"username": "postgres", "password": "correct-horse"}'),
            "short": secret("abc"),
        }
    )
    text = 'postgres correct-horse abc "quo\\"ted-secret" second line of key'
    assert masker.text(text) == 'postgres [secret] abc "[secret]" [secret]'
    assert masker.value({"a": ["is correct-horse", secret(1)]}) == {
        "a": ["is [secret]", "[secret]"]
    }


def test_the_masker_reads_documents_as_they_are() -> None:
    """Credentials in lists of a JSON document are masked; a text that only begins like JSON is
    masked as a whole."""
    masker = values.Masker()
    masker.learn(
        secret('{"users": [{"password": "correct-horse"}], "tokens": ["battery-staple"]}'),
        secret("[no document"),
    )
    text = "correct-horse battery-staple, users, [no document"
    assert masker.text(text) == "[secret] [secret], users, [secret]"


def test_diffs_get_no_contents_of_assets() -> None:
    """Only kind and hash, at any depth; other values are as they were."""
    asset = {SIGNATURE: ASSET, "text": "contents", "hash": "h"}
    unread = {SIGNATURE: ARCHIVE, "path": "p"}
    assert values.without_asset_contents({"a": [asset, unread], "b": {"text": "t"}}) == {
        "a": [{SIGNATURE: ASSET, "hash": "h"}, {SIGNATURE: ARCHIVE, "hash": ""}],
        "b": {"text": "t"},
    }


@engine
@given(st.lists(KEYS | st.integers(0, 9), min_size=1, max_size=4))
def test_paths_are_read_as_they_are_written(path: list[str | int]) -> None:
    """Any key, with dots, brackets, quotes or spaces, survives the text form."""
    assert paths.parse(paths.text(tuple(path))) == tuple(path)


def test_forms_of_paths() -> None:
    """The forms programs write, the star, and what is no path."""
    assert paths.parse('tags["a.b"]') == ("tags", "a.b")
    assert paths.parse("a.b[0].c") == ("a", "b", 0, "c")
    assert paths.parse("rules[*].port") == ("rules", "*", "port")
    for text in ("", "a[", "a]b", "[x]"):
        with pytest.raises(ValueError, match="path"):
            paths.parse(text)


FLAT = st.dictionaries(st.sampled_from("abc"), st.integers(0, 3) | st.none(), max_size=3)
NESTED = st.dictionaries(st.sampled_from("abc"), FLAT | st.lists(FLAT, max_size=2), max_size=3)


@engine
@given(NESTED, NESTED, st.sampled_from(["a", "a.b", "a[0].b", "a[*].b", "*", "b.*"]))
def test_ignoring_changes_only_what_it_names(
    new: dict[str, Any], old: dict[str, Any], pattern: str
) -> None:
    """Differences elsewhere stay, ignoring twice is ignoring once, ignoring all that differs in
    maps gives the old inputs."""
    kept = paths.ignoring(new, old, [pattern])
    wanted = paths.parse(pattern)
    for path, before, after in paths.differences(new, kept):
        assert paths.matches(wanted, path), (path, before, after)
    assert paths.ignoring(kept, old, [pattern]) == kept
    assert paths.ignoring(new, old, ["*"]) == old
    assert paths.ignoring(old, old, [pattern]) == old


@pytest.mark.parametrize(
    ("pattern", "new", "old", "wanted"),
    [
        ("a[1]", [1, 2, 3], [7, 8], [1, 8, 3]),
        ("a[2]", [1, 2, 3], [7, 8], [1, 2, 3]),
        ("a[1].x", [{}, {"x": 1}], [{}, {"x": 2}], [{}, {"x": 2}]),
        ("a[*]", [1, 2, 3], [7, 8], [7, 8, 3]),
        ("a[*].x", [{"x": 1}], [{"x": 2}], [{"x": 2}]),
        ("a[*]", 1, [7], 1),
        ("a.x", {"x": 1}, secret({"x": 2}), {"x": 2}),
    ],
)
def test_ignoring_in_lists(pattern: str, new: Any, old: Any, wanted: Any) -> None:
    """An item that both sides have is kept, whole or in part; one that only one side has stays as
    the program says. Where the old value alone was secret, its content counts."""
    assert paths.ignoring({"a": new}, {"a": old}, [pattern]) == {"a": wanted}


def test_ignoring_inside_secrets() -> None:
    """A path into a secret value works on what is inside, and the value stays secret."""
    new, old = {"a": secret({"x": 1, "y": 1})}, {"a": secret({"x": 0, "y": 0})}
    assert paths.ignoring(new, old, ["a.x"]) == {"a": secret({"x": 0, "y": 1})}


@engine
@given(NESTED, NESTED)
def test_no_difference_means_equal(old: dict[str, Any], new: dict[str, Any]) -> None:
    """Differences are found exactly when there are any (null and absent are told apart)."""
    assert (not list(paths.differences(old, new))) == (old == new)


def test_differences_hide_secrets_and_engines_own_keys() -> None:
    """A value that becomes secret is shown as one on both sides; `__` keys don't count; assets
    differ by hash."""
    one, two = ({SIGNATURE: ASSET, "text": text, "hash": text} for text in "12")
    old = {"p": "old", "__internal": {}, "data": one, "same": secret("x")}
    new = {"p": secret("new"), "data": two, "same": "x", "kept": one}
    old["kept"] = dict(one)
    found = list(paths.differences(old, new))
    assert found == [(("data",), "1", "2"), (("p",), secret("old"), secret("new"))]


def tar(members: dict[str, bytes]) -> str:
    """The hash by Python's own tar headers, with the two device numbers that Go fills in."""
    digest = hashlib.sha256()
    for name, content in sorted(members.items()):
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(content), 0o600
        header = info.tobuf(tarfile.USTAR_FORMAT)
        header = header[:148] + b" " * 8 + header[156:329] + b"0000000\0" * 2 + header[345:]
        digest.update(header[:148] + b"%06o\0 " % sum(header) + header[156:])
        digest.update(content + bytes(-len(content) % 512))
    digest.update(bytes(1024))
    return digest.hexdigest()


def hashed(value: dict[str, Any], folder: Path) -> str:
    return assets.with_hashes(value, folder)["hash"]


def test_hashes_of_assets(tmp_path: Path) -> None:
    """An asset's hash is that of its content, from text or file."""
    (tmp_path / "a.txt").write_text("content")
    wanted = hashlib.sha256(b"content").hexdigest()
    assert hashed({SIGNATURE: ASSET, "text": "content"}, tmp_path) == wanted
    assert hashed({SIGNATURE: ASSET, "path": "a.txt"}, tmp_path) == wanted
    assert hashed({SIGNATURE: ARCHIVE, "path": "a.txt"}, tmp_path) == wanted


def test_hashes_of_archives(tmp_path: Path) -> None:
    """A folder and a map of assets hash as the USTAR stream of their sorted members, nested
    archives flattened; names that fit USTAR's prefix are split there."""
    long = "p" * 90 + "/" + "n" * 90
    (tmp_path / "code" / ".pulumi").mkdir(parents=True)
    (tmp_path / "code" / "index.js").write_text("x" * 700)
    (tmp_path / "code" / ".pulumi" / "own").write_text("stays out")
    (tmp_path / "code" / "nowhere").symlink_to("missing")
    folder = {SIGNATURE: ARCHIVE, "path": "code"}
    assert hashed(folder, tmp_path) == tar({"index.js": b"x" * 700})
    nested = {
        SIGNATURE: ARCHIVE,
        "assets": {
            "z": {SIGNATURE: ASSET, "text": "last"},
            "lib": folder,
            long: {SIGNATURE: ASSET, "text": "long"},
        },
    }
    wanted = {"lib/index.js": b"x" * 700, "z": b"last", long: b"long"}
    assert hashed(nested, tmp_path) == tar(wanted)


def test_a_name_is_split_where_go_splits_it() -> None:
    """Go's splitUSTARPath: a slash at the end is no place to split."""
    assert assets._ustar_split(b"q" * 60 + b"/" + b"n" * 60 + b"/") == (b"q" * 60, b"n" * 60 + b"/")


@pytest.mark.parametrize("name", ["n" * 120, "q" * 160 + "/" + "n" * 20, "größe.txt"])
def test_names_beyond_ustar_get_a_pax_header(name: str) -> None:
    """Names that USTAR can't hold carry a PAX path record, as Go's writer makes them."""
    stream = b"".join(assets._tar_entry(name, b"content")) + bytes(1024)
    with tarfile.open(fileobj=io.BytesIO(stream)) as archive:
        [member] = archive.getmembers()
        assert (member.name, member.mode, member.size) == (name, 0o600, 7)
    assert stream[156:157] == b"x"
    assert b"PaxHeaders.0" in stream[:100] or b"PaxHeaders.0" not in name.encode()


@pytest.mark.parametrize(
    ("asset", "message"),
    [
        ({SIGNATURE: ASSET, "uri": "https://example.org"}, "URI is not supported"),
        ({SIGNATURE: ARCHIVE, "uri": "https://example.org"}, "URI is not supported"),
        ({SIGNATURE: ASSET, "path": "nowhere"}, "nowhere can't be read"),
        ({SIGNATURE: ARCHIVE, "path": "nowhere"}, "nowhere can't be read"),
    ],
)
def test_assets_that_cannot_be_read(asset: dict[str, Any], message: str, tmp_path: Path) -> None:
    """The error names the path; assets from a URI are refused."""
    with pytest.raises(assets.AssetError, match=message):
        assets.with_hashes(asset, tmp_path)
