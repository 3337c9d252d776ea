"""Notes what is changed around the database, so that no connection waits for its reading."""

from __future__ import annotations

import contextlib
import time
from functools import partial

from lab.api import ApiHook, ApiRefusal, ApiRequest, ApiResponse, CallNext
from lab.context import LabContext
from lab.database.deployed_network import DeployedNetwork
from lab.database.topology import Topology
from lab.database.ways import Ways

SETTLED_SECONDS = 1.0
REREAD_SECONDS = 15.0
"""What is deployed around the database is read again so often even if no change was seen."""

NETWORK_CHANGES = {
    "ec2": frozenset(
        f"{verb}{noun}"
        for verb, nouns in {
            "Create": ("Route", "RouteTable", "Subnet", "SecurityGroup", "VpcPeeringConnection"),
            "Delete": ("Route", "RouteTable", "Subnet", "SecurityGroup", "VpcPeeringConnection"),
            "Replace": ("Route", "RouteTableAssociation"),
            "Associate": ("RouteTable",),
            "Disassociate": ("RouteTable",),
            "Accept": ("VpcPeeringConnection",),
            "Reject": ("VpcPeeringConnection",),
            "Authorize": ("SecurityGroupIngress", "SecurityGroupEgress"),
            "Revoke": ("SecurityGroupIngress", "SecurityGroupEgress"),
            "Modify": ("SecurityGroupRules",),
        }.items()
        for noun in nouns
    ),
    "lambda": frozenset({"CreateFunction", "DeleteFunction", "UpdateFunctionConfiguration"}),
    "rds": frozenset(
        {
            "CreateDBCluster",
            "ModifyDBCluster",
            "DeleteDBCluster",
            "RestoreDBClusterFromSnapshot",
            "RestoreDBClusterToPointInTime",
            "CreateDBSubnetGroup",
            "ModifyDBSubnetGroup",
            "ModifyDBClusterParameterGroup",
            "ResetDBClusterParameterGroup",
        }
    ),
}
"""Calls after which the way to the database may be another one."""


class Watch:
    """Hooks of the calls that may change the way, and the reading of what they changed."""

    def __init__(
        self, lab: LabContext, topology: Topology, deployed: DeployedNetwork, ways: Ways
    ) -> None:
        self._lab, self._topology, self._deployed, self._ways = lab, topology, deployed, ways
        self._reread_at = 0.0
        # A hook is registered once only, hence one for each service.
        self._watchers: list[tuple[str, frozenset[str], ApiHook]] = [
            (service, operations, partial(self._note_change))
            for service, operations in NETWORK_CHANGES.items()
        ]

    def start(self) -> None:
        """Notes changes from now on."""
        for service, operations, watcher in self._watchers:
            self._lab.on_api(service, operations, watcher)

    def stop(self) -> None:
        """Notes no more."""
        for _, _, watcher in self._watchers:
            self._lab.remove_hook(watcher)

    async def reread(self) -> None:
        """Keeps what is deployed read; during a deployment only the one that asks reads."""
        now = time.monotonic()
        if not any(c.instances for c in list(self._topology.clusters.values())):
            return
        if self._deployed.valid() is not None and now < self._reread_at:
            return
        if self._deployed.is_settled(SETTLED_SECONDS):
            self._reread_at = now + REREAD_SECONDS
            with contextlib.suppress(ApiRefusal):
                await self._deployed.reread()

    async def _note_change(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        response = await call_next(request)
        self._deployed.changed()
        self._ways.forget()
        return response
