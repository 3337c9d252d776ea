"""What is deployed, by the state of the stack's engine, or by the last deployment from this copy
where that state can't be read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ops.console.facts import Layer
from ops.deploy import outputs
from ops.engines.engine import Engine
from ops.errors import OperatorError
from ops.workspace import Workspace
from pulumi_protocol.events import EngineError
from tapstack.contracts import LAYERS


class Outputs:
    """All layers' outputs, flat, as they were last read."""

    def __init__(self, space: Workspace, stack: str, engine: Engine | None) -> None:
        """``engine`` is None where this machine has none for the stack."""
        self.flat: Mapping[str, Any] = {}
        self._space, self._stack, self._engine = space, stack, engine
        self._layers: tuple[Layer, ...] = ()
        self._state: tuple[float, ...] = ()

    def layers(self) -> tuple[Layer, ...]:
        """Reads them anew, unless the local state is as it was; raises OperatorError where neither
        the state nor the last deployment's file can be read."""
        state = self._written()
        if state and state == self._state:
            return self._layers
        try:
            if self._engine is None:
                raise EngineError("no engine is installed here")
            found = {name: self._engine.outputs(name) for name in LAYERS}
        except (EngineError, OperatorError, OSError) as error:
            return self._from_file(str(error))
        self.flat = outputs.flat(self._stack, found)
        self._layers = tuple(
            Layer(name, of is not None, (of or {}).get("contract_version"))
            for name, of in found.items()
        )
        self._state = state
        return self._layers

    def _written(self) -> tuple[float, ...]:
        """When the embedded engine's checkpoints were last written; empty for another engine."""
        files = sorted(self._space.checkpoints.glob(f"*/{self._stack}.json"))
        return tuple(file.stat().st_mtime for file in files)

    def _from_file(self, why: str) -> tuple[Layer, ...]:
        try:
            found = json.loads(self._space.flat_outputs.read_text())
        except (OSError, ValueError):
            found = {}
        if not isinstance(found, dict) or found.get("Stack") != self._stack:
            raise OperatorError(why)
        self.flat = found
        names = {key.partition(".")[0] for key in found}
        return tuple(Layer(name, name in names, None) for name in LAYERS)
