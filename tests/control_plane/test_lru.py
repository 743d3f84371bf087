"""A memory forgets what was asked for longest ago, and remembering one more costs the same however much there is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from consentry.control_plane.lru import Lru


def test_a_value_is_weighed_once() -> None:
    weighed: list[str] = []

    def weigh(value: str) -> int:
        weighed.append(value)
        return len(value)

    memory = Lru[str](weigh)
    values = ["x" * (number % 7) for number in range(200)]
    for number, value in enumerate(values):
        memory.put(number, value, most=100)
    assert weighed == values


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9), st.booleans())))
def test_it_holds_what_was_asked_for_last_and_weighs_little_enough(steps: list[tuple[int, int, bool]]) -> None:
    memory, model = Lru[int](lambda value: value), dict[int, int]()
    for key, value, asks in steps:
        if asks:
            assert memory.get(key) == model.get(key)
            if key in model:
                model[key] = model.pop(key)
            continue
        memory.put(key, value, most=12)
        model.pop(key, None)
        model[key] = value
        while sum(model.values()) > 12 and len(model) > 1:
            del model[next(iter(model))]
    assert [memory.get(key) for key in range(6)] == [model.get(key) for key in range(6)]
