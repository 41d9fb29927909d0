"""Compare two answers."""

from egrm_graph.answers.equivalence import same


def outcome(given: list[str]) -> bool:
    one, other = given
    assert same(one, other) == same(other, one)
    return same(one, other)
