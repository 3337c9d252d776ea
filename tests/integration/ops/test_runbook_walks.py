"""The pages of docs/runbooks, walked in the lab command by command as they stand (issue 23.8)."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from deployed_lab import Lab
from lab_copies import started_copy
from walking import Walk, commands

EAST, WEST = "us-east-1", "us-west-2"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One deployed lab for all pages: what a walk changes, the others don't need."""
    one = started_copy(tmp_path_factory.mktemp("walked"))
    try:
        yield one
    finally:
        one.stop()


def store(lab: Lab, text: str, patient: str = "p-walk") -> str:
    """Stores a record through us-east-1's load balancer; its id."""
    body = {"patientId": patient, "type": "note", "data": {"text": text}}
    host = lab.outputs["app.primary.load_balancer_dns_name"]
    headers = {"content-type": "application/json", "idempotency-key": str(uuid.uuid4())}
    answer = lab.request(host, "/records", "POST", json.dumps(body).encode(), headers)
    assert answer.status == 201, answer
    return answer.json["id"]


def test_emergency_mode_reads_records_with_nothing_of_ours(lab: Lab, tmp_path: Path) -> None:
    """HIPAA §164.308(a)(7)(ii)(C): each region exports by itself, from its own reader; what is
    fetched by either way is the same pages, with the record, for a browser alone."""
    written = store(lab, "penicillin <allergy>")
    walk = Walk(lab, folder=tmp_path)
    made = [answer for _, answer in walk.section("emergency.md", "Make one now")]
    assert all(WEST in answer for answer in made)
    by_inv, listing, by_aws = commands("emergency.md", "Open it")
    opened = json.loads(walk.perform(walk.filled(by_inv) + " --json"))
    page = Path(opened["index"]).with_name("page-0001.html").read_text()
    assert written in page
    assert "penicillin &#60;allergy&#62;" in page
    names = walk.perform(walk.filled(listing))
    whole = [name.partition("/")[0] for name in names if name.endswith("/index.html")]
    walk.values["TIME"] = max(whole)
    walk.perform(walk.filled(by_aws))
    assert (tmp_path / "here" / "page-0001.html").read_text().count(written) == 1
    assert "page-0001.html" in (tmp_path / "here" / "index.html").read_text()
