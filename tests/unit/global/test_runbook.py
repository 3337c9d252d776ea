"""The runbook: every alarm that can wake somebody says there what it means."""

import re
from pathlib import Path

from declared_alarms import ALARM, with_certificates

RUNBOOK = Path(__file__).resolve().parents[3] / "docs" / "runbook.md"
COMPOSITE = "aws:cloudwatch/compositeAlarm:CompositeAlarm"


def test_every_alarm_is_explained_and_none_that_is_gone() -> None:
    """R6.2: an alarm without a line in docs/runbook.md, or a line without its alarm."""
    deployment = with_certificates()
    names = [
        *(entry.inputs["name"] for entry in deployment.created(ALARM)),
        *(entry.inputs["alarmName"] for entry in deployment.created(COMPOSITE)),
    ]
    purposes = {re.sub(r"^alarm-(.+)-us-(east-1|west-2)-.+$", r"\1", name) for name in names}
    table = RUNBOOK.read_text().partition("## Alarms")[2].partition("\n## ")[0]
    explained = re.findall(r"^\| `([a-z0-9-]+)` \|", table, re.MULTILINE)
    assert sorted(explained) == sorted(purposes)
    assert len(purposes) >= 20
