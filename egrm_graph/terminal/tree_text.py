"""Print trees of paths as an outline: each path with the part of its text that it does not share, and its anchors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console, ConsoleOptions
from rich.measure import Measurement
from rich.text import Text

from egrm_graph.steps.anchors import likelihood
from egrm_graph.steps.leaves import TreeLeaf, leaves_of
from egrm_graph.terminal.terminal_text import bounded, one_line
from egrm_graph.verification import Anchor, Path, Token

DEEPEST = 10
"""The most levels to indent; a deeper path says how deep it is."""
MAX_TOKEN_CHARACTERS = 20


class TreeOutline:
    """The trees of a run for a rich `Console`, two or three lines a path. Lines are cut to the width."""

    def __init__(self, paths: Sequence[Path], best: int | None, most: int) -> None:
        self._paths = paths
        self._best = best
        self._most = most
        self._leaves = leaves_of(paths, most)

    def __bool__(self) -> bool:
        return bool(self._leaves)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        widest = max((line.cell_len for line in self._lines(options.max_width)), default=0)
        return Measurement(widest, widest)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        yield from self._lines(options.max_width)

    def _lines(self, width: int) -> Iterator[Text]:
        for i, leaf in enumerate(self._leaves):
            after = self._leaves[i + 1] if i + 1 < len(self._leaves) else None
            is_parent = after is not None and len(after.rails) > len(leaf.rails)
            yield _cut(self._heading(leaf), width)
            under = Text(_rails(leaf, is_parent), "dim")
            for line in self._details(leaf):
                yield _cut(Text.assemble(under, line), width)

    def _heading(self, leaf: TreeLeaf) -> Text:
        path = self._paths[leaf.path]
        won = leaf.path == self._best
        depth = f" (level {len(leaf.rails) + 1})" if len(leaf.rails) > DEEPEST else ""
        parts = [f"path {leaf.path + 1}{depth}"]
        if leaf.parent is not None:
            parts[0] += f" from {leaf.parent + 1}, token {leaf.at + 1}"
        parts.append("no answer" if path["answer"] is None else f"answer {bounded(path['answer'], self._most)}")
        parts.append("unscored" if path["score"] is None else f"score {path['score']:.3f}")
        parts.append("weight unknown" if leaf.weight is None else f"weight {leaf.weight:.3f}")
        return Text.assemble(
            (f"{'→' if won else ' '} {_elbow(leaf)}", "bold" if won else "dim"),
            (" · ".join(parts), "bold" if won else ""),
        )

    def _details(self, leaf: TreeLeaf) -> Iterator[Text]:
        path, branch = self._paths[leaf.path], self._paths[leaf.path].get("branch")
        if path["text"] is not None:
            text = "".join(piece.text for piece in leaf.pieces)
            rest = f" ({leaf.hidden:,} more characters: --json)" if leaf.hidden else ""
            yield Text(f"{one_line(text)}{rest}", "dim")
        if path["text"] is None or path["error"] is not None:
            missing = "text not recorded" if path["error"] is None else path["error"]
            yield Text(bounded(missing, self._most), "dim")
        scores = [f"{piece.step:.3f}" for piece in leaf.pieces if piece.step is not None]
        if scores:
            yield Text(f"step scores {' '.join(scores)}", "dim")
        anchors = branch["anchors"] if branch is not None else []
        if anchors:
            unsure = [_anchor(anchor, tried) for anchor, tried in zip(anchors, leaf.tried, strict=True)]
            count = f"{len(anchors)} anchor{'' if len(anchors) == 1 else 's'}"
            yield Text(bounded(f"{count}: {' | '.join(unsure)}", self._most), "dim")


def _anchor(anchor: Anchor, tried: Sequence[int | None]) -> str:
    low, high = f"{anchor['entropy']:.2f}", f"{anchor['entropy_most']:.2f}"
    others = [
        f"{_token(token)} {'not tried' if path is None else f'in path {path + 1}'}"
        for token, path in zip(anchor["others"], tried, strict=True)
    ]
    nats = low if low == high else f"{low} to {high}"
    return f"{nats} nats at token {anchor['at'] + 1}, {_token(anchor['taken'])} taken, {', '.join(others)}"


def _token(token: Token) -> str:
    share = f"{likelihood(token):.2f}"
    if not token["text"]:
        return f"number {token['id']} ({share})"
    text = token["text"]
    beginning = text[:MAX_TOKEN_CHARACTERS] + ("…" if len(text) > MAX_TOKEN_CHARACTERS else "")
    return f"{one_line(repr(beginning))} ({share})"


def _elbow(leaf: TreeLeaf) -> str:
    rails = leaf.rails[-DEEPEST:]
    return "".join("│ " if goes_on else "  " for goes_on in rails[:-1]) + (
        "" if not rails else "├ " if rails[-1] else "└ "
    )


def _rails(leaf: TreeLeaf, is_parent: bool) -> str:
    rails = leaf.rails[-DEEPEST:]
    return "  " + "".join("│ " if goes_on else "  " for goes_on in rails) + ("│ " if is_parent else "  ")


def _cut(line: Text, width: int) -> Text:
    """The line without what is beyond the width."""
    if line.cell_len <= width:
        return line
    line = line.copy()
    line.truncate(width, overflow="ellipsis")
    return line
