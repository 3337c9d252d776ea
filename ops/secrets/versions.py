"""A secret with its versions in the region that owns it, and what its other region's replica has.

Each step leaves the secret as another step finds it: what was begun is the version labelled
``AWSPENDING``, and a command that was killed resumes with that one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tapstack.well_known import ALTERNATE_SUFFIX, DEPLOYED_LABEL

CURRENT, PENDING = "AWSCURRENT", "AWSPENDING"
PASSWORD_LENGTH = 40


@dataclass(frozen=True)
class Begun:
    """A rotation under way."""

    current: str
    """Id of the version that is current."""
    pending: str
    """Id of the one that shall be."""
    username: str
    """Whose password it holds."""
    resumed: bool
    """Whether an earlier command began it."""


def alternate(username: str) -> str:
    """The application's other user.

    >>> alternate("application"), alternate("application_b")
    ('application_b', 'application')
    """
    if username.endswith(ALTERNATE_SUFFIX):
        return username.removesuffix(ALTERNATE_SUFFIX)
    return username + ALTERNATE_SUFFIX


class Versions:
    """The versions of one secret, through a Secrets Manager client of its own region."""

    def __init__(self, client: Any, name: str) -> None:
        self._client, self._name = client, name

    def labelled(self) -> dict[str, str]:
        """Staging label → version's id."""
        found = self._client.describe_secret(SecretId=self._name)["VersionIdsToStages"]
        return {label: version for version, labels in found.items() for label in labels}

    def value(self, label: str) -> Mapping[str, str]:
        """``{"username": …, "password": …}`` of the version with that label."""
        answer = self._client.get_secret_value(SecretId=self._name, VersionStage=label)
        return json.loads(answer["SecretString"])

    def begin(self, *, other_user: bool) -> Begun:
        """A pending version with a new password, for the same user or the other one; what an
        earlier command left pending is taken up."""
        labels = self.labelled()
        current, pending = labels[CURRENT], labels.get(PENDING, "")
        if pending and pending != current:
            return Begun(current, pending, self.value(PENDING)["username"], resumed=True)
        if DEPLOYED_LABEL not in labels:
            # Deployed before there was such a label: the state's version is the current one still.
            self._label(DEPLOYED_LABEL, to=current)
        user = self.value(CURRENT)["username"]
        user = alternate(user) if other_user else user
        password = self._client.get_random_password(
            PasswordLength=PASSWORD_LENGTH, ExcludePunctuation=True
        )["RandomPassword"]
        text = json.dumps({"username": user, "password": password})
        made = self._client.put_secret_value(
            SecretId=self._name, SecretString=text, VersionStages=[PENDING]
        )
        return Begun(current, made["VersionId"], user, resumed=False)

    def finish(self, begun: Begun) -> None:
        """Makes the pending version the current one; the replicas follow by themselves."""
        self._label(CURRENT, to=begun.pending, away_from=begun.current)
        # AWS itself labels the old one AWSPREVIOUS, and leaves the pending label where it is.
        if self.labelled().get(PENDING) == begun.pending:
            self._label(PENDING, away_from=begun.pending)

    def _label(self, label: str, *, to: str = "", away_from: str = "") -> None:
        move = {
            **({"MoveToVersionId": to} if to else {}),
            **({"RemoveFromVersionId": away_from} if away_from else {}),
        }
        self._client.update_secret_version_stage(SecretId=self._name, VersionStage=label, **move)
