"""Port ``Parameters``: the switch, and the epoch that the application reads in both regions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from recovery.observation import Switch
from recovery.ports import UnavailableError
from recovery.stored import error_code


class Ssm(Protocol):
    """What is used of boto3's SSM client; its retries are off."""

    def get_parameter(self, **arguments: Any) -> Mapping[str, Any]:
        """One parameter."""
        ...

    def put_parameter(self, **arguments: Any) -> Mapping[str, Any]:
        """Writes one; SSM knows no condition."""
        ...


@dataclass(frozen=True)
class Parameter:
    """One parameter and the region that holds it."""

    client: Ssm
    name: str

    def read(self) -> str:
        """Returns its value; raises ``UnavailableError``."""
        try:
            return str(self.client.get_parameter(Name=self.name)["Parameter"]["Value"])
        except Exception as fault:
            raise UnavailableError(f"{self.name}: {error_code(fault)}") from fault

    def write(self, value: str) -> None:
        """Replaces its value; raises ``UnavailableError``."""
        try:
            self.client.put_parameter(Name=self.name, Value=value, Overwrite=True)
        except Exception as fault:
            raise UnavailableError(f"{self.name}: {error_code(fault)}") from fault


@dataclass(frozen=True)
class RecoveryParameters:
    """``switch`` is us-west-2's, whichever region asks."""

    switch: Parameter
    own_epoch: Parameter
    peer_epoch: Parameter

    def position(self) -> Switch | None:
        """Returns the switch's position; None where it holds another word."""
        value = self.switch.read()
        return Switch(value) if value in set(Switch) else None

    def set_switch(self, position: Switch) -> None:
        """Moves the switch; raises ``UnavailableError``."""
        self.switch.write(position.value)

    def grow_epoch(self, epoch: int) -> None:
        """Writes the epoch of the own region, then of the other one.

        Raises ``UnavailableError`` while the other one is lost, so that it is written when it
        returns; the application knows the larger of both meanwhile.
        """
        _grow(self.own_epoch, epoch)
        _grow(self.peer_epoch, epoch)


def _grow(parameter: Parameter, epoch: int) -> None:
    present = parameter.read()
    if not present.isdecimal() or int(present) < epoch:
        parameter.write(str(epoch))
