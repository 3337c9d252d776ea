"""A planned change of the writer, without loss, in the order in which it can be taken up again.

What has to be done next follows from what stands: who writes, what is marked, the epoch, the
switch. So the same command may be run after any kill, and twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from math import ceil
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ops.cloud import objects, regions
from ops.cloud.answers import reason
from ops.errors import ExitCode, OperatorError, bad_input, one_line
from ops.recovery.items import minute_of
from ops.recovery.place import Place, World
from recovery import commands, describe
from recovery.commands import HOLD_MINUTES, FailbackFacts
from recovery.model import Notice, Stage, State, Verified
from recovery.observation import GlobalCluster, Switch
from recovery.ports import UnavailableError

HOLD = "a switchover"
"""Why the controllers hold meanwhile."""
CHANGE_SECONDS = 900.0
"""Longest wait for RDS to change the writer."""
BEGIN_SECONDS = 30.0
"""So long after the call Describe may not show it yet."""
PROOF_SECONDS = 300.0
"""Longest wait until a write in the new writer's region has proven it."""
DNS_SECONDS = 300.0
"""Longest wait for DNS: three checks of 30 s, and the record's 60 s."""
PAUSE_SECONDS = 1.0

Report = Callable[[str], None]
Confirm = Callable[[str], bool]


class Step(StrEnum):
    """What has to be done next."""

    HOME = "home"
    CALL = "call"
    WAIT = "wait"
    FINISH = "finish"


@dataclass(frozen=True)
class Standing:
    """What stands in both regions: the target of the switchover, and the region that it leaves."""

    target_writes: bool
    failover_state: str
    marked: bool
    """Whether an item says that a command leads a switchover."""
    switch: Switch | None
    wanted: Switch


def next_step(standing: Standing) -> Step:
    """Returns what has to be done next; pure."""
    if standing.failover_state:
        return Step.WAIT
    if not standing.target_writes:
        return Step.CALL
    settled = not standing.marked and standing.switch is standing.wanted
    return Step.HOME if settled else Step.FINISH


@dataclass(frozen=True)
class Returned:
    """What a switchover did: seconds by part, and where DNS leads."""

    region: str
    epoch: int
    switchover_seconds: float
    proof_seconds: float
    traffic: str
    traffic_seconds: float

    def as_dict(self) -> dict[str, Any]:
        """The document of ``--json``."""
        return asdict(self)


@dataclass(frozen=True)
class Switchover:
    """From ``source`` to ``target``; both must answer."""

    world: World
    source: Place
    target: Place
    report: Report

    @classmethod
    def to(cls, world: World, region: str, report: Report) -> Switchover:
        """The switchover that makes a region the writer. Touches nothing; raises
        ``OperatorError`` where there is no table, or a region doesn't answer."""
        items = world.items.read()
        for item in items:
            if item.state is None:
                raise OperatorError(
                    f"{item.region} doesn't answer ({item.unknown}): a switchover needs both "
                    "regions"
                )
        (other,) = (name for name in world.clients.regions if name != region)
        try:
            return cls(world, world.place(other), world.place(region), report)
        except UnavailableError as fault:
            raise OperatorError(f"{fault}: a switchover needs both regions") from None

    # What stands

    def standing(self) -> Standing:
        """Asks both regions."""
        seen = self._global()
        states = (self.source.state(), self.target.state())
        settings = self.target.environment.settings
        try:
            switch = self.target.parameters.position()
        except UnavailableError:
            switch = None
        return Standing(
            seen.own_writer,
            seen.failover_state,
            any(state.stage is Stage.FAILING_BACK for state in states),
            switch,
            settings.switch,
        )

    def refusals(self) -> tuple[str, ...]:
        """Every reason against it (H21)."""
        observation = self.source.observe()
        return commands.failback_refusals(
            self.source.state(),
            observation,
            FailbackFacts(self._lag_seconds(), self._pending()),
            self.source.environment.settings,
        )

    def _global(self) -> GlobalCluster:
        env = self.target.environment
        try:
            return describe.global_cluster(self.target.rds, env.global_cluster, env.cluster_arn)
        except (ClientError, BotoCoreError) as fault:
            raise OperatorError(
                f"{env.global_cluster} in {self.target.region}: {reason(fault)}; try again"
            ) from None

    def _lag_seconds(self) -> int | None:
        cluster = self.target.environment.cluster
        try:
            found = regions.lag_ms(cluster, self.world.clients, self.target.region)
        except (ClientError, BotoCoreError):
            return None
        return None if found is None else ceil(found / 1000)

    def _pending(self) -> int | None:
        """In both directions: a late replica of either would overwrite a newer object."""
        one, other = self.source.environment, self.target.environment
        try:
            return sum(
                objects.pending(
                    self.world.clients, here.bucket, there.bucket, there.settings.region
                )
                for here, there in ((one, other), (other, one))
            )
        except (ClientError, BotoCoreError):
            return None

    # What is done

    def change(self) -> None:
        """Marks both items, and calls in the *current primary's* region (recovery.md 1.1)."""
        minute = minute_of(self.world.items.read())
        self._order(
            lambda state: commands.fail_back(commands.announce(state, minute, HOLD_MINUTES, HOLD)),
            lambda state: commands.announce(state, minute, HOLD_MINUTES, HOLD),
        )
        env = self.source.environment
        try:
            self.source.rds.switchover_global_cluster(
                GlobalClusterIdentifier=env.global_cluster,
                TargetDbClusterIdentifier=self.target.environment.cluster_arn,
            )
        except ClientError as fault:
            if fault.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500) >= 500:
                return  # Perhaps it began: Describe says so.
            self._stay()
            raise OperatorError(
                f"the switchover to {self.target.region} is refused: {one_line(str(fault))}; "
                "nothing has changed"
            ) from None
        except BotoCoreError:
            return

    def wait(self) -> None:
        """Until the target writes. Raises ``OperatorError`` where RDS gave it up or takes too
        long."""
        began = self.world.now()
        while True:
            try:
                seen = self._global()
            except OperatorError as fault:
                self.report(f"waiting    {fault}")
                seen = None
            if seen is not None and not seen.failover_state and seen.own_writer:
                return
            elapsed = self.world.now() - began
            if seen is not None and not seen.failover_state and elapsed > BEGIN_SECONDS:
                self._stay()
                raise OperatorError(
                    f"RDS gave the switchover up: {self.source.region} still writes; ./inv status"
                    f"{self.world.flags}, then the same again"
                )
            if elapsed > CHANGE_SECONDS:
                raise OperatorError(
                    f"the switchover isn't complete after {CHANGE_SECONDS:.0f} s: run the same "
                    "again to keep waiting"
                )
            self.world.sleep(PAUSE_SECONDS)

    def prove(self) -> None:
        """By a write in the target's region, and where the global endpoint leads (H22)."""
        region = self.target.region
        deadline = self.world.now() + PROOF_SECONDS
        while True:
            found: Verified = self.target.ports.database.verify()
            if found.wrote and found.endpoint == region:
                return
            if self.world.now() > deadline:
                leads = found.endpoint or "nowhere"
                raise OperatorError(
                    f"{region} writes by RDS's word, and no write proves it "
                    f"({found.detail or leads}): run the same again"
                )
            self.world.sleep(PAUSE_SECONDS)

    def settle(self) -> int:
        """Grows the epoch, moves the switch, and settles both items; returns the epoch."""
        source, target = self.source.state(), self.target.state()
        epoch = max(source.epoch, target.epoch)
        if source.stage is Stage.FAILING_BACK:
            epoch = max(target.epoch, source.epoch + 1)
        ports, position = self.target.ports, self.target.environment.settings.switch
        try:
            ports.database.grow_epoch(epoch, 0)
            ports.parameters.grow_epoch(epoch)
            ports.parameters.set_switch(position)
        except UnavailableError as fault:
            raise OperatorError(
                f"{self.target.region} writes, and is not settled ({fault}): run the same again"
            ) from None

        def settled(state: State) -> State:
            return commands.withdraw(commands.failed_back(state, epoch), HOLD)

        self._order(settled, settled)
        self._say(epoch)
        return epoch

    def follow_dns(self) -> str:
        """Waits until DNS leads to the target; returns where it leads then."""
        deadline = self.world.now() + DNS_SECONDS
        while True:
            found = self.world.traffic(self.target, self.source)
            if found.region == self.target.region or self.world.now() > deadline:
                return found.region
            self.world.sleep(PAUSE_SECONDS)

    def _stay(self) -> None:
        def back(state: State) -> State:
            return commands.withdraw(commands.stay(state), HOLD)

        self._order(back, back)

    def _order(self, source: Callable[[State], State], target: Callable[[State], State]) -> None:
        changed = self.world.items.change_each(
            {self.source.region: source, self.target.region: target}
        )
        for item in changed:
            if item.state is None:
                raise OperatorError(f"{item.region}: {item.unknown}; run the same again")

    def _say(self, epoch: int) -> None:
        """For people and auditors; a failure stops nothing."""
        ports, region = self.target.ports, self.target.region
        text = f"{region} writes after a switchover, epoch {epoch}; nothing was lost"
        body = {"command": "switchover", "to": region, "epoch": epoch}
        try:
            ports.journal.append(self.target.run().minute, "command", body)
            ports.notifier.send(Notice("switched-over", text, page=False))
        except UnavailableError as fault:
            self.report(f"not said   {fault}")


def run(
    world: World,
    region: str,
    *,
    confirm: Confirm = lambda _word: True,
    report: Report = lambda _line: None,
) -> Returned:
    """Makes ``region`` the writer without loss, or resumes where an earlier run stopped.

    Raises ``OperatorError``: it writes already or a check refuses, and nothing was touched
    (``BAD_INPUT``); failed, with the command that resumes; ``DIFFERENCE`` where all is done and
    DNS doesn't follow.
    """
    this = Switchover.to(world, region, report)
    step = next_step(this.standing())
    if step is Step.HOME:
        raise bad_input(f"{region} writes already and nothing is left to do: nothing was touched")
    began = world.now()
    if step is Step.CALL:
        if refused := this.refusals():
            raise bad_input(f"no switchover to {region}: {'; '.join(refused)}; nothing was touched")
        for line in _plan(this):
            report(line)
        if not confirm(region):
            raise bad_input("not confirmed: nothing was touched")
        began = world.now()
        report(f"call       switchover_global_cluster in {this.source.region}")
        this.change()
    if step is not Step.FINISH:
        report(f"wait       for RDS to make {region} the writer")
        this.wait()
    changed = world.now()
    report(f"proof      a write in {region}, through the global endpoint as well")
    this.prove()
    proven = world.now()
    epoch = this.settle()
    report(f"settled    epoch {epoch}, switch {this.target.environment.settings.switch.value}")
    traffic = this.follow_dns()
    if traffic != region:
        raise OperatorError(
            f"{region} writes in epoch {epoch}; DNS leads to {traffic or 'no region'} after "
            f"{DNS_SECONDS:.0f} s: ./inv status{world.flags} says why",
            ExitCode.DIFFERENCE,
        )
    return Returned(
        region,
        epoch,
        round(changed - began, 1),
        round(proven - changed, 1),
        traffic,
        round(world.now() - proven, 1),
    )


def _plan(this: Switchover) -> list[str]:
    return [
        f"switchover {this.target.region} becomes the writer, {this.source.region} its standby",
        "loses      nothing: RDS waits for the last write; writes pause for a minute or two",
        f"checked    replication, lag, lost tail, objects on their way (from {this.source.region})",
        "steps      hold, switchover_global_cluster, proof by a write, epoch, switch, DNS",
    ]
