"""Explain a run's route and answer in sentences."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

from egrm_graph.settings import RunSettings
from egrm_graph.steps.tree import leaf_priors
from egrm_graph.uncertainty.votes import classes
from egrm_graph.verification import Path, Uncertainty, Verification

MAX_ANSWER_CHARACTERS = 60


def explain_verdict(verification: Verification, settings: RunSettings, same: Callable[[str, str], bool]) -> list[str]:
    """Explain the route first, then the answer. What went wrong is in the verification's `reasons`."""
    return [_route(verification), *_answer(verification, settings, same)]


def _route(verification: Verification) -> str:
    gate = verification["uncertainty"]
    if not gate["planned"]:
        return "No model call was needed: the input decides."
    if gate["value"] is None:
        return f"{_votes(gate)} {gate['measure']} could not be measured, so the run reasoned."
    direct = verification["route"] == "direct"
    outcome = "certain, so the run did not reason" if direct else "not certain, so the run reasoned"
    return f"{_votes(gate)} {gate['measure']} {gate['value']:.4g}, threshold {gate['threshold']:.4g}: {outcome}."


def _votes(gate: Uncertainty) -> str:
    drawn = f"{gate['samples']} fast answers"
    if gate["samples"] < gate["planned"]:
        drawn += f" ({gate['planned']} planned)"
    if not gate["votes"]:
        return f"None of {drawn} could be read."
    top, n_others = gate["votes"][0], len(gate["votes"]) - 1
    others = {0: "no other answer", 1: "1 other answer"}.get(n_others, f"{n_others} other answers")
    return f"{top['count']:.3g} of {drawn} say {_quoted(top['answer'])}; {others}."


def _answer(verification: Verification, settings: RunSettings, same: Callable[[str, str], bool]) -> list[str]:
    guess = verification.get("best_guess")
    if guess is not None:
        withheld = f"The best guess, {_quoted(guess)}, is withheld: its confidence is too low."
        released: Verification = {**verification, "status": "degraded", "answer": guess, "best_guess": None}
        return [*_answer(released, settings, same), withheld]
    if verification["status"] == "abstained":
        return ["The run gives no answer."]
    answer = _quoted(verification["answer"])
    if verification["rewards"] is not None:
        return [f"{answer} has the largest estimated probability of the candidates."]
    if verification["route"] == "direct":
        return [f"The answer is the most frequent fast answer, {answer}."]
    best = verification["best_path"]
    if best is None:
        by = "the weights of the leaves" if any(path.get("branch") for path in verification["paths"]) else "votes"
        return [f"No score decided; by {by} the answer is {answer}."]
    return [_selected(verification["paths"], best, settings, same)]


def _selected(paths: Sequence[Path], best: int, settings: RunSettings, same: Callable[[str, str], bool]) -> str:
    priors = leaf_priors(paths, settings.leaf_prior)
    scored = [(path, prior) for path, prior in zip(paths, priors, strict=True) if path["score"] is not None]
    weighed = any(prior != 1.0 for _, prior in scored)
    sums: defaultdict[int | None, list[float]] = defaultdict(list)
    groups = classes([path["answer"] for path, _ in scored], same)
    for group, (path, prior) in zip(groups, scored, strict=True):
        sums[group].append((path["score"] or 0.0) * prior)
    tallies = ", ".join(
        f"{_quoted(scored[group][0]['answer'])} {sum(scores):.3f} in {_paths(len(scores))}"
        for group, scores in sorted(sums.items(), key=lambda entry: -sum(entry[1]))
        if group is not None
    )
    by_answer = "Scores by answer, weighed by the shares of the leaves" if weighed else "Scores by answer"
    chosen = f"path {best + 1} is chosen: {_quoted(paths[best]['answer'])}, score {paths[best]['score'] or 0.0:.3f}."
    return f"{by_answer}: {tallies}. By {settings.selection}, {chosen}"


def _paths(n: int) -> str:
    return f"{n} path{'' if n == 1 else 's'}"


def _quoted(answer: str | None) -> str:
    if answer is None:
        return "nothing"
    return answer if len(answer) <= MAX_ANSWER_CHARACTERS else f"{answer[:MAX_ANSWER_CHARACTERS]}…"
