"""One region's synchronised parameters in Systems Manager; secrets are left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from recovery.parameter_plan import Setting, Settings
from recovery.stored import error_code

SECURE = "SecureString"
"""Secrets stay where they are: Secrets Manager replicates its own."""
GONE = "ParameterNotFound"


@dataclass(frozen=True)
class SharedParameters:
    """``path`` has no slash at its end; keys are what follows it. Errors are raised."""

    ssm: Any
    path: str

    def key_of(self, name: str) -> str:
        """Returns the key of a parameter's name."""
        return name.removeprefix(f"{self.path}/")

    def all(self) -> Settings:
        """Returns every parameter by its key."""
        found: dict[str, Setting] = {}
        token: dict[str, str] = {}
        while True:
            page = self.ssm.get_parameters_by_path(Path=self.path, Recursive=True, **token)
            found |= self._settings(page["Parameters"])
            if not page.get("NextToken"):
                return found
            token = {"NextToken": page["NextToken"]}

    def some(self, keys: Sequence[str]) -> Settings:
        """Returns those of ``keys`` that exist."""
        names = sorted({f"{self.path}/{key}" for key in keys})
        return self._settings(self.ssm.get_parameters(Names=names)["Parameters"])

    def put(self, key: str, setting: Setting) -> None:
        """Writes one over whatever stands there."""
        self.ssm.put_parameter(
            Name=f"{self.path}/{key}", Value=setting.value, Type=setting.kind, Overwrite=True
        )

    def delete(self, key: str) -> None:
        """Takes one away; one that is gone already is as it should be."""
        try:
            self.ssm.delete_parameter(Name=f"{self.path}/{key}")
        except Exception as fault:
            if error_code(fault) != GONE:
                raise

    def _settings(self, parameters: Sequence[Mapping[str, Any]]) -> dict[str, Setting]:
        return {
            self.key_of(str(one["Name"])): Setting(
                value=str(one["Value"]),
                changed=one["LastModifiedDate"].timestamp(),
                version=int(one["Version"]),
                kind=str(one["Type"]),
            )
            for one in parameters
            if one["Type"] != SECURE
        }
