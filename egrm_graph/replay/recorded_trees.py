"""Which paths of a recorded tree a run under other settings would have drawn, in its order.

A path of a tree depends on where it branches. So the tree is grown again from the recorded paths. It is not read as a
list of votes: the leaves of a smaller tree are not the first ones of a larger one if they were drawn in other waves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from egrm_graph.context import Run
from egrm_graph.strategies.entropy_tree import chosen_branches
from egrm_graph.strategies.path_waves import PathWave
from egrm_graph.strategies.strategy import NODE
from egrm_graph.uncertainty.stopping import VOTE_RULES
from egrm_graph.verification import Asked, Branch, Path

Place = tuple[int | None, int, int]
"""The recorded path that a path branches from, how many tokens they share, and the token after them."""

VOTES = (
    "path_stopping={name!r} counts paths as votes, and the leaves of a tree are not independent; replay with "
    "'posterior' or 'all'"
)
SAMPLED = (
    "with branch_temperature={value}, a branch that is drawn at another place in the order has another text; record "
    "this run again with the other settings"
)
REPEATED = (
    "path {repeated} of the record repeats the text of an earlier one, so what branches from it is not known, and this "
    "run would draw it first"
)
SEVERAL = "its paths are not one tree in one view"


class RegrownTree:
    """Grows a recorded tree again, wave by wave."""

    def __init__(self, recorded: Sequence[Path], asked: Asked, run: Run) -> None:
        self.paths: list[Path] = []
        """Those that the run has drawn. Their parents are among them."""
        self._recorded = recorded
        self._asked = asked
        self._settings = run.settings
        self._places = _places(recorded)
        self._drawn: list[int] = []
        """The recorded index of each of the paths."""

    def unknown(self) -> str | None:
        """Why no other settings can be tried on this tree; None if they can."""
        if self._settings.path_stopping in VOTE_RULES:
            return VOTES.format(name=self._settings.path_stopping)
        is_one_tree = all(path.get("branch") is not None and not path["order"] for path in self._recorded)
        return None if is_one_tree else SEVERAL

    def grow(self, wave: PathWave, more: str) -> str | None:
        """Add the paths of a wave, and return None; or why they are unknown, which is `more` if they were not drawn."""
        numbers = iter(wave.numbers)
        left, n_before = len(wave.numbers), len(self.paths)
        while left > 0 and (wanted := list(self._wanted(left, n_before))):
            found = [self._places.get(place) for place in wanted]
            for i, number in zip(found, numbers, strict=False):
                reason = more if i is None else self._changed(i, number)
                if i is None or reason is not None:
                    return reason
                self._add(i)
            left -= len(wanted)
        return None

    def _wanted(self, left: int, n_scored: int) -> Iterator[Place]:
        """The next round of the strategy. The steps of a wave's own paths are scored after it."""
        if not self.paths:
            yield None, 0, 0
            return
        tree = range(len(self.paths))
        known = [*self.paths[:n_scored], *map(_without_steps, self.paths[n_scored:])]
        for branch in chosen_branches(known, tree, self._settings)[: min(left, len(tree))]:
            yield self._drawn[branch.parent], branch.anchor["at"], branch.token["id"]

    def _changed(self, i: int, number: int) -> str | None:
        """Why the recorded path is not the one that this run would draw; None if it is."""
        path = self._recorded[i]
        if self._settings.branch_temperature > 0 and path["request_id"] != f"{self._asked['run_id']}.{NODE}.{number}":
            return SAMPLED.format(value=self._settings.branch_temperature)
        if path["error"] is not None and not is_lost(path) and not self._repeats(i):
            return REPEATED.format(repeated=i + 1)
        return None

    def _repeats(self, i: int) -> bool:
        """Whether the path with the same text has been drawn. Without texts, it may be any earlier one."""
        text = self._recorded[i]["text"]
        if text is None or not self._texts_known:
            return set(range(i)) <= set(self._drawn)
        return any(path["text"] == text for path in self.paths)

    @property
    def _texts_known(self) -> bool:
        texts = [path["text"] for path in self._recorded if not is_lost(path) and path["error"] is None]
        return len(set(texts)) == len(texts)

    def _add(self, i: int) -> None:
        path = self._recorded[i]
        branch = path.get("branch")
        assert branch is not None
        parent = None if branch["parent"] is None else self._drawn.index(branch["parent"])
        moved: Branch = {**branch, "parent": parent}
        self.paths.append({**path, "branch": moved})
        self._drawn.append(i)


def is_lost(path: Path) -> bool:
    """Whether nothing came back. A leaf that repeats the text of another one has an error, too."""
    return path["error"] is not None and path["n_tokens"] is None and path["finish_reason"] is None


def _without_steps(path: Path) -> Path:
    return {**path, "steps": None}


def _places(recorded: Sequence[Path]) -> Mapping[Place, int]:
    """The recorded path at each place; the root is at (None, 0, 0)."""
    found: dict[Place, int] = {}
    for i, path in enumerate(recorded):
        branch = path.get("branch")
        if branch is None:
            continue
        is_root = branch["parent"] is None
        place = (None, 0, 0) if is_root else (branch["parent"], branch["at"], branch["token_ids"][branch["at"]])
        found.setdefault(place, i)
    return found
