"""Whose stores of the emulator a request means."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager

from lab.api import ApiRequest
from lab.context import ACCOUNT_ID

_ACCOUNT = re.compile(r"\d{12}")


def account_of(request: ApiRequest) -> str:
    """The account: an access key of twelve digits names it, as the emulator has it."""
    return request.principal if _ACCOUNT.fullmatch(request.principal) else ACCOUNT_ID


def scope(request: ApiRequest) -> AbstractContextManager[None]:
    """The emulator's stores as this request sees them: its account, its region."""
    from ministack.core.responses import request_scope

    return request_scope(account_of(request), request.region)
