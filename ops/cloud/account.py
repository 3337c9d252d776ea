"""Which AWS account the operator's credentials are for, and whether it is the stack's."""

from __future__ import annotations

from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from ops.cloud.clients import Clients
from ops.errors import ExitCode, OperatorError, bad_input
from ops.waiting import announced
from tapstack.settings import Settings


@dataclass(frozen=True)
class Caller:
    """Whose the credentials are."""

    account: str
    """Twelve digits."""
    arn: str
    user_id: str = ""
    """What IAM calls ``aws:userid``: of a user its id, of an assumed role ``ROLEID:SESSION``."""


def current(clients: Clients) -> str:
    """The account of the credentials, twelve digits."""
    return caller(clients).account


def caller(clients: Clients) -> Caller:
    """Whose the credentials are; raises OperatorError (3) where they don't work.

    Asked in the standby region, which answers when the primary doesn't.
    """
    try:
        with announced(f"AWS STS in {clients.regions[1]} to say whose the credentials are"):
            answer = clients.get("sts", clients.regions[1]).get_caller_identity()
        return Caller(answer["Account"], answer.get("Arn", ""), answer.get("UserId", ""))
    except (ClientError, BotoCoreError) as error:
        raise OperatorError(
            f"AWS credentials don't work ({' '.join(str(error).split())}): set AWS_PROFILE or run "
            "aws sso login, then run this again",
            ExitCode.ENVIRONMENT,
        ) from None


def check(clients: Clients, settings: Settings) -> None:
    """Refuses credentials for an account other than ``TapStack:accountId``, where that is set."""
    wanted = settings.stack.account_id
    if wanted and (found := current(clients)) != wanted:
        raise bad_input(
            f"the credentials are for account {found}, and stack {settings.stack_name} belongs to "
            f"{wanted} (TapStack:accountId): nothing was touched; set AWS_PROFILE to that account's"
        )
