"""Why a run took its route and gave its answer, in sentences."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

from egrm_graph.settings import Selection
from egrm_graph.uncertainty.votes import classes
from egrm_graph.verification import Path, Uncertainty, Verification


def why(told: Verification, selection: Selection, same: Callable[[str, str], bool]) -> list[str]:
    """The route first, then the answer. What went wrong is in the verification's `reasons`."""
    return [_route(told), *_answer(told, selection, same)]


def _route(told: Verification) -> str:
    seen = told["uncertainty"]
    if not seen["planned"]:
        return "There was nothing to ask: what was handed in decides."
    if seen["value"] is None:
        return f"{seen['measure']} could not be measured, so it reasoned."
    planned = f" ({seen['planned']} planned)" if seen["samples"] < seen["planned"] else ""
    drawn = f"{_votes(seen)} of {seen['samples']}{planned}"
    verdict = "converges, so it did not reason" if told["route"] == "direct" else "does not converge, so it reasoned"
    return f"{drawn}: {seen['measure']} {seen['value']:.4g} {verdict} (threshold {seen['threshold']:.4g})."


def _votes(seen: Uncertainty) -> str:
    if not seen["votes"]:
        return "no fast answer could be read"
    top = seen["votes"][0]
    others = f"{len(seen['votes']) - 1} other answer{'' if len(seen['votes']) == 2 else 's'}"
    rivals = "" if len(seen["votes"]) == 1 else f" and {others}"
    return f"fast answers: {top['answer']!r} has {top['count']:.3g}{rivals}"


def _answer(told: Verification, selection: Selection, same: Callable[[str, str], bool]) -> list[str]:
    if told["status"] == "abstained":
        return ["No answer is given."]
    if told["rewards"] is not None:
        return [f"{told['answer']!r} has the largest estimated probability of the candidates."]
    if told["route"] == "direct":
        return [f"The most frequent fast answer is given: {told['answer']!r}."]
    best = told["best_path"]
    if best is None:
        return [f"No score decided; by votes the answer is {told['answer']!r}."]
    return [_selected(told["paths"], best, selection, same)]


def _selected(paths: Sequence[Path], best: int, selection: Selection, same: Callable[[str, str], bool]) -> str:
    scored = [path for path in paths if path["score"] is not None]
    sums: defaultdict[int | None, list[float]] = defaultdict(list)
    groups = classes([path["answer"] for path in scored], same)
    for group, path in zip(groups, scored, strict=True):
        sums[group].append(path["score"] or 0.0)
    tallies = ", ".join(
        f"{scored[group]['answer']!r} {sum(scores):.3f} in {len(scores)}"
        for group, scores in sorted(sums.items(), key=lambda entry: -sum(entry[1]))
        if group is not None
    )
    score = paths[best]["score"] or 0.0
    return f"{selection} over scores ({tallies} path(s)) gives path {best + 1}, score {score:.3f}."
