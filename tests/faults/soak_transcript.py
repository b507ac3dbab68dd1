"""What one tab of a customer has been told of one conversation, kept by `seq` across all its sockets."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

Frame = dict[str, Any]


@dataclass
class Transcript:
    """`last` is what `resume` is asked for; `faults` are sentences about frames that should not have come."""

    thread_id: str
    frames: dict[int, dict[str, Frame]] = field(default_factory=dict)
    last: int = 0
    acknowledged: dict[int, Frame] = field(default_factory=dict)  # own messages, by `accepted`
    complete: set[str] = field(default_factory=set)  # turns that have ended, as this socket was told
    faults: list[str] = field(default_factory=list)
    resumed_at: int = 0
    trail: deque[str] = field(
        default_factory=lambda: deque(maxlen=12)
    )  # the newest frames, for whoever looks why

    def new_socket(self) -> None:
        """What follows comes on another socket, which is asked for what comes after `last`. Of that event itself the
        frames behind the first may come again: the socket before may have broken between them."""
        self.complete, self.resumed_at = set(), self.last
        self.trail.append("new socket")

    def take(self, frame: Frame) -> None:
        """Note a frame that reports an event, or a token."""
        self.trail.append(f"{frame['type']} {frame.get('seq', '')}".strip())
        if frame["type"] == "token":
            if frame["turn_id"] in self.complete:
                self._fault(f"a token of turn {frame['turn_id']} came after its message_complete")
            return
        if frame["type"] == "accepted":
            self.acknowledged[frame["seq"]] = {
                "type": "user_message",
                "seq": frame["seq"],
                "turn_id": frame["turn_id"],
                "client_message_id": frame["client_message_id"],
            }
            return
        seq, kind = frame["seq"], frame["type"]
        known = self.frames.get(seq, {})
        if kind in known and (seq != self.resumed_at or known[kind] != frame):
            self._fault(f"{kind} came twice with seq {seq}")
        elif seq < self.last:
            self._fault(f"{kind} with seq {seq} came after seq {self.last}")
        self.frames.setdefault(seq, {})[kind] = frame
        self.last = max(self.last, seq)
        if kind == "message_complete":
            self.complete.add(frame["turn_id"])
        elif kind == "retrying":
            self.complete.discard(frame["turn_id"])

    def whole(self) -> dict[int, dict[str, Frame]]:
        """All that was told, own messages included, in the form of a replay: without what only one way tells."""
        told = {
            seq: {kind: _bare(frame) for kind, frame in kinds.items()} for seq, kinds in self.frames.items()
        }
        for seq, frame in self.acknowledged.items():
            told.setdefault(seq, {}).setdefault("user_message", _bare(frame))
        return told

    def _fault(self, text: str) -> None:
        self.faults.append(f"{self.thread_id}: {text} (newest frames: {', '.join(self.trail)})")


def _bare(frame: Frame) -> Frame:
    """A user_message as both `accepted` and `user_message` tell it; any other frame as it is."""
    if frame["type"] != "user_message":
        return frame
    return {name: frame.get(name) for name in ("type", "seq", "turn_id", "client_message_id")}


def differences(mine: dict[int, dict[str, Frame]], reference: dict[int, dict[str, Frame]]) -> list[str]:
    """How a tab's transcript differs from what a new tab is told."""
    found = []
    for seq in sorted(mine.keys() | reference.keys()):
        if seq not in mine:
            found.append(f"seq {seq} ({', '.join(reference[seq])}) never came")
        elif seq not in reference:
            found.append(f"seq {seq} ({', '.join(mine[seq])}) is not in the log")
        elif mine[seq] != reference[seq]:
            found.append(f"seq {seq} came as {mine[seq]} and is replayed as {reference[seq]}")
    return found
