"""What probes found, as signals: pure, one function a probe.

*Dead* is only what a lost region looks like. Anything that says that something over there still
answers, or that the standby would suffer from as well, is unknown.
"""

from __future__ import annotations

from collections.abc import Sequence

from recovery.observation import ALIVE, UNKNOWN, Ready, Signal, Value, Witness

SHUTTING_DOWN = frozenset({"57P01", "57P02", "57P03"})
"""admin_shutdown, crash_shutdown, cannot_connect_now: no answer of a working writer."""
NO_ANSWER = frozenset({"refused", "unreachable", "timeout"})
"""How a server is silent: connection refused, no route, or hanging until the probe gives up."""
READY_CODES = {ready.value: ready for ready in Ready if ready is not Ready.NO_ANSWER}


def sql(tries: Sequence[str]) -> Signal:
    """Returns the signal of both tries of one run: each ``committed``, a silence, or an SQLSTATE.

    Alive by one commit; dead where each try met silence (H7); everything else is an answer of a
    living server, or a fault of ours: unknown (H28, H32).
    """
    if "committed" in tries:
        return ALIVE
    answers = [found for found in tries if found not in NO_ANSWER | SHUTTING_DOWN]
    if answers or not tries:
        return Signal(Value.UNKNOWN, answers[0] if answers else "not tried")
    return Signal(Value.DEAD, tries[-1])


def application(status: int | None, fault: str = "") -> Signal:
    """Returns the other application's signal: 200 is alive, 5xx and silence are dead.

    A refused path, a redirect or a TLS fault says nothing of its life.
    """
    if status is None:
        return Signal(Value.DEAD if fault in NO_ANSWER else Value.UNKNOWN, fault)
    if status == 200:
        return ALIVE
    return Signal(Value.DEAD if status >= 500 else Value.UNKNOWN, str(status))


def own_load_balancer(status: int | None, fault: str = "") -> Signal:
    """Returns whether this region sees itself: any HTTP status does (H27)."""
    if status is not None:
        return Signal(Value.ALIVE, str(status))
    return Signal(Value.DEAD if fault in NO_ANSWER else Value.UNKNOWN, fault)


def ready(status: int | None, code: str) -> Ready:
    """Returns what ``/ready`` says: 200, or 503 with one of its codes; else it said nothing."""
    if status == 200:
        return Ready.READY
    return READY_CODES.get(code, Ready.NO_ANSWER) if status == 503 else Ready.NO_ANSWER


def witness(answers: Sequence[tuple[str, ...] | None]) -> Witness:
    """Returns the word of two of the zone's name servers; None is a server without an answer.

    One is enough, two must agree, and anything but one of the two values is unknown.
    """
    said = {answer for answer in answers if answer is not None}
    if len(said) != 1:
        return Witness.UNKNOWN
    answer = said.pop()
    if answer == (Witness.SECONDARY.value,):
        return Witness.SECONDARY
    return Witness.PRIMARY if answer == (Witness.PRIMARY.value,) else Witness.UNKNOWN


def reader(fault: str) -> Signal:
    """Returns the own reader's signal: empty is read, a silence dead, an SQLSTATE unknown (H32)."""
    if not fault:
        return ALIVE
    if fault in NO_ANSWER | SHUTTING_DOWN:
        return Signal(Value.DEAD, fault)
    return Signal(UNKNOWN.value, fault)
