"""The embedded model's worker thread: it batches the queued requests and resolves each one."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from typing import Any

from egrm_graph.clients.client import Completion, Completions, LabelLogprobs
from egrm_graph.clients.embedded_decoding import decode
from egrm_graph.clients.embedded_rows import DecodingRow, SampleRequest
from egrm_graph.clients.embedded_tokens import ModelTokens
from egrm_graph.errors import EgrmError, RunError, SetupError
from egrm_graph.runtime.forking import call_in_children, cannot_fork, limit_torch_threads
from egrm_graph.verification import Message, Usage

BATCH_WAIT_S = 0.002
"""How long a request waits for others to share its batch."""


@dataclass(eq=False)
class LabelRequest:
    """One `label_logprobs` call."""

    prompt: Sequence[Message]
    labels: Sequence[str]
    future: Future[LabelLogprobs] = field(default_factory=Future)

    def fail(self, error: EgrmError) -> None:
        try:
            self.future.set_exception(error)
        except InvalidStateError:
            return


_Work = SampleRequest | LabelRequest


class EmbeddedWorker:
    """Runs a model on a daemon thread, which starts with the first request and ends with `close`."""

    def __init__(self, model: Any, tokenizer: Any, *, name: str, max_batch_rows: int) -> None:
        if max_batch_rows < 1:
            raise SetupError(f"max_batch_rows={max_batch_rows} allows no row in a batch; set it to at least 1")
        self.name = name
        self.closed = False
        self._model: Any = model
        self._device: str = model.device.type
        self._tokens = ModelTokens(model, tokenizer, name)
        self._max_batch_rows = max_batch_rows
        self._forked_error: SetupError | None = None
        self._start_over()
        call_in_children(self._start_over_in_child)

    def _start_over(self) -> None:
        self._queue: queue.Queue[_Work | None] = queue.Queue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._queued: list[DecodingRow] = []
        self._running: list[SampleRequest] = []

    @property
    def continues_prompt(self) -> bool:
        return self._tokens.continues_prompt

    def submit(self, work: _Work) -> None:
        """Queues a request. Safe to call from any thread."""
        with self._lock:
            self.check()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=f"egrm-{self.name}", daemon=True)
                self._thread.start()
            self._queue.put(work)

    def check(self) -> None:
        """Checks that the worker can run.

        Raises:
            SetupError: it is closed, or the model is on a GPU and this is a forked child.
        """
        if self.closed:
            raise self._was_closed()
        if self._forked_error is not None:
            raise self._forked_error

    def close(self) -> None:
        """Fails all requests, waits for the thread to end, and releases the weights."""
        with self._lock:
            self.closed = True
            thread = self._thread
            for request in self._running:
                request.fail(self._was_closed())  # its rows end at their next token
        if thread is not None:
            self._queue.put(None)
            thread.join()
        self._model = None

    def _start_over_in_child(self) -> None:
        """Starts with an empty queue in a forked child: the parent's thread serves the parent's requests."""
        self._start_over()
        limit_torch_threads()
        if self._device != "cpu":
            self._forked_error = cannot_fork(self.name, self._device)

    def _run(self) -> None:
        while not self.closed:
            self._take()
            batch = self._next_batch()
            if batch:
                self._decode(batch)
        for row in self._queued:
            row.request.fail(self._was_closed())
        while not self._queue.empty():
            work = self._queue.get_nowait()
            if work is not None:
                work.fail(self._was_closed())

    def _take(self) -> None:
        """Moves requests from the queue to the queued rows, and waits for the first one if there are none."""
        until = time.monotonic() + BATCH_WAIT_S
        while len(self._queued) < self._max_batch_rows:
            try:
                if self._queued:
                    work = self._queue.get(timeout=max(0.0, until - time.monotonic()))
                else:
                    work = self._queue.get()
                    until = time.monotonic() + BATCH_WAIT_S
            except queue.Empty:
                return
            if work is None:
                return
            self._admit(work)

    def _admit(self, work: _Work) -> None:
        try:
            if isinstance(work, SampleRequest):
                work.rows = self._tokens.rows(work)
                self._queued.extend(work.rows)
            else:
                self._answer_labels(work)
        except EgrmError as error:
            work.fail(error)
        except Exception as error:
            work.fail(self._failure(error))

    def _next_batch(self) -> list[DecodingRow]:
        """The row that has waited longest, with others of about the same maximum length, so short texts do not wait for
        long ones."""
        self._queued = [row for row in self._queued if not row.request.future.done()]
        if not self._queued:
            return []
        length = self._queued[0].sampling.max_tokens.bit_length()
        similar = [row for row in self._queued if row.sampling.max_tokens.bit_length() == length]
        batch = similar[: self._max_batch_rows]
        taken = set(map(id, batch))
        self._queued = [row for row in self._queued if id(row) not in taken]
        return batch

    def _decode(self, batch: list[DecodingRow]) -> None:
        requests = list(dict.fromkeys(row.request for row in batch))
        with self._lock:
            if self.closed:
                self._queued.extend(batch)
                return
            self._running = requests
        try:
            decode(self._model, batch, tokens=self._tokens)
            for request in requests:
                self._resolve(request)
        except Exception as error:
            for request in requests:
                request.fail(self._failure(error))
        finally:
            self._running = []

    def _resolve(self, request: SampleRequest) -> None:
        if not request.future.done() and all(row.finish_reason for row in request.rows):
            completions = tuple(self._tokens.completion(row) for row in request.rows)
            request.resolve(Completions(completions, _usage(request.rows, completions)))

    def _answer_labels(self, work: LabelRequest) -> None:
        import torch

        ids, label_ids = self._tokens.label_ids(work.prompt, work.labels)
        with torch.inference_mode():
            logits = self._model(torch.tensor([ids], device=self._model.device), use_cache=False).logits[0, -1]
            logprobs = logits.float().log_softmax(dim=-1)[label_ids].tolist()
        usage = Usage(requests=1, prompt_tokens=len(ids), cached_tokens=0, completion_tokens=0, cancelled_tokens=0)
        try:
            work.future.set_result(LabelLogprobs(dict(zip(work.labels, logprobs, strict=True)), usage))
        except InvalidStateError:
            return

    def _failure(self, error: Exception) -> RunError:
        failure = RunError(f"{self.name} failed in this process: {type(error).__name__}: {error}")
        failure.__cause__ = error
        return failure

    def _was_closed(self) -> SetupError:
        return SetupError(f"the client of {self.name} was closed; load a new one")


def _usage(rows: list[DecodingRow], completions: tuple[Completion, ...]) -> Usage:
    return Usage(
        requests=1,
        prompt_tokens=len(rows[0].prompt_ids),
        cached_tokens=0,
        completion_tokens=sum(completion.n_tokens or 0 for completion in completions),
        cancelled_tokens=0,
    )
