"""Why a run took its route and gave its answer, in sentences."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

from egrm_graph.settings import Selection
from egrm_graph.uncertainty.votes import classes
from egrm_graph.verification import Path, Uncertainty, Verification

QUOTED = 60
"""Characters of an answer, at most."""


def explain_verdict(told: Verification, selection: Selection, same: Callable[[str, str], bool]) -> list[str]:
    """The route first, then the answer. What went wrong is in the verification's `reasons`."""
    return [_route(told), *_answer(told, selection, same)]


def _route(told: Verification) -> str:
    seen = told["uncertainty"]
    if not seen["planned"]:
        return "There was nothing to ask: what was handed in decides."
    if seen["value"] is None:
        return f"{_votes(seen)} {seen['measure']} could not be measured, so it reasoned."
    then = "certain, so it did not reason" if told["route"] == "direct" else "not certain, so it reasoned"
    return f"{_votes(seen)} {seen['measure']} {seen['value']:.4g}, threshold {seen['threshold']:.4g}: {then}."


def _votes(seen: Uncertainty) -> str:
    drawn = f"{seen['samples']} fast answers"
    if seen["samples"] < seen["planned"]:
        drawn += f" ({seen['planned']} planned)"
    if not seen["votes"]:
        return f"Of {drawn} none could be read."
    top, n_others = seen["votes"][0], len(seen["votes"]) - 1
    others = {0: "there is no other", 1: "there is 1 other"}.get(n_others, f"there are {n_others} others")
    return f"{top['count']:.3g} of {drawn} say {_quoted(top['answer'])}; {others}."


def _answer(told: Verification, selection: Selection, same: Callable[[str, str], bool]) -> list[str]:
    guess = told.get("best_guess")
    if guess is not None:
        withheld = f"The best guess, {_quoted(guess)}, is withheld: its confidence is too low."
        given: Verification = {**told, "status": "degraded", "answer": guess, "best_guess": None}
        return [*_answer(given, selection, same), withheld]
    if told["status"] == "abstained":
        return ["No answer is given."]
    answer = _quoted(told["answer"])
    if told["rewards"] is not None:
        return [f"Of the candidates, {answer} has the largest estimated probability."]
    if told["route"] == "direct":
        return [f"The most frequent fast answer is given, {answer}."]
    best = told["best_path"]
    if best is None:
        return [f"No score decided; by votes the answer is {answer}."]
    return [_selected(told["paths"], best, selection, same)]


def _selected(paths: Sequence[Path], best: int, selection: Selection, same: Callable[[str, str], bool]) -> str:
    scored = [path for path in paths if path["score"] is not None]
    sums: defaultdict[int | None, list[float]] = defaultdict(list)
    for group, path in zip(classes([path["answer"] for path in scored], same), scored, strict=True):
        sums[group].append(path["score"] or 0.0)
    tallies = ", ".join(
        f"{_quoted(scored[group]['answer'])} {sum(scores):.3f} in {_paths(len(scores))}"
        for group, scores in sorted(sums.items(), key=lambda entry: -sum(entry[1]))
        if group is not None
    )
    return (
        f"Scores by answer: {tallies}. By {selection}, path {best + 1} is chosen: {_quoted(paths[best]['answer'])}, "
        f"score {paths[best]['score'] or 0.0:.3f}."
    )


def _paths(n: int) -> str:
    return f"{n} path{'' if n == 1 else 's'}"


def _quoted(answer: str | None) -> str:
    if answer is None:
        return "nothing"
    return answer if len(answer) <= QUOTED else f"{answer[:QUOTED]}…"
