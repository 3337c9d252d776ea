"""A case: one resource that lives through the provider, and the others that it needs."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from provider_client import ProviderClient, Resource


@dataclass(frozen=True)
class Case:
    """One resource's life. ``inputs`` and ``changed`` (what it is changed to) get the world, from
    which they take the resources that it needs.

    ``needs``: others that must be there although its inputs don't name them. ``born``: AWS makes
    one itself, before the program does. ``found``: it is found again by its inputs. ``got``: its
    id alone says where it is. ``stays``: its deletion leaves something behind that AWS itself
    answers.
    """

    key: str
    token: str
    inputs: Inputs
    changed: Inputs | None = None
    needs: tuple[str, ...] = ()
    region: str = "us-east-1"
    found: bool = True
    born: bool = False
    got: bool = True
    stays: bool = False


class World(dict[str, Resource]):
    """The resources that a case needs, each made when it is first asked for."""

    def __init__(self, clients: dict[str, ProviderClient], cases: dict[str, Case]) -> None:
        super().__init__()
        self.clients, self.cases = clients, cases

    def __missing__(self, key: str) -> Resource:
        case = self.cases[key]
        inputs = self.inputs(case)
        self[key] = self.client(case).create(case.token, key, inputs)
        return self[key]

    def inputs(self, case: Case) -> dict[str, Any]:
        """Returns a case's inputs; what it needs is there then."""
        for key in case.needs:
            self[key]
        return case.inputs(self)

    def client(self, case: Case) -> ProviderClient:
        """Returns the provider of a case's region."""
        return self.clients[case.region]

    def end(self) -> None:
        """Deletes everything, the youngest first."""
        while self:
            key, resource = self.popitem()
            self.client(self.cases[key]).delete(resource)


Inputs = Callable[[World], dict[str, Any]]


def policy(**statement: Any) -> str:
    """Returns a policy of one statement that allows everything, but for what is given."""
    body = {"Effect": "Allow", "Action": "*", "Resource": "*", **statement}
    return json.dumps({"Version": "2012-10-17", "Statement": [body]})


def trust(service: str, *others: str) -> str:
    """Returns the policy of a role that these services may assume."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": [service, *others] if others else service},
        "Action": "sts:AssumeRole",
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def named(label: str, /, **inputs: Any) -> dict[str, Any]:
    """Returns inputs with a ``Name`` tag."""
    return {**inputs, "tags": {"Name": label}}
