"""The calls of a model's answer: each has an id of its own, whatever ids the model gave."""

from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage

from agents.turn_messages import CALLS_LIMIT, normalised_calls


def ids_of(*given_ids: str | None, step: int = 1, taken: tuple[str, ...] = ()) -> list[str]:
    calls = [{"name": "get_order", "args": {}, "id": call_id} for call_id in given_ids]
    made = normalised_calls(AIMessage("", tool_calls=calls), step=step, taken=set(taken))
    return [call["id"] for call in made]


def test_an_id_that_stands_in_for_another_is_nobodys_else() -> None:
    assert ids_of("a", "a_1_2", "a") == ["a", "a_1_2", "a_1_2_"]


@given(
    st.lists(st.none() | st.text("a_12", max_size=8) | st.just("x" * 300), max_size=CALLS_LIMIT + 2),
    st.sets(st.text("a_12", min_size=1, max_size=8)),
    st.integers(1, 12),
)
def test_every_call_has_an_id_of_its_own(given_ids: list[str | None], taken: set[str], step: int) -> None:
    made = ids_of(*given_ids, step=step, taken=tuple(taken))

    assert len(made) == len(set(made)) == min(len(given_ids), CALLS_LIMIT)
    assert not set(made) & taken
    assert all(0 < len(call_id) <= 200 for call_id in made)
