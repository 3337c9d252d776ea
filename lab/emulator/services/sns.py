"""SNS: tags at creation, and e-mail subscriptions that wait for a person."""

from __future__ import annotations

from functools import partial

from lab.api import ApiRefusal, ApiRequest, ApiResponse, CallNext
from lab.emulator.mails import Mails
from lab.emulator.mending import Mending
from lab.emulator.scope import scope

PENDING = "PendingConfirmation"
CONFIRMED_BY_PEOPLE = ("email", "email-json", "sms")


def install(mending: Mending) -> None:
    """Mends SNS."""
    from ministack.services import sns

    mending.mails.follow(sns)
    mend = mending.mend
    mend("sns", "CreateTopic", create)
    mend("sns", "Subscribe", partial(subscribe, mending.mails))
    mend("sns", "Unsubscribe", unsubscribe)
    mend("sns", "ListSubscriptions ListSubscriptionsByTopic", listed)
    mend("sns", "GetTopicAttributes", attributes)


async def create(request: ApiRequest, call_next: CallNext) -> ApiResponse:
    """Tags given at creation stay."""
    from ministack.services import sns

    response = await call_next(request)
    if response.ok and request.parameters.get("Tags"):
        with scope(request):
            topic = sns._topics[response.result["TopicArn"]]
            topic["tags"] = {tag["Key"]: tag["Value"] for tag in request.parameters["Tags"]}
    return response


async def subscribe(mails: Mails, request: ApiRequest, call_next: CallNext) -> ApiResponse:
    """Who must confirm is pending, and is asked by a mail."""
    from ministack.services import sns

    response = await call_next(request)
    if response.ok and request.parameters["Protocol"] in CONFIRMED_BY_PEOPLE:
        with scope(request):
            arn = response.result["SubscriptionArn"]
            for subscription in _subscriptions(sns):
                if subscription["arn"] == arn:
                    if subscription["attributes"].get("PendingConfirmation") != "true":
                        mails.asked(subscription)
                    if mails.read_at_once(subscription):
                        continue
                    subscription["confirmed"] = False
                    subscription["attributes"]["PendingConfirmation"] = "true"
                    subscription["attributes"]["ConfirmationWasAuthenticated"] = "false"
        if not request.parameters.get("ReturnSubscriptionArn"):
            response.result["SubscriptionArn"] = "pending confirmation"
    return response


async def unsubscribe(request: ApiRequest, call_next: CallNext) -> ApiResponse:
    """A pending subscription can't be ended (trap 28b)."""
    from ministack.services import sns

    arn = request.parameters["SubscriptionArn"]
    with scope(request):
        pending = any(s["arn"] == arn and not s["confirmed"] for s in _subscriptions(sns))
    if pending or not arn.startswith("arn:"):
        raise ApiRefusal(
            "InvalidParameter",
            "Invalid parameter: SubscriptionArn Reason: This operation is not allowed on pending "
            "subscriptions",
        )
    return await call_next(request)


async def listed(request: ApiRequest, call_next: CallNext) -> ApiResponse:
    """A pending subscription has no ARN in lists."""
    from ministack.services import sns

    response = await call_next(request)
    if response.ok:
        with scope(request):
            pending = {s["arn"] for s in _subscriptions(sns) if not s["confirmed"]}
        for item in response.result["Subscriptions"]:
            if item["SubscriptionArn"] in pending:
                item["SubscriptionArn"] = PENDING
    return response


async def attributes(request: ApiRequest, call_next: CallNext) -> ApiResponse:
    """Counts of subscriptions, confirmed and pending."""
    from ministack.services import sns

    response = await call_next(request)
    if response.ok:
        with scope(request):
            topic = sns._topics.get(request.parameters["TopicArn"]) or {}
            found = [s["confirmed"] for s in topic.get("subscriptions", [])]
        response.result["Attributes"]["SubscriptionsConfirmed"] = str(sum(found))
        response.result["Attributes"]["SubscriptionsPending"] = str(len(found) - sum(found))
    return response


def _subscriptions(sns: object) -> list[dict]:
    topics = sns._topics  # pyright: ignore[reportAttributeAccessIssue]
    return [s for topic in topics.values() for s in topic.get("subscriptions", [])]
