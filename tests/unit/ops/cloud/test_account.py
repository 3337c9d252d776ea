"""The account that credentials are for."""

from typing import Any, cast

import pytest
from fake_clients import FakeClients, refusal

from ops.cloud import account
from ops.cloud.clients import Clients
from ops.errors import ExitCode, OperatorError
from ops.stack_file import parse

SETTINGS = parse(
    "dev",
    "config: {TapStack:environmentSuffix: dev, TapStack:accountId: '111122223333', "
    "aws:region: us-east-1}",
).settings
UNBOUND = parse("dev", "config: {TapStack:environmentSuffix: dev, aws:region: us-east-1}").settings


def answering(answer: Any) -> Clients:
    """Clients whose STS in the standby region answers this, and in the primary nothing."""
    table = {
        ("sts", "us-east-1"): {"get_caller_identity": refusal("ServiceUnavailable")},
        ("sts", "us-west-2"): {"get_caller_identity": answer},
    }
    return cast(Clients, FakeClients(table))


def test_the_stack_s_own_account_passes() -> None:
    """Trap 10: asked in the region that stands by, so it works while the primary is lost."""
    arn = "arn:aws:iam::111122223333:user/me"
    mine = answering({"Account": "111122223333", "Arn": arn, "UserId": "AIDAME"})
    account.check(mine, SETTINGS)
    assert account.caller(mine) == account.Caller("111122223333", arn, "AIDAME")


def test_another_account_is_refused_in_one_line() -> None:
    """R9.3: nothing is deployed to, or destroyed in, somebody else's account."""
    with pytest.raises(OperatorError, match=r"444455556666, and stack dev belongs to 111122223333"):
        account.check(answering({"Account": "444455556666"}), SETTINGS)


def test_without_an_account_in_the_file_none_is_asked() -> None:
    """The key is optional."""
    account.check(answering(refusal()), UNBOUND)


def test_credentials_that_don_t_work_are_one_line() -> None:
    """Exit code 3: this machine lacks something."""
    with pytest.raises(OperatorError, match=r"credentials don't work .*AWS_PROFILE") as caught:
        account.current(answering(refusal("ExpiredToken")))
    assert caught.value.code is ExitCode.ENVIRONMENT
