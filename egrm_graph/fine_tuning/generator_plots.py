"""The plots in the report of the training of a generator, as PNG."""

from __future__ import annotations

from egrm_graph.fine_tuning.fine_tuning_plots import plot_by_step
from egrm_graph.plotting import Steps


def generator_plots(curve: Steps) -> dict[str, bytes]:
    """The plots that have something to show, by title."""
    plots = {
        "Loss": plot_by_step(curve, "loss", {"loss": "training", "eval_loss": "held out"}),
        "Reward": plot_by_step(curve, "mean reward of the rollouts", {"reward": "reward"}),
        "Score and truth of the rollouts": plot_by_step(
            curve, "mean over the rollouts", {"score": "score", "right": "right answer"}
        ),
        "Rollouts without a reward": plot_by_step(
            curve, "share", {"without_spread": "groups without spread", "unreadable": "unreadable rollouts"}
        ),
        "Divergence from the base": plot_by_step(curve, "KL (nats per token)", {"kl": "KL"}),
        "Held-out questions": plot_by_step(
            curve,
            "share",
            {
                "eval_fast_accuracy": "fast answers right",
                "eval_path_accuracy": "one path right",
                "eval_direct": "answered directly",
            },
        ),
        "Score and truth of held-out paths": plot_by_step(
            curve,
            "mean over the paths with a score",
            {
                "eval_score": "score",
                "eval_right_if_scored": "right answer",
                "eval_calibration_error": "calibration error",
            },
        ),
        "Length": plot_by_step(
            curve, "tokens", {"completions/mean_length": "rollouts", "eval_path_tokens": "held-out paths"}
        ),
    }
    return {title: png for title, png in plots.items() if png is not None}
