"""What each customer does, and when: drawn from a seed, so that the same seed gives the same steps again."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

WEIGHTS = {
    "read": 22,
    "discount": 14,
    "coupon": 8,
    "address": 14,
    "cancel": 2,
    "two_writes": 8,
    "two_at_once": 7,
    "while_running": 7,
    "repeat": 6,
    "stop": 6,
    "reconnect": 10,
    "second_tab": 4,
    "new_thread": 2,
    "hello": 2,
    "person": 1,
    "retry": 2,
}
APPROVE, DECLINE, LEAVE = "approve", "decline", "leave"


@dataclass(frozen=True)
class Ask:
    """One write that a message asks for. No other message of this customer asks for the same."""

    tool: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Said:
    content: str
    asks: tuple[Ask, ...] = ()


@dataclass(frozen=True)
class Step:
    """`pause` seconds, then `kind`; `delay` seconds lie between its two halves. `web` chooses where to connect."""

    kind: str
    pause: float
    delay: float
    messages: tuple[Said, ...]
    strategy: str
    web: int


class Mouth:
    """Messages of one customer that are all different, so that every effect leads back to one of them."""

    def __init__(self, orders: list[int]) -> None:
        self.orders = orders
        self.count = self.discounts = 0
        self.cancelled: set[int] = set()

    def _next(self) -> tuple[int, int]:
        """A running number, and one of the orders."""
        self.count += 1
        return self.count, self.orders[self.count % len(self.orders)]

    def read(self) -> Said:
        _, order = self._next()
        return Said(f"What is the status of order {order}?")

    def discount(self) -> Said:
        place, number = divmod(self.discounts, 90)
        if place >= len(self.orders):
            return self.coupon()
        self.discounts += 1
        percent, order = 1 + number, self.orders[place]
        ask = Ask("apply_discount", {"order_id": order, "percent": percent})
        return Said(f"Please give me a {percent}% discount on order {order}.", (ask,))

    def coupon(self) -> Said:
        number, _ = self._next()
        percent, days = 1 + number % 50, 10 + number
        ask = Ask("generate_coupon", {"discount_percent": percent, "expiry_days": days})
        return Said(f"I would like a coupon for {percent}% that lasts {days} days.", (ask,))

    def address(self) -> Said:
        number, order = self._next()
        address = f"{number} Elm Street, Dublin"
        ask = Ask("change_delivery_address", {"order_id": order, "address": address})
        return Said(f"Send order {order} to {address}, please.", (ask,))

    def cancel(self) -> Said:
        _, order = self._next()
        if order in self.cancelled:
            return self.read()
        self.cancelled.add(order)
        return Said(f"Cancel order {order}", (Ask("cancel_order", {"order_id": order}),))

    def two_writes(self) -> Said:
        one, two = self.address(), self.discount()
        return Said(f"{one.content} {two.content}", one.asks + two.asks)

    def any(self, random: Random) -> Said:
        makers = (self.read, self.discount, self.coupon, self.address, self.two_writes)
        return random.choices(makers, weights=(6, 3, 2, 3, 1))[0]()


def steps(seed: str, orders: list[int], *, pace: float) -> Iterator[Step]:
    """Steps without end. `pace` is the mean pause in seconds."""
    random, mouth = Random(seed), Mouth(orders)
    kinds, weights = list(WEIGHTS), list(WEIGHTS.values())
    while True:
        kind = random.choices(kinds, weights=weights)[0]
        yield Step(
            kind=kind,
            pause=random.uniform(0.2, 1.8) * pace,
            delay=random.choice((0.0, 0.02, 0.1, 0.3, 0.8)),
            messages=_messages(kind, mouth, random),
            strategy=random.choices(("", "enqueue", "interrupt", "reject"), weights=(7, 1, 1, 1))[0],
            web=random.randrange(2),
        )


def _messages(kind: str, mouth: Mouth, random: Random) -> tuple[Said, ...]:
    if kind in ("read", "discount", "coupon", "address", "cancel", "two_writes"):
        return (getattr(mouth, kind)(),)
    if kind in ("two_at_once", "while_running"):
        return mouth.any(random), mouth.any(random)
    if kind in ("repeat", "stop", "new_thread", "reconnect"):
        return (mouth.any(random),)
    if kind == "hello":
        return (Said("Hello, thanks for your help!"),)
    return (Said("I want to talk to a person, please."),) if kind == "person" else ()


def verdict(seed: str, interrupt_id: str, *, leave: bool) -> str:
    """What becomes of an approval: the same for the same id, whoever asks. `leave` allows to let it expire."""
    drawn = Random(f"{seed}:{interrupt_id}").random()
    if drawn < 0.6:
        return APPROVE
    return LEAVE if leave and drawn > 0.85 else DECLINE
