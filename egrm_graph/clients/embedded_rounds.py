"""One round of decoding: draws each row's next token, by the row's own seed and sampling.

A token is the inverse of its row's cumulative distribution at a uniform number from the row's own generator. So a text
depends on its seed and not on the other rows in the batch, except for rounding: the order of a sum's terms can change
with the batch's width. Log-probabilities are those of the raw logits, before temperature, nucleus, and choices.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from egrm_graph.clients.embedded_rows import DecodingRow
from egrm_graph.clients.embedded_tokens import ModelTokens
from egrm_graph.errors import RunError

if TYPE_CHECKING:
    import torch

BLOCK = 64
"""Uniform numbers drawn at once for a row. Changing it changes the text of every seed."""
GREEDY_BELOW = 1e-5
SMALLEST_ROUND = 8


class DecodingRound:
    """Chooses each row's next token and says which rows are done, during one `generate` call."""

    def __init__(
        self, rows: list[DecodingRow], uniforms: UniformStreams, tokens: ModelTokens, device: torch.device
    ) -> None:
        import torch

        def column(values: list[float]) -> torch.Tensor:
            return torch.tensor(values, device=device)[:, None]  # (B, 1)

        self.rows = rows
        self.over = False
        self._uniforms = uniforms
        self._temperature = column([row.sampling.temperature for row in rows])
        self._top_p = column([row.sampling.top_p for row in rows])
        self._tokens_left = torch.tensor([row.max_tokens - len(row.token_ids) for row in rows], device=device)
        self._eos = torch.tensor(list(tokens.eos_ids), device=device)
        self._ends_in_stop = tokens.ends_in_stop
        self._rows_with_stops = {index: list(row.token_ids) for index, row in enumerate(rows) if row.sampling.stop}
        self._stopped: set[int] = set()
        self._alive = torch.ones(len(rows), dtype=torch.bool, device=device)
        self._lengths = torch.zeros(len(rows), dtype=torch.long, device=device)
        self._requests = list(dict.fromkeys(row.request for row in rows))
        place = {request: index for index, request in enumerate(self._requests)}
        self._owner = torch.tensor([place[row.request] for row in rows], device=device)
        self._top_k = max(row.sampling.logprobs for row in rows)
        self._tokens: list[torch.Tensor] = []
        self._logprobs: list[torch.Tensor] = []
        self._tops: list[tuple[torch.Tensor, torch.Tensor]] = []

    @property
    def tokens_left(self) -> int:
        """The most tokens that any row may still get."""
        return int(self._tokens_left.max())

    def pick(self, _ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """A logits processor that makes the drawn token the likeliest, for `generate` to choose."""
        if self.over:  # on some devices `generate` calls once more before it checks whether to stop
            return scores
        tokens = self._draw(self._constrained(scores))
        self._tokens.append(tokens)
        self._advance_choices(tokens)
        if self._top_k:
            self._record_logprobs(scores, tokens)
        return scores.scatter_(1, tokens[:, None], float("inf"))

    def stop(self, _ids: torch.Tensor, _scores: Any, **_options: Any) -> torch.Tensor:
        """A stopping criterion: which rows are done; all of them if the round is over."""
        import torch

        if not self.over:
            self._lengths += self._alive
            for request, n_tokens in zip(self._requests, self._tokens_by_request(), strict=True):
                if n_tokens:
                    request.count(n_tokens)
            dropped = torch.tensor([request.future.done() for request in self._requests], device=self._owner.device)
            ended = (
                torch.isin(self._tokens[-1], self._eos) | (self._lengths >= self._tokens_left) | dropped[self._owner]
            )
            ended |= self._at_stop()
            self._alive &= ~ended
            n_alive = int(self._alive.sum())
            self.over = n_alive == 0 or SMALLEST_ROUND <= n_alive <= len(self.rows) // 2
        return torch.ones_like(self._alive) if self.over else ~self._alive

    def finish(self) -> list[int]:
        """Writes the drawn tokens to the rows, and returns the indices of those that are not done."""
        import torch

        tokens = torch.stack(self._tokens, dim=1).tolist()  # (B, steps)
        lengths, alive = self._lengths.tolist(), self._alive.tolist()
        ends = set(self._eos.tolist())
        for index, row in enumerate(self.rows):
            row.token_ids.extend(tokens[index][: lengths[index]])
            if not alive[index]:
                row.finish_reason = "stop" if row.token_ids[-1] in ends or index in self._stopped else "length"
        if self._top_k:
            self._write_logprobs(lengths)
        return [index for index, is_alive in enumerate(alive) if is_alive]

    def _draw(self, scores: torch.Tensor) -> torch.Tensor:
        import torch

        greedy = self._temperature < GREEDY_BELOW  # (B, 1)
        probs = (scores / self._temperature.masked_fill(greedy, 1.0)).softmax(dim=-1)  # (B, V)
        if bool((self._top_p < 1).any()):
            probs = _nucleus(probs, self._top_p)
        cumulative = probs.cumsum(dim=-1)
        total = cumulative[:, -1:]
        if bool(total.isnan().any()):
            raise RunError("the model's logits are not numbers (NaN or infinite)")
        uniform = self._uniforms.next().to(scores.device)
        drawn = torch.searchsorted(cumulative, (uniform * total).contiguous())  # (B, 1)
        return torch.where(greedy, scores.argmax(dim=-1, keepdim=True), drawn).squeeze(1)

    def _constrained(self, scores: torch.Tensor) -> torch.Tensor:
        bound = [(index, row.allowed) for index, row in enumerate(self.rows) if row.allowed]
        if not bound:
            return scores
        import torch

        constrained = scores.clone()
        for index, allowed in bound:
            mask = torch.full_like(constrained[index], float("-inf"))
            mask[list(allowed)] = 0.0
            constrained[index] += mask
        return constrained

    def _at_stop(self) -> torch.Tensor:
        """Which of the rows that are not done have reached one of their stop texts, (B,)."""
        at_stop = self._alive.new_zeros(len(self.rows))
        if not self._rows_with_stops:
            return at_stop
        alive, tokens = self._alive.tolist(), self._tokens[-1].tolist()
        for index, drawn in self._rows_with_stops.items():
            if alive[index]:
                drawn.append(tokens[index])
                at_stop[index] = self._ends_in_stop(self.rows[index], drawn)
        self._stopped.update(at_stop.nonzero().flatten().tolist())
        return at_stop

    def _advance_choices(self, tokens: torch.Tensor) -> None:
        if any(row.allowed for row in self.rows):
            for row, token in zip(self.rows, tokens.tolist(), strict=True):
                row.allowed = row.allowed.get(token) if row.allowed else None

    def _tokens_by_request(self) -> list[int]:
        counts: list[int] = self._owner[self._alive].bincount(minlength=len(self._requests)).tolist()
        return counts

    def _record_logprobs(self, scores: torch.Tensor, tokens: torch.Tensor) -> None:
        logprobs = scores.log_softmax(dim=-1)
        self._logprobs.append(logprobs.gather(1, tokens[:, None]).squeeze(1))
        values, ids = logprobs.topk(min(self._top_k, logprobs.shape[-1]), dim=-1)
        self._tops.append((values, ids))

    def _write_logprobs(self, lengths: list[int]) -> None:
        import torch

        chosen = torch.stack(self._logprobs, dim=1).tolist()  # (B, steps)
        values = torch.stack([step[0] for step in self._tops], dim=1).tolist()  # (B, steps, k)
        ids = torch.stack([step[1] for step in self._tops], dim=1).tolist()
        for index, row in enumerate(self.rows):
            k = row.sampling.logprobs
            row.logprobs.extend(chosen[index][: lengths[index]])
            for step in range(lengths[index]):
                row.top_logprobs.append(dict(zip(ids[index][step][:k], values[index][step][:k], strict=True)))


class UniformStreams:
    """A stream of uniform numbers in (0, 1] for each row."""

    def __init__(self, seeds: Sequence[int]) -> None:
        import torch

        self._generators = [torch.Generator().manual_seed(seed % 2**63) for seed in seeds]
        self._block = torch.empty(len(seeds), 0)
        self._used = 0

    def next(self) -> torch.Tensor:
        """The next number of each row, (B, 1)."""
        import torch

        if self._used == self._block.shape[1]:
            self._block = 1.0 - torch.stack([torch.rand(BLOCK, generator=generator) for generator in self._generators])
            self._used = 0
        self._used += 1
        return self._block[:, self._used - 1 : self._used]

    def select(self, indices: list[int]) -> None:
        """Keeps only these rows, in this order."""
        self._generators = [self._generators[index] for index in indices]
        self._block = self._block[indices]


def _nucleus(probs: torch.Tensor, top_p: torch.Tensor) -> torch.Tensor:
    """The smallest set of likeliest tokens whose mass reaches `top_p`; the others get 0. Not renormalized."""
    ordered, order = probs.sort(dim=-1, descending=True)
    outside = (ordered.cumsum(dim=-1) - ordered >= top_p) & (top_p < 1)
    return probs.scatter(-1, order, ordered.masked_fill(outside, 0.0))
