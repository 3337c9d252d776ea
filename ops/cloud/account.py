"""Which AWS account the operator's credentials are for, and whether it is the stack's."""

from __future__ import annotations

from botocore.exceptions import BotoCoreError, ClientError

from ops.cloud.clients import Clients
from ops.errors import ExitCode, OperatorError, bad_input
from ops.waiting import announced
from tapstack.settings import Settings


def current(clients: Clients) -> str:
    """The account of the credentials, twelve digits.

    Asked in the standby region, which answers when the primary doesn't.
    """
    try:
        with announced(f"AWS STS in {clients.regions[1]} to say whose the credentials are"):
            return clients.get("sts", clients.regions[1]).get_caller_identity()["Account"]
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
