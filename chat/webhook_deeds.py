"""What can be done to a webhook endpoint: its name, what it does, who may, and why it is refused. Said once: the
console makes dialogs of these, the API routes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from chat import webhook_endpoints, webhook_trials
from chat.webhook_endpoints import EndpointNotFound
from smartsupport.lib.errors import ServiceError
from smartsupport.lib.text import shorten


class Said(NamedTuple):
    """What came of a deed, for people. `secret` is shown this once."""

    text: str
    good: bool = True
    secret: str = ""


@dataclass(frozen=True, slots=True)
class Deed:
    """`name` is that of the API's route and operation. `carry_out(endpoint_id, *, by, **asked)` is a service, which
    raises `refusals`; `said` tells its result. `permissions`: a member of staff needs all of them."""

    name: str
    title: str
    does: str
    carry_out: Callable[..., Any]
    said: Callable[[Any], Said]
    refusals: Sequence[type[ServiceError]]
    permissions: Sequence[str] = ("chat.change_webhookendpoint",)


def _tried(trial: webhook_trials.Trial) -> Said:
    answered = f"HTTP {trial.status}" if trial.status else "nothing"
    said = f"It said: {shorten(trial.body_head, 300)}" if trial.body_head else ""
    text = f"It answered {answered} after {trial.duration_ms} ms. {trial.error} {said}"
    return Said(" ".join(text.split()), good=trial.delivered)


def _sent_again(done: tuple[int, bool]) -> Said:
    count, more = done
    deliveries = "1 delivery is" if count == 1 else f"{count:,} deliveries are"
    left = " There are more: do it once more when these are sent." if more else ""
    return Said(f"{deliveries} sent again.{left}")


def _resumed(done: webhook_endpoints.Resumed) -> Said:
    if not done.waited:
        return Said("It is live again. Nothing waited.")
    waited = "skipped" if done.skipped else "sent now"
    return Said(f"It is live again. What waited is {waited}: {done.waited:,}.")


TEST = Deed(
    "test",
    "Send a test",
    "A test.ping is posted at once, also where the endpoint is paused, and you see what came back. It takes up to "
    "WEBHOOK_TIMEOUT_SECONDS.",
    webhook_trials.test,
    _tried,
    (EndpointNotFound, webhook_trials.TooManyTests),
)
REDELIVER = Deed(
    "redeliver",
    "Send again what was given up",
    f"With the same ids, the oldest first, at most {webhook_endpoints.MOST_AGAIN:,} at once.",
    webhook_endpoints.send_failed_again,
    _sent_again,
    (EndpointNotFound,),
    ("chat.change_webhookendpoint", "chat.change_webhookdelivery"),
)
ROTATE = Deed(
    "rotate",
    "New secret",
    "It is shown once. The old one signs beside it for as long as you say, and then ends.",
    webhook_endpoints.rotate,
    lambda secret: Said("The new secret signs from now on.", secret=secret),
    (EndpointNotFound, webhook_endpoints.InvalidOverlap),
)
PAUSE = Deed(
    "pause",
    "Pause",
    "Nothing more is sent to it. What happens meanwhile waits until you resume it, for as long as deliveries are kept.",
    webhook_endpoints.pause,
    lambda row: Said("It is paused. What happens meanwhile waits."),
    (EndpointNotFound, webhook_endpoints.AlreadyPaused),
)
RESUME = Deed(
    "resume",
    "Resume",
    "It is told again of what happens; what waited is sent first, or skipped. Send a test first if it was paused "
    "because it failed.",
    webhook_endpoints.resume,
    _resumed,
    (EndpointNotFound, webhook_endpoints.NotPaused),
)
DELETE = Deed(
    "delete",
    "Delete",
    "It is told of nothing more, and what was sent to it is forgotten. What waits is not sent.",
    webhook_endpoints.delete,
    lambda row: Said("The endpoint is deleted."),
    (EndpointNotFound,),
    ("chat.delete_webhookendpoint",),
)
