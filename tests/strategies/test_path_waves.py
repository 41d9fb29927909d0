"""How planned paths are cut into waves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egrm_graph.strategies.path_waves import path_waves
from egrm_graph.verification import View, view_of


def views(*samples: int) -> list[View]:
    return [view_of({"v": i}, n) for i, n in enumerate(samples)]


def numbers(*samples: int, first: int, later: int, most: int | None = None) -> list[tuple[int, ...]]:
    return [wave.numbers for wave in path_waves(views(*samples), first, later, most)]


def test_one_view_is_cut_where_the_sizes_say() -> None:
    assert numbers(8, first=1, later=3) == [(0,), (1, 2, 3), (4, 5, 6), (7,)]
    assert numbers(4, first=4, later=4) == [(0, 1, 2, 3)]
    assert numbers(4, first=9, later=1) == [(0, 1, 2, 3)]


def test_orders_take_turns_in_whole_rounds() -> None:
    assert numbers(3, 3, first=1, later=3) == [(0, 3), (1, 2, 4, 5)]
    assert numbers(2, 1, 1, first=1, later=1) == [(0, 2, 3), (1,)]


def test_the_last_of_so_many_waves_has_all_that_is_left() -> None:
    assert numbers(8, first=1, later=1, most=3) == [(0,), (1,), (2, 3, 4, 5, 6, 7)]
    assert numbers(8, first=1, later=1, most=1) == [(0, 1, 2, 3, 4, 5, 6, 7)]


def test_without_views_there_are_no_waves() -> None:
    assert path_waves([], 1, 1) == []


@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=4),
    st.integers(1, 9),
    st.integers(1, 9),
    st.none() | st.integers(1, 4),
)
def test_every_path_is_in_one_wave(samples: list[int], first: int, later: int, most: int | None) -> None:
    waves = path_waves(views(*samples), first, later, most)
    assert sorted(number for wave in waves for number in wave.numbers) == list(range(sum(samples)))
    assert all(sum(view["samples"] for view in wave.views) == len(wave.numbers) for wave in waves)
    assert most is None or len(waves) <= most


@pytest.mark.parametrize("samples", [(4, 4), (2, 2, 2)])
def test_no_order_is_ahead_of_another(samples: tuple[int, ...]) -> None:
    for wave in path_waves(views(*samples), 1, 1):
        assert {view["samples"] for view in wave.views} == {1}
        assert len(wave.views) == len(samples)
