import logging
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from egrm_graph.answers.equivalence import same
from egrm_graph.answers.units import known_unit
from tests.robustness.kinds import read_kinds

ANSWERS = [case.input for kind in read_kinds() if kind.name.startswith("equal_answers") for case in kind.cases]
MODIFIERS = """
squared cubed hundred thousand million dozen dozens score gross tens hundreds thirds halves quarters tenths percentile
factorial minus plus times mod choose over of less more fewer or and not negative inverse reciprocal doubled halved each
apiece repeating recurring binary octal hex base BC AD remainder off short ago late below above left ! !! - + * / ^ =
< > ' " K k M B x n e i # @ & | \\ ( ) [ ] { } _ ~ m m^2 g s^2 mi in
"""  # words and signs that change the number before them, or may be a factor
ONES = (  # noqa: SIM905 - one word per line would be hard to read
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()  # noqa: SIM905
HOSTILE = [
    *("9**9**9**9", "9^{9^{9^{9}}}", "((9^{99})^{99})^{99}", "1e999999999", "10^{999999999}", "\\sin(10^{10^{10}})"),
    *("(" * 40 + "1" + ")" * 40, "x_" * 40 + "1", "1" + "-" * 70 + "1", "a/" * 39 + "1", "a^b" * 26, "\\sqrt" * 16),
    *("(a+b+c+d+e)^{99}", "\\exp(\\exp(\\exp(9)))", "99999999!", "\\ln" * 20, "{" * 1000, "1," * 500, "\\frac{" * 160),
    *("\\text{" * 150, "\u0315\u0316" * 500, "\ud800", "\x00", "=" * 1000, "1e" * 500, "~" * 1000, "\u221a" * 1000),
    *(
        "½" * 999,
        "H_2x=1,  )" * 99,
        "^{2}I, th\\frac{1}{2}" * 48,
        "million " * 120,
        "5 m " * 240,
        "[[1," * 240,
        "$a$" * 330,
    ),
    *(
        "5a^b",
        "\\sin(9^{x})",
        "\\tan(x^{x})",
        "((x^{99})^{y})^{z}",
        "((x^{999})^{y})^{z}",
        "((9^{x})^{y})^{z}",
        "|x^{999}-5|",
        "(a+b)^{999}",
    ),
    *("(1,2)\\cup" * 99, "x<" * 490, "1+" * 490 + "=", "\\begin{pmatrix}1&" * 60, "A, " * 330, "1\\times " * 120),
    *("(" * 1_000_000, "9" * 1_000_000, "a " * 500_000, "\u0315\u0316" * 500_000),
]

numbers = st.integers(-2000, 2000) | st.fractions(max_denominator=50) | st.decimals(-99, 99, places=2)
forms = st.sampled_from(["{}", "${}", "{} cm", "{}%", "**{}**", "x = {}", "\\text{{{}}}", "({})", "{} apples", "{}."])
answers = (
    st.builds(lambda form, number: form.format(number), forms, numbers)
    | st.text(max_size=20)
    | st.text("0123456789xy+-*/^(){}\\, .%$=", max_size=12)
    | st.sampled_from([answer for pair in ANSWERS for answer in pair])
)


@settings(deadline=None)
@given(answers, answers)
async def test_same_is_reflexive_and_symmetric(one: str, other: str) -> None:
    assert same(one, one)
    assert same(one, other) == same(other, one)


@settings(deadline=None)
@given(answers)
async def test_space_and_bold_around_an_answer_do_not_matter(answer: str) -> None:
    assert same(answer, f" {answer}\n")
    assert not answer.strip() or "*" in answer or same(answer, f"**{answer.strip()}**")


@settings(deadline=None)
@given(numbers, numbers)
async def test_equal_numbers_are_the_same(one: Fraction, other: Fraction) -> None:
    assert same(str(one), str(other)) == (Fraction(one) == Fraction(other))


@settings(deadline=None)
@given(st.integers(-(10**12), 10**12))
async def test_a_number_is_the_same_however_it_is_written(number: int) -> None:
    variants = (
        f"{number:,}",
        f"{number}.0",
        f"{number}e0",
        f"\\frac{{{2 * number}}}{{2}}",
        f"${number}$",
        f"x={number}",
    )
    assert [variant for variant in variants if not same(str(number), variant)] == []


@pytest.mark.parametrize("modifier", MODIFIERS.split())
async def test_a_modifier_of_a_number_is_kept(modifier: str) -> None:
    assert not same(f"5{modifier}", "5")
    assert known_unit(f" {modifier}") or not same(f"5 {modifier}", "5")


@settings(deadline=None)
@given(st.integers(2, 99), st.text("abcdefghijklmnopqrstuvwxyzABCKMNX -/^2", min_size=1, max_size=12))
async def test_only_known_units_may_be_missing(number: int, tail: str) -> None:
    harmless = not tail.strip() or known_unit(tail.rstrip()) or tail.strip().lower() in ("th", "nd", "rd", "st")
    assert harmless or not same(f"{number}{tail}", str(number))


@settings(deadline=None)
@given(st.lists(st.integers(0, 3), min_size=2, max_size=4), st.permutations(range(4)), st.permutations(range(4)))
async def test_names_belong_to_their_values(numbers: list[int], one: list[int], other: list[int]) -> None:
    values = dict(zip("xyzt", numbers, strict=False))
    equations = [f"{name}={value}" for name, value in values.items()]
    shuffled = ", ".join(equations[i] for i in one if i < len(equations))
    assert same(", ".join(equations), shuffled)
    moved = dict(zip(values, [numbers[i] for i in other if i < len(numbers)], strict=True))
    assert same(shuffled, " and ".join(f"{name} = {value}" for name, value in moved.items())) == (moved == values)


@settings(deadline=None)
@given(
    st.integers(-99, 99), st.integers(-99, 99), st.sampled_from([("<", ">"), ("\\le", "\\ge"), ("≤", ">="), ("=", "=")])
)
async def test_a_relation_can_be_read_from_either_side(one: int, other: int, signs: tuple[str, str]) -> None:
    assert same(f"x {signs[0]} {one}", f"{one} {signs[1]} x")
    assert same(f"x {signs[0]} {one}", f"{other} {signs[1]} x") == (one == other)


@settings(deadline=None)
@given(st.integers(0, 10**9))
async def test_a_number_in_words_equals_its_digits(number: int) -> None:
    assert same(_in_words(number), str(number))
    assert not same(_in_words(number), str(number + 1))


def _in_words(number: int) -> str:
    """Write a number in English, for instance `two million three thousand and five`."""
    for size, name in ((10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred")):
        if number >= size:
            rest = number % size
            return f"{_in_words(number // size)} {name}{f' {_in_words(rest)}' if rest else ''}"
    if number < 20:
        return ONES[number]
    return TENS[number // 10 - 2] + (f"-{ONES[number % 10]}" if number % 10 else "")


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(["1", "1.0", "2/2", "2", "x", "A", "Paris", "$1$", "\\frac{2}{1}"]), min_size=3, max_size=3
    )
)
async def test_same_is_transitive_for_answers_with_one_interpretation(three: list[str]) -> None:
    one, other, third = three
    assert not (same(one, other) and same(other, third)) or same(one, third)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
async def test_hostile_text_is_compared_within_two_seconds(text: str) -> None:
    same("\\sqrt{2}", "1+x")  # loads the parser
    started = time.process_time()
    assert same(text, text)
    same(text, text + "7")
    same(text, "\\sqrt{2}+1")
    assert time.process_time() - started < 2


async def test_answers_can_be_compared_in_many_threads() -> None:
    pairs = [(f"(x+{n})^2", f"x^2+{2 * n}x+{n * n}") for n in range(1, 9)] * 4
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda pair: same(*pair), pairs))


async def test_comparing_prints_and_logs_nothing(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for text in ("x+", "\\frac{1}", "2^", "x^2^3", "((1)", "1..2+", "|x", "\\sqrt[2]+1", "1/0", "e^{x}/x"):
        same(text, "1+x^2")
    assert (capfd.readouterr(), caplog.records) == (("", ""), [])


def test_plain_answers_do_not_load_the_parser() -> None:
    code = (
        "import sys; from egrm_graph.tasks import task_named; t = task_named('answer');"
        "t.same('1,000', '1e3'); t.same('Paris', 'London'); t.same('1/2', '0.4'); t.same('5 cm', '5');"
        "assert not {'sympy', 'latex2sympy2_extended', 'math_verify'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
