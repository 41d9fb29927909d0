"""The plots in the report of a training of a language model, as PNG."""

from __future__ import annotations

from collections.abc import Mapping

from egrm_graph.plotting import Diagram, Steps

DOMAINS = ("preference", "correctness")


def plot_by_step(curve: Steps, up: str, names: Mapping[str, str]) -> bytes | None:
    """Figures by step, each with its label; None if no entry has one of them."""
    if not any(name in entry for entry in curve for name in names):
        return None
    figure = Diagram("step", up)
    figure.lines(curve, names)
    return figure.png()


def judge_plots(curve: Steps) -> dict[str, bytes]:
    """The plots of a judge that have something to show, by title."""
    by_domain = {domain: f"eval_{domain}/" for domain in DOMAINS}
    plots = {
        "Loss": plot_by_step(curve, "loss", {"loss": "training", "eval_loss": "held out"}),
        "Reward": plot_by_step(curve, "mean reward of the rollouts", {"reward": "reward"}),
        "Rollouts": plot_by_step(
            curve,
            "share",
            {
                "right": "right verdict",
                "unreadable": "unreadable",
                "fit": "fitting structure",
                "without_spread": "groups without spread",
            },
        ),
        "Divergence from the base": plot_by_step(curve, "KL (nats per token)", {"kl": "KL"}),
        "Accuracy on held-out pairs": plot_by_step(
            curve,
            "accuracy (unreadable is wrong)",
            {"eval_accuracy": "all", **{f"{start}accuracy": domain for domain, start in by_domain.items()}},
        ),
        "Structures on held-out pairs": plot_by_step(
            curve,
            "share of judgments",
            {"eval_fit": "fitting", **{f"{start}fit": f"fitting, {domain}" for domain, start in by_domain.items()}},
        ),
        "Length": plot_by_step(
            curve, "tokens", {"completions/mean_length": "rollouts", "eval_tokens": "held-out judgments"}
        ),
    }
    return {title: png for title, png in plots.items() if png is not None}
