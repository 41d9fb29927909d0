"""A transformers model in this process: requests from any loop and thread are batched together in one worker thread."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from egrm_graph.clients.client import OPTIONS, Completions, LabelLogprobs, Meter, Sampling, no_usage
from egrm_graph.clients.embedded_rows import Request
from egrm_graph.clients.embedded_worker import LabelRequest, Worker
from egrm_graph.errors import ModelError, Unsupported
from egrm_graph.runtime.extras import require_extra
from egrm_graph.runtime.transformers_output import without_progress_bars
from egrm_graph.verification import Message


class EmbeddedClient:
    """A causal language model from a local folder, run in-process.

    Each seed gives a text of its own, whatever else is in the batch. Log-probabilities are those of the model's raw
    logits, before temperature, nucleus and choices. With `choices`, each token is drawn among those that can still
    lead to one of them. A completion gets what room the context has left, and ends by `length` when it is used up.
    """

    engine = "embedded"

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    @classmethod
    def load(
        cls, folder: str | Path, *, name: str | None = None, max_batch_rows: int = 256, device: str | None = None
    ) -> EmbeddedClient:
        """The model and the tokenizer in `folder`, as `save_pretrained` wrote them, on the CPU unless `device` says
        otherwise. Only `safetensors` weights are read, and no code from the folder is run.

        Raises:
            ModelError: the folder is not there, or does not hold a causal language model and its tokenizer.
        """
        model, tokenizer = _load(Path(folder), device)
        return cls(Worker(model, tokenizer, name=name or Path(folder).name, max_batch_rows=max_batch_rows))

    @property
    def name(self) -> str:
        return self._worker.name

    @property
    def gives_logprobs(self) -> bool:
        return True

    @property
    def continues_prompt(self) -> bool:
        return self._worker.continues_prompt

    @property
    def sampling_options(self) -> Collection[str]:
        return ("top_p",)

    async def sample(
        self,
        prompt: Sequence[Message],
        sampling: Sampling,
        *,
        seeds: Sequence[int],
        request_id: str,  # noqa: ARG002 - there is no server's log to find it in
        meter: Meter | None = None,
    ) -> Completions:
        for name in OPTIONS:
            if name not in self.sampling_options and (value := getattr(sampling, name)) is not None:
                raise Unsupported(f"the embedded model takes no {name} ({name}={value}); leave it at None")
        if not seeds:
            return Completions((), no_usage())
        request = Request(tuple(prompt), sampling, tuple(seeds), meter)
        self._worker.submit(request)
        return await asyncio.wrap_future(request.future)

    async def label_logprobs(
        self,
        prompt: Sequence[Message],
        labels: Sequence[str],
        *,
        request_id: str,  # noqa: ARG002
    ) -> LabelLogprobs:
        request = LabelRequest(tuple(prompt), tuple(labels))
        self._worker.submit(request)
        return await asyncio.wrap_future(request.future)

    async def check(self) -> None:
        """Draws one token, so that no later call waits for what the first one sets up."""
        self._worker.check()
        sampling = Sampling(temperature=0.0, max_tokens=1)
        await self.sample([Message(role="user", content="1")], sampling, seeds=(0,), request_id="check")

    async def aclose(self) -> None:
        try:
            await asyncio.to_thread(self._worker.close)
        except RuntimeError:  # the interpreter is ending, and gives out no threads any more
            self._worker.close()


def _load(folder: Path, device: str | None) -> tuple[Any, Any]:
    if not folder.is_dir():
        raise ModelError(f"there is no model folder {str(folder)!r}; give a folder that `save_pretrained` wrote")
    if not any(folder.glob("*.safetensors")):
        raise ModelError(f"{str(folder)!r} holds no *.safetensors weights; save the model there with `save_pretrained`")
    require_extra("local", f"The model in {folder}, which runs in this process,")
    from transformers import AutoModelForCausalLM, AutoTokenizer

    local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        with without_progress_bars():
            tokenizer = AutoTokenizer.from_pretrained(folder, **local)
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                folder, use_safetensors=True, output_loading_info=True, **local
            )
    except Exception as error:
        raise ModelError(
            f"{str(folder)!r} does not load as a causal language model with its tokenizer: {error}; "
            "save both there with `save_pretrained`"
        ) from error
    model, report = loaded
    if report["missing_keys"]:
        missing = ", ".join(sorted(report["missing_keys"])[:3])
        raise ModelError(f"{str(folder)!r} is not a whole causal language model: it has no weights for {missing}")
    return model.to(device or "cpu").eval(), tokenizer
