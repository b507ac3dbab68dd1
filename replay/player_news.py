"""What comes while the replay of a running conversation is open: an open page asks for what is after its last step."""

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from chat.models import Conversation, Event
from replay import player
from replay.steps import Wanted, after


def answer(request: HttpRequest, conversation: Conversation) -> HttpResponse:
    """The lines after step `after` that fit the filter, at most 50, and the totals up to `step`, the one that is shown.

    204 where nothing has happened since. `data-seen` is the next `after`; `data-more` is there where more is to be had.
    """
    wanted = Wanted.of(request.GET)
    if conversation.last_seq <= wanted.after:
        return HttpResponse(status=204)
    rows, more = after(conversation, wanted)
    fitting = wanted.rows(conversation).filter(seq__lte=wanted.after).order_by("-seq")
    turn_before = fitting.values_list("turn_id", flat=True).first()
    turns = player.turns_of(conversation)
    sums = player.sums_of(conversation, wanted.step)
    began = sums["began"] or conversation.created_at
    numbers = {pk: number for number, (pk, _) in enumerate(turns, start=1)}
    event = Event.objects.filter(conversation=conversation, seq=wanted.step).only("created_at", "seq").first()
    shown = {
        "lines": player.lines_of(rows, 0, numbers, began, wanted, turn_before),
        # A step that came while this was read is there already, and not to be asked for again.
        "seen": rows[-1].seq if more else max([conversation.last_seq, *(row.seq for row in rows)]),
        "more": more,
        "total": conversation.last_seq,
        "turns": len(turns),
        **player.whole_of(conversation, sums, began),
        **(player.so_far_of(event, sums, began) if event else {}),
    }
    return TemplateResponse(request, "replay/player_news.html", shown)
