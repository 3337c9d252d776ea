"""Where the controller is armed: beside the reader of the current epoch, and nowhere else (H34).

The state item's epoch equals the local reader's, the member is connected, and the reader has
changed in this epoch. Only a person's acknowledgement moves the item's epoch after an incident, so
a lost region that comes back, resyncing and knowing of nothing, stays unarmed.
"""

from __future__ import annotations

from dataclasses import replace

from recovery.model import State
from recovery.observation import Observation


def arm(state: State, observation: Observation) -> State:
    """Returns the state armed or disarmed after a recorded run.

    What is unknown changes nothing: a writer whose own status is throttled must not take itself for
    a reader. During an incident a member that isn't connected doesn't disarm: the loss itself may
    look like that.
    """
    reader, cluster, seen = (
        observation.reader, observation.own_cluster, observation.global_cluster,
    )  # fmt: skip
    if reader is not None and reader.epoch != state.epoch:
        return replace(state, armed=False)
    if cluster is not None and cluster.writer:
        return state
    connected = seen is not None and seen.own_member and seen.own_connected
    reads = cluster is not None and reader is not None
    if reads and connected and state.changed_in_epoch == state.epoch:
        return replace(state, armed=True)
    if seen is not None and not connected and not state.incident_runs:
        return replace(state, armed=False)
    return state
