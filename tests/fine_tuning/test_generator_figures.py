"""Figures of a generator, against numbers worked by hand."""

import pytest

from egrm_graph.fine_tuning.generator_figures import Answered, generator_figures


def test_the_figures_of_four_questions() -> None:
    answered = [
        Answered(certain=True, fast_right=True, fast_tokens=10, path_right=True, score=0.9, path_tokens=30),
        Answered(certain=True, fast_right=False, fast_tokens=10, path_right=False, score=0.3, path_tokens=50),
        Answered(certain=False, fast_right=False, fast_tokens=20, path_right=True, score=0.9, path_tokens=40),
        Answered(certain=False, fast_right=True, fast_tokens=20, path_right=None, score=None, path_tokens=80),
    ]
    assert generator_figures(answered) == pytest.approx(
        {
            "direct": 0.5,
            "direct_accuracy": 0.5,
            "fast_accuracy": 0.5,
            "fast_tokens": 15.0,
            "path_accuracy": 0.5,
            "path_unreadable": 0.25,
            "path_tokens": 50.0,
            "score": 0.7,
            "right_if_scored": 2 / 3,
            # Two scores of 0.9 that are both right, and one of 0.3 that is wrong: (2 * 0.1 + 0.3) / 3.
            "calibration_error": 0.5 / 3,
        }
    )


def test_what_nothing_can_be_said_about_is_left_out() -> None:
    unscored = Answered(certain=False, fast_right=True, fast_tokens=1, path_right=True, score=None, path_tokens=1)
    assert {"score", "calibration_error", "direct_accuracy"}.isdisjoint(generator_figures([unscored]))
    assert generator_figures([]) == {}
