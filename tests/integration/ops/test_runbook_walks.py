"""The pages of docs/runbooks, walked in the lab command by command as they stand (issue 23.8).

Emergency mode is the sample that each run of the tests walks; the others are ``long``.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from application_client import until
from application_database import at, master
from botocore.exceptions import ClientError
from deployed_lab import Answer, Lab, copied, table
from lab_copies import a_deployed_lab, started_copy
from walking import Walk, blocks, commands, run_sql

EAST, WEST = "us-east-1", "us-west-2"
ORDER = "SELECT id FROM public.records ORDER BY transaction_id, sequence"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One deployed lab for all pages: what a walk changes, the others don't need."""
    one = started_copy(tmp_path_factory.mktemp("walked"))
    try:
        yield one
    finally:
        one.stop()


@pytest.fixture
def configurable(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A deployed lab of a working copy of its own, whose configuration a page changes."""
    directory = tmp_path_factory.mktemp("configurable")
    with a_deployed_lab(directory, copied(tmp_path / "repository")) as one:
        yield one


def post(lab: Lab, text: str) -> Answer:
    """What us-east-1's load balancer answers to a new record."""
    body = {"patientId": "p-walk", "type": "note", "data": {"text": text}}
    host = lab.outputs["app.primary.load_balancer_dns_name"]
    headers = {"content-type": "application/json", "idempotency-key": str(uuid.uuid4())}
    return lab.request(host, "/records", "POST", json.dumps(body).encode(), headers)


def store(lab: Lab, text: str) -> str:
    """Stores a record; its id."""
    answer = post(lab, text)
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


@pytest.mark.long
def test_damaged_rows_come_back_and_nothing_else_changes(lab: Lab, tmp_path: Path) -> None:
    """Issue 23.8: what was destroyed and what was falsified are as before, by a cluster beside;
    what was written since stays, in both regions, and the feed's order with it."""
    walk = Walk(lab)
    for _ in walk.section("damaged-data.md", "Stop the damage"):
        pass
    destroyed, falsified = store(lab, "destroyed"), store(lab, "before")
    with master(lab) as writer:
        order = writer.execute(ORDER).fetchall()
        time.sleep(0.05)
        walk.values["MOMENT"] = datetime.now(UTC).isoformat()
        time.sleep(0.05)
        writer.execute("DELETE FROM public.records WHERE id = %s", (destroyed,))
        writer.execute("UPDATE public.records SET data = '{}' WHERE id = %s", (falsified,))
    since = store(lab, "since")
    for line, answer in walk.section("damaged-data.md", "Restore beside"):
        if "describe-db-clusters" in line:
            walk.values["GROUP"] = answer
    restored = f"aurora-cluster-restored-{EAST}-{walk.values['SUFFIX']}"
    found = lab.client("rds").describe_db_clusters(DBClusterIdentifier=restored)["DBClusters"][0]
    beside, writing = blocks("damaged-data.md", "Compare and copy back", "sql")
    with at(lab, found["Endpoint"]) as connection:
        assert run_sql(connection, beside, tmp_path) == []
    with master(lab) as writer:
        assert run_sql(writer, writing, tmp_path) == [1, 1]
        rows = dict(writer.execute("SELECT id::text, data->>'text' FROM public.records").fetchall())
        assert [rows[one] for one in (destroyed, falsified, since)] == [
            "destroyed",
            "before",
            "since",
        ]
        assert writer.execute(ORDER).fetchall()[: len(order)] == order
    host = lab.outputs["app.secondary.load_balancer_dns_name"]
    assert lab.request(host, f"/records/{destroyed}").json["data"] == {"text": "destroyed"}
    for _ in walk.section("damaged-data.md", "Take it down"):
        pass
    with pytest.raises(ClientError, match="DBClusterNotFound"):
        lab.client("rds").describe_db_clusters(DBClusterIdentifier=restored)


@pytest.mark.long
def test_a_rotation_refuses_no_login(lab: Lab) -> None:
    """Trap 42: both users, by the page, while a client writes; each write is answered."""
    walk = Walk(lab)
    answers: list[int] = []
    over = threading.Event()

    def write() -> None:
        while not over.is_set():
            answers.append(post(lab, "during the rotation").status)
            over.wait(0.2)

    client = threading.Thread(target=write)
    client.start()
    try:
        rotated = [answer for _, answer in walk.section("rotation.md", "Rotate")]
    finally:
        over.set()
        client.join(60)
    assert ["application_b" in rotated[0], "master" in rotated[1]] == [True, True]
    assert len(answers) > 2
    assert set(answers) == {201}
    for _ in walk.section("rotation.md", "Afterwards"):
        pass


@pytest.mark.long
def test_a_minor_upgrade_is_one_update(configurable: Lab) -> None:
    """Traps 6, 8b: by the page, the global cluster alone is updated and nothing replaced; both
    members have the version, and writes continue."""
    lab = configurable
    walk = Walk(lab)
    for _ in walk.section("engine-upgrade.md", "Before"):
        pass
    file = lab.repository / "Pulumi.lab.yaml"
    text = file.read_text()
    file.unlink()  # a copy's file may be a link to the original's content
    file.write_text(text.replace("config:\n", 'config:\n  data:engineVersion: "16.9"\n', 1))
    previewed, done = (answer for _, answer in walk.section("engine-upgrade.md", "Minor"))
    planned, made = table(previewed)["data"], table(done)["data"]
    assert (planned["update"], planned["replace"]) == ("1", "0"), previewed
    assert (made["updated"], made["replaced"]) == ("1", "0"), done
    for region in (EAST, WEST):
        name = f"aurora-cluster-{region}-{walk.values['SUFFIX']}"
        found = lab.client("rds", region).describe_db_clusters(DBClusterIdentifier=name)
        assert found["DBClusters"][0]["EngineVersion"] == "16.9"
    for _ in walk.section("engine-upgrade.md", "Afterwards"):
        pass
    store(lab, "after the upgrade")


@pytest.mark.long
def test_both_regions_may_run_the_same(lab: Lab) -> None:
    """Quota parity: what the page asks for is answered, equal in both regions; a region that may
    run less is seen."""
    walk = Walk(lab)

    def asked() -> list[int]:
        return [answer for line, answer in walk.section("quotas.md", "Look") if "aws" in line]

    first, second = asked()
    assert first == second
    assert lab.inv("lab.fault", "low-concurrency", WEST).returncode == 0
    assert asked() == [first, 10]
    assert lab.inv("lab.fault", "low-concurrency", "off").returncode == 0


@pytest.mark.long
def test_records_move_to_another_account(
    lab: Lab, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Issue 23.8: the writes stop and nothing else does; the new side has the same records under
    the same numbers, gives them out though its database is younger, and takes new ones."""
    page, walk = "another-account.md", Walk(lab)
    (stopping,), (comparing,), (returning,) = (
        blocks(page, section, "sql") for section in ("Stop the writes", "Compare", "The way back")
    )
    copying, taking = blocks(page, "Take the records over", "sql")
    with (
        a_deployed_lab(tmp_path_factory.mktemp("account")) as other,
        master(lab) as old,
        master(other) as new,
    ):
        store(other, "practised")
        for _ in range(2000):  # an older cluster has begun more transactions
            old.execute("SELECT pg_current_xact_id()")
        moved = [store(lab, text) for text in ("first", "second")]
        for _ in walk.section(page, "Stop the writes"):
            pass
        assert until(lambda: run_sql(old, stopping, tmp_path) == [0], 120)
        assert post(lab, "too late").status >= 500
        run_sql(old, copying, tmp_path)
        run_sql(new, taking, tmp_path)
        assert run_sql(new, comparing, tmp_path) == run_sql(old, comparing, tmp_path)
        last = store(other, "on the new side")
        host = other.outputs["app.primary.load_balancer_dns_name"]
        seen: list[str] = []

        def fed() -> list[str]:
            """What the feed gives out from its beginning."""
            answer = other.request(host, "/records?after=0&limit=200").json
            seen[:] = [one["id"] for one in answer["records"]]
            return seen

        assert until(lambda: last in fed(), 30), seen
        assert [one for one in seen if one in {*moved, last}] == [*moved, last]
        run_sql(old, returning, tmp_path)
    for _ in walk.section(page, "The way back"):
        pass
    assert until(lambda: post(lab, "the way back").status == 201, 60)
