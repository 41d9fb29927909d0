"""What is read of a reply whose first words the prompt wrote."""

import pytest

from egrm_graph.answers.started_reply import opened_answer

BOX = "\\boxed{"


@pytest.mark.parametrize(
    ("start", "written", "answer"),
    [
        (BOX, "42}", "\\boxed{42}"),
        (BOX, "42} because 6 times 7 is \\boxed{43}", "\\boxed{42}"),
        (BOX, "\\frac{1}{2}}$", "\\boxed{\\frac{1}{2}}"),
        (BOX, "\\{1\\}} is a set", "\\boxed{\\{1\\}}"),
        (BOX, "\\boxed{42}", "\\boxed{42}"),
        (BOX, " \\boxed{42}}", "\\boxed{42}"),
        (BOX, "I add. }</think>\\boxed{42} so", "\\boxed{42}"),
        (BOX, "I add. }</think>It is 42.", None),
        (BOX, "42}<think>or", None),
        (BOX, "42", None),
        (BOX, "", None),
        (BOX, "} or \\boxed{42}", None),
        ("**", "A", None),
        ("**", "A** is better than **B**", "**A**"),
        ("**", "**A**", "**A**"),
        ("**", "** A", None),
        ("<answer>", "42</answer> so", "<answer>42</"),
        ("Answer: ", "42\nQuestion: ", None),
    ],
)
def test_the_answer_ends_where_its_form_is_closed(start: str, written: str, answer: str | None) -> None:
    assert opened_answer(start, start + written) == answer
