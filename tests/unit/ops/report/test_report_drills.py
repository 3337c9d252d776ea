"""Recorded drills: read, listed, compared, verified, and never taken for more than they are."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from drill_histories import (
    FACTS,
    LOSS_AT,
    document,
    keyed,
    recovered_course,
    recovered_lines,
)

from ops import signing
from ops.drill import evidence
from ops.drill.history import Seen
from ops.errors import OperatorError
from ops.report import compare, drills, history, page, picture, verify

NAME = "20261128T004500Z-region-loss-7"


@pytest.fixture(autouse=True)
def _own_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keyed(tmp_path, monkeypatch)


def kept(tmp_path: Path, **more: Any) -> Path:
    """Evidence as a drill leaves it; the page's path."""
    made = document(**more)
    folder = evidence.folder(tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    history_file = folder / f"{made['id']}.jsonl"
    history_file.write_bytes(recovered_lines())
    return evidence.write(made, history_file, page.page, signing.own_signer())


# Writing


def test_what_is_not_of_the_published_form_is_not_signed(tmp_path: Path) -> None:
    """Evidence that no reader takes is no evidence: one line, and the history stays."""
    made = {**document(), "seed": "7"}
    folder = evidence.folder(tmp_path)
    folder.mkdir(parents=True)
    history_file = folder / f"{made['id']}.jsonl"
    history_file.write_bytes(b"")
    with pytest.raises(OperatorError, match=r"isn't of docs/drill.schema.json.*nothing was signed"):
        evidence.write(made, history_file, page.page, signing.own_signer())
    assert list(folder.iterdir()) == [history_file]


# Reading


def test_what_a_drill_leaves_can_be_read(tmp_path: Path) -> None:
    """names.md: ID.{json,html,sig,jsonl} in one folder, the history as it was."""
    target = kept(tmp_path)
    assert {path.suffix for path in target.parent.iterdir()} == set(drills.SUFFIXES)
    (one,) = drills.recorded(tmp_path)
    assert (one.id, one.fault, one.page) == (NAME, "", target)
    assert len(drills.history_of(one).operations) == 1200
    assert drills.newest(tmp_path, "lab") == one.document
    assert drills.newest(tmp_path, "dev") is None


def test_a_drill_is_found_by_name_or_file(tmp_path: Path) -> None:
    """Its id, the beginning of it, or any of its files; else one line."""
    target = kept(tmp_path)
    kept(tmp_path, name="20261129T004500Z-region-loss-8")
    for name in (NAME, "20261128", str(target), str(target.with_suffix(".jsonl"))):
        assert drills.find(tmp_path, name).id == NAME
    for name, line in (("2026", "is the beginning of"), ("x", "there is no drill 'x'")):
        with pytest.raises(OperatorError, match=line):
            drills.find(tmp_path, name)
    target.with_suffix(".json").write_text("{")
    with pytest.raises(OperatorError, match="is truncated or isn't JSON"):
        drills.find(tmp_path, NAME)


@pytest.mark.parametrize(
    ("text", "line"), [("{", "is truncated or isn't JSON"), ("{}", "isn't of docs/drill.schema")]
)
def test_a_document_that_is_none_is_listed_with_its_fault(
    tmp_path: Path, text: str, line: str
) -> None:
    """Truncated evidence is one line, and hides no other drill."""
    target = kept(tmp_path)
    kept(tmp_path, name="20261129T004500Z-region-loss-8")
    target.with_suffix(".json").write_text(text)
    later, broken = drills.recorded(tmp_path)
    assert (later.fault, broken.document) == ("", {})
    assert line in broken.fault
    assert [one.id for one in drills.whole(tmp_path)] == [later.id]
    with pytest.raises(drills.DocumentError, match="can't be read"):
        drills.read(tmp_path / "gone.json")


@pytest.mark.parametrize("change", ["changed", "gone", "foreign"])
def test_a_history_that_is_not_the_recorded_one_is_refused(tmp_path: Path, change: str) -> None:
    """The document names its history by its digest."""
    path = kept(tmp_path).with_suffix(".jsonl")
    (one,) = drills.recorded(tmp_path)
    if change == "gone":
        path.unlink()
    elif change == "changed":
        path.write_bytes(path.read_bytes()[:-10])
    else:
        import hashlib

        path.write_text("{}\n")
        digest = hashlib.sha256(b"{}\n").hexdigest()
        named = {**one.document["history"], "sha256": digest}
        one = replace(one, document={**one.document, "history": named})
    with pytest.raises(drills.DocumentError):
        drills.history_of(one)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_evidence_that_can_not_be_written_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Full disk: nothing half-written counts, for the signature comes last."""

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(evidence, "write_atomically", full)
    signing.own_key()
    with pytest.raises(OperatorError, match="No space left on device"):
        kept(tmp_path)
    assert not list(evidence.folder(tmp_path).glob("*.sig"))


# Verifying


@pytest.mark.parametrize("suffix", drills.SUFFIXES)
def test_any_file_of_whole_evidence_verifies(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], suffix: str
) -> None:
    """By one's own key without a flag, and by a named one on any machine."""
    target = kept(tmp_path).with_suffix(suffix)
    assert verify.show(str(target), "", False) == 0
    assert "which is trusted" in capsys.readouterr().out
    key = tmp_path / "public.pem"
    key.write_text(signing.public_pem(signing.own_key()))
    assert verify.show(str(target), str(key), True) == 0
    assert json.loads(capsys.readouterr().out)["faults"] == []


@pytest.mark.parametrize("suffix", [".json", ".html", ".jsonl"])
def test_a_changed_byte_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], suffix: str
) -> None:
    """Issue 20: one byte, in any file."""
    target = kept(tmp_path).with_suffix(suffix)
    content = bytearray(target.read_bytes())
    content[100] ^= 1
    target.write_bytes(content)
    assert verify.show(str(target), "", False) == 5
    assert f"{target.name} was changed" in capsys.readouterr().out
    target.unlink()
    assert verify.show(str(target.with_suffix(".sig")), "", False) == 5
    assert f"{target.name} can't be read" in capsys.readouterr().out


def test_a_key_that_nothing_vouches_for_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unchanged isn't trusted: without a key of one's own here, or with one that is broken."""
    target = kept(tmp_path)
    monkeypatch.setenv(signing.KEY_VARIABLE, str(tmp_path / "other" / "signing.key"))
    assert verify.show(str(target), "", False) == 5
    assert "a key that nothing here vouches for" in capsys.readouterr().out
    signing.own_key()
    assert verify.show(str(target), "", False) == 5
    (tmp_path / "other" / "signing.key").chmod(0o644)
    assert verify.show(str(target), "", False) == 5


def test_a_signature_that_is_none_fails(tmp_path: Path) -> None:
    """Truncated, or of fewer files than a drill has."""
    target = kept(tmp_path)
    signature = target.with_suffix(".sig")
    whole = signature.read_text()
    signature.write_text(whole[:-20])
    assert "holds no signature" in verify.verify(target, "").line
    only = signing.sign(signing.own_signer(), {f"{NAME}.html": target.read_bytes()})
    signature.write_text(only.as_json())
    assert verify.verify(target, "").faults == (
        f"{NAME}.json isn't signed",
        f"{NAME}.jsonl isn't signed",
    )


def test_a_signed_document_of_another_form_fails(tmp_path: Path) -> None:
    """What was signed must still be a drill's document."""
    target = kept(tmp_path)
    target.with_suffix(".json").write_text("{}")
    files = {
        path.name: path.read_bytes() for path in target.parent.iterdir() if path.suffix != ".sig"
    }
    target.with_suffix(".sig").write_text(signing.sign(signing.own_signer(), files).as_json())
    (fault,) = verify.verify(target, "").faults
    assert "isn't of docs/drill.schema.json" in fault


def test_what_is_no_evidence_is_bad_input(tmp_path: Path) -> None:
    """One line."""
    with pytest.raises(OperatorError, match="isn't a file of a drill"):
        verify.verify(tmp_path / "x.txt", "")


# History and comparison


def test_regressions_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Against the drills before it of the same scenario, place and clock; void ones say nothing."""
    assert history.show(tmp_path, False) == 0
    assert "no drill is recorded yet" in capsys.readouterr().out
    for day, traffic in ((1, 110.0), (2, 120.0), (3, 115.0)):
        kept(tmp_path, name=f"2026110{day}T000000Z-region-loss-1",
             history=recovered_course(traffic=traffic))  # fmt: skip
    kept(tmp_path, name="20261104T000000Z-region-loss-1", clock=20.0)
    kept(tmp_path, name="20261105T000000Z-region-loss-1", facts=replace(FACTS, steady=False))
    assert history.show(tmp_path, False) == 0
    kept(tmp_path, name="20261106T000000Z-region-loss-1",
         history=recovered_course(traffic=150.0), facts=replace(FACTS, promotions=2))  # fmt: skip
    capsys.readouterr()
    assert history.show(tmp_path, True) == 5
    shown = json.loads(capsys.readouterr().out)
    newest = shown["drills"][0]
    assert newest["regressions"] == [
        "failed, and 20261103T000000Z-region-loss-1 passed",
        f"traffic RTO {newest['traffic_rto_seconds']:g} s, 115 s before",
    ]
    (evidence.folder(tmp_path) / "20261107.json").write_text("{")
    assert history.show(tmp_path, False) == 5
    printed = capsys.readouterr().out
    assert "not read: " in printed
    assert "none" in printed


def test_two_drills_stand_side_by_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Figures, rows, objects, events and latencies."""
    kept(tmp_path)
    kept(tmp_path, name="20261129T004500Z-region-loss-8", history=recovered_course(writes=300.0))
    compare.show(tmp_path, "20261128", "20261129", True)
    shown = json.loads(capsys.readouterr().out)
    assert shown["write_rto_seconds"] == [pytest.approx(260, abs=1), pytest.approx(300, abs=1)]
    assert shown["rows.lost"] == [0, 0]
    compare.show(tmp_path, "20261128", "20261129", False)
    assert "figures.promotion" in capsys.readouterr().out


def test_other_clocks_are_not_compared() -> None:
    """Issue 20.5: their seconds aren't the same."""
    with pytest.raises(OperatorError, match="have other clocks"):
        compare.compared(document(), document(clock=20.0))
    with pytest.raises(OperatorError, match="have other places"):
        compare.compared(document(), {**document(), "where": "aws"})
    none = {**document(), "loss_bound_seconds": None}
    assert ("loss_bound_seconds", 5.0, None) in compare.compared(document(), none)
    assert compare._said(None) == "none"


# The page


def test_the_page_says_the_verdict_first_and_needs_nothing_else() -> None:
    """Self-contained: no script, no address; what is recorded is escaped."""
    made = document()
    made["reasons"], made["approved_by"] = ["<script>alert(1)</script>"], "A & B"
    html = page.page(made, "abcd ef01")
    assert "<script" not in html
    assert "http://" not in html
    assert "https://" not in html
    assert "A &amp; B" in html
    order = [html.index(text) for text in ('class="verdict', "Both regions", "Budget", "Timeline")]
    assert order == sorted(order)
    assert "abcd ef01" in html
    assert "A page can't vouch for itself" in html
    assert "737.5 s" in html or "738" in html


def test_a_fast_clock_is_marked_on_the_page() -> None:
    """None of its figures is called RTO."""
    html = page.page(document(clock=20.0), "x")
    assert "Measured at clock 20" in html
    assert "traffic RTO" not in html


def test_what_there_is_none_of_is_said() -> None:
    """No notice, no finding, nobody took part, nothing recovered."""
    made = document()
    made |= {"notices": [], "participants": [], "loss_bound_seconds": None, "where": "aws"}
    made["figures"] |= {"traffic": {"honest": None}, "detection": None}
    made["findings"] = [
        {"id": "d/1", "text": "late", "owner": "", "due": "2027-01-01", "opened": "2026-11-28",
         "closed": ""}
    ]  # fmt: skip
    html = page.page(made, "x")
    for text in ("None was seen.", "nobody; a person was absent on purpose", "never",
                 "No loss was allowed.", "nobody yet", "as it was"):  # fmt: skip
        assert text in html, text


def test_lanes_last_from_one_change_to_the_next() -> None:
    """N10: the picture is what the timeline says: nothing is drawn that wasn't seen."""
    seen = [
        {"at": one.at, "source": one.source, "what": one.what}
        for one in (
            Seen(10.0, "dns", "us-east-1"), Seen(150.0, "dns", "us-west-2"),
            Seen(10.0, "health", "us-east-1: healthy"), Seen(10.0, "drill", "the load begins"),
        )
    ]  # fmt: skip
    found = picture.bars(seen, LOSS_AT, 200.0)
    assert [(one.lane, one.start, one.end, one.text) for one in found] == [
        ("health us-east-1", -90.0, 200.0, "healthy"),
        ("dns", -90.0, 50.0, "us-east-1"), ("dns", 50.0, 200.0, "us-west-2"),
    ]  # fmt: skip
    assert [picture.tone(text) for text in ("unhealthy", "suspect", "us-west-2", "healthy")] == [
        "bad", "busy", "moved", "good",
    ]  # fmt: skip
    svg = str(
        picture.lanes(
            [*found, picture.Bar("dns", 199.0, 199.5, "a long text")], [(190.0, "x")], -100.0
        )
    )
    assert svg.count("<rect") == 4
    assert ">a long text</text>" not in svg


def test_an_empty_drill_has_pictures_all_the_same() -> None:
    """A drill that was interrupted at once leaves a page that can be read."""
    assert "<svg" in str(picture.lanes([], [], 0.0))
    assert "<svg" in str(picture.requests([], 2, 0.0, "Requests"))
