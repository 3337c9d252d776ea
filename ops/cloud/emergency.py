"""``./inv emergency.export`` and ``emergency.open``: what clinicians read while nothing else works.

Each region makes an export of all treated patients' records every night
(``app/emergency_export.py``); both buckets hold both regions', where replication has carried them.
Opening one needs a bucket that answers and its key, and none of our functions;
docs/runbooks/emergency.md has the way by AWS's own command line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ops.cloud.answers import reason
from ops.cloud.clients import Clients
from ops.errors import ExitCode, OperatorError, bad_input, one_line
from ops.exits import end_with
from ops.printing import make_console, print_json, rows_table
from ops.stack_file import StackFile
from ops.waiting import announced
from ops.workspace import Workspace
from pulumi_protocol.files import private_directory, write_atomically
from tapstack.naming import physical_name
from tapstack.well_known import CONTENT_BUCKET, EMERGENCY_FUNCTION, EMERGENCY_PREFIX

OLDEST = timedelta(hours=30)
"""Beyond it a night's export is missing, as for the alarm ``emergency-export``."""
EXPORT_SECONDS = 910
"""The function has 900 s (``app/emergency_export.py``)."""
FOLDER = "emergency-exports"
"""Where they are put, below the workspace; ignored by Git."""
INDEX = "index.html"

_KEY = re.compile(
    rf"{EMERGENCY_PREFIX}(?P<region>[a-z0-9-]+)/(?P<time>\d{{4}}-\d\d-\d\dT\d\d-\d\d-\d\dZ)/"
    rf"(?P<file>{re.escape(INDEX)}|page-\d{{4,}}\.html)"
)

Now = Callable[[], datetime]


@dataclass(frozen=True)
class Export:
    """One whole export, as it lies in a bucket."""

    bucket_region: str
    """Whose bucket it is read from."""
    region: str
    """Which region made it."""
    time: str
    """When, as its folder says: ``2026-01-02T03-04-05Z``."""
    files: tuple[str, ...]
    """Names of its files, the index last."""

    @property
    def at(self) -> datetime:
        """When it was made."""
        return datetime.strptime(self.time, "%Y-%m-%dT%H-%M-%SZ").replace(tzinfo=UTC)

    @property
    def folder(self) -> str:
        """Its prefix in the bucket."""
        return f"{EMERGENCY_PREFIX}{self.region}/{self.time}/"


def whole(bucket_region: str, keys: Sequence[str]) -> list[Export]:
    """The exports among a bucket's keys that have their index, the oldest first; pure."""
    found: dict[tuple[str, str], list[str]] = {}
    for key in keys:
        if match := _KEY.fullmatch(key):
            found.setdefault((match["time"], match["region"]), []).append(match["file"])
    return [
        Export(bucket_region, region, time, (*sorted(set(files) - {INDEX}), INDEX))
        for (time, region), files in sorted(found.items())
        if INDEX in files
    ]


# -- making one ------------------------------------------------------------------------------------


def export(file: StackFile, clients: Clients, region: str, *, as_json: bool) -> None:
    """Lets the region's function, or both regions', make an export now, and prints what it holds.
    Raises ``OperatorError`` once all were tried where one failed."""
    made, failed = [], []
    for one in _chosen(clients, region):
        try:
            made.append({"region": one, **_made(file, clients, one)})
        except OperatorError as error:
            failed.append(str(error))
    if as_json:
        print_json(made)
    else:
        rows = [(m["region"], m["folder"], m["records"], m["patients"], m["asOf"]) for m in made]
        console = make_console()
        console.print(rows_table(("region", "export", "records", "patients", "as of"), rows))
    if failed:
        raise OperatorError("; ".join(failed))


def _made(file: StackFile, clients: Clients, region: str) -> dict[str, Any]:
    name = physical_name("function", EMERGENCY_FUNCTION, region, file.settings.suffix)
    again = f"run ./inv emergency.export --region {region} --stack {file.stack} again"
    try:
        with announced(f"{name} to read every record"):
            answer = clients.get("lambda", region).invoke(FunctionName=name, Payload=b"{}")
            text = answer["Payload"].read().decode(errors="replace")
    except (ClientError, BotoCoreError) as error:
        raise OperatorError(f"{region}: {name}: {reason(error)}; {again}") from None
    if "FunctionError" in answer:
        raise OperatorError(
            f"{region}: {name} failed: {_fault(text)}; its log is /aws/lambda/{name}; {again}"
        )
    return json.loads(text)


def _fault(text: str) -> str:
    """What a function that failed says of it."""
    try:
        said = json.loads(text)["errorMessage"]
    except (ValueError, KeyError, TypeError):
        said = text
    return one_line(str(said))


# -- opening the newest ----------------------------------------------------------------------------


def open_newest(
    space: Workspace,
    file: StackFile,
    clients: Clients,
    region: str,
    to: str,
    *,
    as_json: bool,
    now: Now = lambda: datetime.now(UTC),
) -> None:
    """Fetches the newest whole export of the region's bucket, or of both, into a folder that its
    owner alone may read, and prints its age; exit code 5 for one that is too old."""
    newest = _newest(file, clients, region)
    folder = Path(to) if to else space.directory / FOLDER / f"{newest.region}-{newest.time}"
    fetch(file, clients, newest, folder)
    age = max(now() - newest.at, timedelta(0))
    if as_json:
        seconds = int(age.total_seconds())
        print_json({**asdict(newest), "index": str(folder / INDEX), "age_seconds": seconds})
    else:
        console = make_console()
        console.print(f"{folder / INDEX}  {len(newest.files)} files: open it in a browser")
        hours, minutes = divmod(int(age.total_seconds()) // 60, 60)
        console.print(f"made by {newest.region}, {hours} h {minutes} min ago ({newest.time})")
        console.print("patients' data: delete the folder when the system is back")
    if age > OLDEST:
        end_with(ExitCode.DIFFERENCE)


def _newest(file: StackFile, clients: Clients, region: str) -> Export:
    """Of all buckets that answer. Raises ``OperatorError`` with what each said if none has it."""
    found: list[Export] = []
    said = []
    for one in _chosen(clients, region):
        try:
            found += (held := whole(one, list(_keys(file, clients, one))))
            said += [] if held else [f"{_bucket(file, one)} holds no whole export"]
        except (ClientError, BotoCoreError) as error:
            said.append(f"{_bucket(file, one)}: {reason(error)}")
    if not found:
        raise OperatorError(
            f"{'; '.join(said)}; make one where a region runs: ./inv emergency.export --stack "
            f"{file.stack}"
        )
    for line in said:
        make_console(stderr=True).print(line)
    return max(found, key=lambda one: one.time)


def _keys(file: StackFile, clients: Clients, region: str) -> Iterator[str]:
    pages = clients.get("s3", region).get_paginator("list_objects_v2")
    for page in pages.paginate(Bucket=_bucket(file, region), Prefix=EMERGENCY_PREFIX):
        for entry in page.get("Contents", []):
            yield entry["Key"]


def fetch(file: StackFile, clients: Clients, one: Export, folder: Path) -> None:
    """Writes an export's files, 0600 in a folder of 0700, the index last. Raises
    ``OperatorError``; what is there already is replaced."""
    s3 = clients.get("s3", one.bucket_region)
    bucket = _bucket(file, one.bucket_region)
    try:
        private_directory(folder)
        with announced(f"{bucket} to give {len(one.files)} files"):
            for name in one.files:
                answer = s3.get_object(Bucket=bucket, Key=one.folder + name)
                write_atomically(folder / name, answer["Body"].read())
    except (ClientError, BotoCoreError) as error:
        raise OperatorError(
            f"{bucket}/{one.folder}: {reason(error)}; run ./inv emergency.open --stack "
            f"{file.stack} again, or with --region for the other region's bucket"
        ) from None
    except OSError as error:
        why = f"{folder} can't be written: {error.strerror}; --to names another"
        raise bad_input(why) from None


def _bucket(file: StackFile, region: str) -> str:
    return physical_name("bucket", CONTENT_BUCKET, region, file.settings.suffix)


def _chosen(clients: Clients, region: str) -> tuple[str, ...]:
    """The regions that are meant; both unless one is named."""
    if region and region not in clients.regions:
        raise bad_input(f"--region {region} is neither {' nor '.join(clients.regions)}")
    return (region,) if region else clients.regions
