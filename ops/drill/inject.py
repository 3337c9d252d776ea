"""Breaking things on purpose: each step of a scenario, in the lab or on AWS, and always reversibly.

What is to be given back is written down first (:mod:`ops.drill.restoration`). On AWS a region can
be lost only by an experiment of the Fault Injection Service, with a stop alarm; without one an
inverted health check moves the requests, which proves traffic alone, and giving it back needs
Route 53's control plane, which is in us-east-1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lab import client
from ops.cloud.answers import reason
from ops.cloud.clients import Clients
from ops.cloud.roles import role_of
from ops.drill.restoration import Restoration, Undo
from ops.drill.scenario import Action, Scenario, Step
from ops.errors import OperatorError, bad_input
from tapstack.naming import physical_name
from tapstack.well_known import LIVE, RECOVERY

NO_HANDLER = "missing.handler"
"""What a bad deployment's function can't find."""

Begun = Callable[[], object]
"""Called by what has to wait first, when it begins."""


@dataclass(frozen=True)
class Injector:
    """``outputs`` are the stack's, flat; ``lab_state`` is None on AWS; ``template`` is that of the
    Fault Injection Service, empty for none."""

    clients: Clients
    outputs: Mapping[str, Any]
    suffix: str
    restoration: Restoration
    lab_state: Path | None = None
    template: str = ""
    planned: Callable[[str, Begun], object] = lambda _region, _begun: None
    """Moves the writer to a region by the command that people use."""

    def refuse(self, scenario: Scenario) -> None:
        """Raises ``OperatorError`` where a scenario can't be played here, before anything is
        touched."""
        if self.lab_state is not None:
            lost = client.status(self.lab_state)
            if lost.outages or lost.faults:
                what = ", ".join([*lost.outages, *lost.faults])
                raise bad_input(
                    f"the lab has lost something already ({what}): a drill begins with everything "
                    "there; run ./inv lab.restore REGION first"
                )
            return
        if not scenario.on_aws:
            raise bad_input(f"scenario {scenario.name} is for the lab: ./inv drill --list says so")
        whole = any(step.action is Action.OUTAGE and not step.part for step in scenario.steps)
        if whole and not self.template:
            raise bad_input(
                f"scenario {scenario.name} on AWS needs an experiment: --template ID of AWS FIS; "
                "application-only needs none"
            )
        if self.template:
            self._check_template()

    def undoes(self, scenario: Scenario) -> list[Undo]:
        """What will have to be given back, for the question before a drill on AWS."""
        made = (self._undo(step) for step in scenario.steps)
        return [undo for undo in made if undo is not None]

    def do(self, step: Step, begun: Begun = lambda: None) -> None:
        """Carries out one step. Raises ``OperatorError`` where AWS refuses it."""
        undo = self._undo(step)
        if undo is not None and undo.kind != "experiment":
            self.restoration.expect(undo)
        try:
            if step.action is Action.PLANNED:
                self.planned(self._other(step), begun)
            else:
                self._acts[step.action](step)
        except (ClientError, BotoCoreError) as error:
            raise OperatorError(
                f"{step.action} of {step.region} was refused ({reason(error)}): nothing more is "
                "broken, and what was is given back"
            ) from None

    @property
    def _acts(self) -> Mapping[Action, Callable[[Step], object]]:
        return {
            Action.OUTAGE: self._outage,
            Action.FAULT: self._fault,
            Action.SWITCHOVER: self._switchover,
            Action.BAD_DEPLOY: self._bad_deploy,
            Action.STOP_CONTROLLER: lambda step: self._events(step).disable_rule(
                Name=self._rule(step)
            ),
            Action.START_CONTROLLER: lambda step: self._events(step).enable_rule(
                Name=self._rule(step)
            ),
        }

    def _undo(self, step: Step) -> Undo | None:
        """What gives back what a step breaks; None where nothing is broken."""
        match step.action:
            case Action.OUTAGE | Action.FAULT if self.lab_state is not None:
                return Undo("region", step.region)
            case Action.OUTAGE if step.part:
                check = self.outputs["global.primary.health_check_id"]
                return Undo("health-check", self.clients.regions[0], {"id": check})
            case Action.OUTAGE:
                return Undo("experiment", step.region, {"id": self.template})
            case Action.BAD_DEPLOY:
                client, function = self._lambda(step), self._function(step)
                handler = client.get_function_configuration(FunctionName=function)["Handler"]
                version = client.get_alias(FunctionName=function, Name=LIVE)["FunctionVersion"]
                names = {"function": function, "handler": handler, "version": version}
                return Undo("handler", step.region, names)
            case Action.STOP_CONTROLLER:
                return Undo("rule", step.region, {"rule": self._rule(step)})
            case _:
                return None

    def _outage(self, step: Step) -> None:
        if self.lab_state is not None:
            client.outage(self.lab_state, step.region, step.part or None, step.mode or None)
        elif step.part:
            self.clients.get("route53", self.clients.regions[0]).update_health_check(
                HealthCheckId=self.outputs["global.primary.health_check_id"], Inverted=True
            )
        else:
            begun = self.clients.get("fis", step.region).start_experiment(
                experimentTemplateId=self.template
            )
            self.restoration.expect(
                Undo("experiment", step.region, {"id": begun["experiment"]["id"]})
            )

    def _fault(self, step: Step) -> None:
        assert self.lab_state is not None  # noqa: S101 - ``refuse`` lets no fault onto AWS
        client.fault(self.lab_state, step.fault, step.value or None)

    def _bad_deploy(self, step: Step) -> None:
        """What a deployment around the gate would do. No version is published: the next deployment
        would take the newest one for its own."""
        client, function = self._lambda(step), self._function(step)
        client.update_function_configuration(FunctionName=function, Handler=NO_HANDLER)
        client.update_alias(FunctionName=function, Name=LIVE, FunctionVersion="$LATEST")

    def _switchover(self, step: Step) -> None:
        """Asked for where the writer is; the target is the other region's cluster."""
        target = self._other(step)
        role = role_of(target, self.clients.regions)
        wanted = self.outputs[f"data.{role}.cluster_identifier"]
        rds = self.clients.get("rds", step.region)
        found = rds.describe_global_clusters(
            GlobalClusterIdentifier=self.outputs["data.global_cluster_id"]
        )["GlobalClusters"][0]
        arns = [one["DBClusterArn"] for one in found["GlobalClusterMembers"]]
        rds.switchover_global_cluster(
            GlobalClusterIdentifier=self.outputs["data.global_cluster_id"],
            TargetDbClusterIdentifier=next(arn for arn in arns if arn.endswith(f":{wanted}")),
        )

    def _other(self, step: Step) -> str:
        return next(region for region in self.clients.regions if region != step.region)

    def _check_template(self) -> None:
        """Refuses an experiment that nothing stops."""
        fis = self.clients.get("fis", self.clients.regions[0])
        try:
            found = fis.get_experiment_template(id=self.template)["experimentTemplate"]
        except (ClientError, BotoCoreError) as error:
            raise bad_input(f"experiment template {self.template}: {reason(error)}") from None
        if not any(one.get("source") == "aws:cloudwatch:alarm" for one in found["stopConditions"]):
            raise bad_input(
                f"experiment template {self.template} has no stop alarm: an experiment that "
                "nothing ends is no drill"
            )

    def _lambda(self, step: Step) -> Any:
        return self.clients.get("lambda", step.region)

    def _events(self, step: Step) -> Any:
        return self.clients.get("events", step.region)

    def _rule(self, step: Step) -> str:
        return physical_name("rule", RECOVERY, step.region, self.suffix)

    def _function(self, step: Step) -> str:
        role = role_of(step.region, self.clients.regions)
        return str(self.outputs[f"app.{role}.function_name"])
