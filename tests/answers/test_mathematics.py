from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from egrm_graph.answers.mathematics import value

Expression = tuple[str, Fraction]
"""A text and its value."""

integers = st.integers(0, 20).map(lambda n: (str(n), Fraction(n)))
decimals = st.integers(0, 99).map(lambda n: (f"{n // 10}.{n % 10}", Fraction(n, 10)))
fractions = st.tuples(st.integers(0, 20), st.integers(1, 20)).map(
    lambda pair: (rf"\frac{{{pair[0]}}}{{{pair[1]}}}", Fraction(*pair))
)
roots = st.integers(0, 9).map(lambda n: (rf"\sqrt{{{n * n}}}", Fraction(n)))
leaves = integers | decimals | fractions | roots


def _combined(operands: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    pairs = st.tuples(operands, operands)
    return (
        pairs.map(lambda two: (f"({two[0][0]}+{two[1][0]})", two[0][1] + two[1][1]))
        | pairs.map(lambda two: (f"({two[0][0]} - ({two[1][0]}))", two[0][1] - two[1][1]))
        | pairs.map(lambda two: (rf"({two[0][0]}\cdot {two[1][0]})", two[0][1] * two[1][1]))
        | pairs.map(lambda two: (f"({two[0][0]})({two[1][0]})", two[0][1] * two[1][1]))
        | st.tuples(integers, operands).map(lambda two: (f"{two[0][0]}({two[1][0]})", two[0][1] * two[1][1]))
        | st.tuples(operands, st.integers(0, 3)).map(lambda two: (f"({two[0][0]})^{two[1]}", two[0][1] ** two[1]))
        | pairs.filter(lambda two: two[1][1] != 0).map(
            lambda two: (rf"\frac{{{two[0][0]}}}{{{two[1][0]}}}", two[0][1] / two[1][1])
        )
    )


@settings(deadline=None, max_examples=40)
@given(st.recursive(leaves, _combined, max_leaves=4))
async def test_a_value_is_right_or_none(expression: Expression) -> None:
    text, expected = expression
    assert value(text) in (expected, None)


@settings(deadline=None, max_examples=15)
@given(st.sampled_from("abcdghknpqrstuvwxyzABCDKLMNQRSTUVWXYZ"), st.integers(1, 9999))
async def test_a_modulus_differs_from_its_argument(letter: str, constant: int) -> None:
    inside = f"{letter}-{constant}"
    assert value(f"|{inside}|") not in (value(inside), value(f"{constant}-{letter}"))
    assert value(f"|{inside}|") == value(f"|{constant}-{letter}|")


async def test_ambiguous_text_has_no_value() -> None:
    texts = ("3-1", "2020-01-05", "4/2/1", r"3 \times 4", "so-so", "he/she", "2 3", "A4", "f(x+1)", r"\sin x/2")
    more = ("1/2x", "6/2(1+2)", r"\frac{dy}{dx}", r"a \times b", r"2\frac{3}{2}", "(a) 5", "5!!")
    assert {text: value(text) for text in (*texts, *more)} == dict.fromkeys((*texts, *more))


async def test_nearly_zero_is_not_zero() -> None:
    assert [
        text for text in ("(a+b)^{999}", "e^{-200}", "x^{300}", "((x^9)^9)^9") if value(text) == value("1-1+0*2")
    ] == []
    assert value(r"\sqrt{2}+\frac{1}{10^{25}}") != value(r"\sqrt{2}")


async def test_a_logarithm_keeps_its_domain() -> None:
    assert value(r"\ln(x^2)") not in (None, value(r"2\ln(x)"))
    assert value(r"\ln(xy)") not in (None, value(r"\ln(x)+\ln(y)"))
