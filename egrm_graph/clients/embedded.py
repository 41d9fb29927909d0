"""A transformers model in this process. One worker thread batches the requests of all event loops and threads.

Transformers' own continuous batching cannot replace this: it draws all rows from one global generator, so a text would
depend on its batch, and its requests have no seed, stop texts, choices, or top log-probabilities. Plain `generate` runs
one fixed batch, which new requests cannot join and cancelled ones cannot leave, and it has one seed for all rows. So
transformers runs the forward passes and keeps the cache, while the `embedded_*` files choose tokens and schedule rows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from egrm_graph.clients.client import OPTIONS, Completions, LabelLogprobs, Meter, Sampling, no_usage
from egrm_graph.clients.embedded_rows import SampleRequest
from egrm_graph.clients.embedded_worker import EmbeddedWorker, LabelRequest
from egrm_graph.errors import ModelError, Unsupported
from egrm_graph.runtime.extras import require_extra
from egrm_graph.runtime.transformers_output import without_progress_bars
from egrm_graph.settings import ReplyForm
from egrm_graph.verification import Message


class EmbeddedClient:
    """A causal language model from a local folder, run in this process.

    A seed determines its text, whatever else is in the batch. Log-probabilities are those of the model's raw logits,
    before temperature, nucleus, and choices. With `choices`, each token is one that can still lead to a choice. A
    completion that fills the model's context ends with `length`.
    """

    engine = "embedded"

    def __init__(self, worker: EmbeddedWorker) -> None:
        self._worker = worker

    @classmethod
    def load(
        cls, folder: str | Path, *, name: str | None = None, max_batch_rows: int = 256, device: str | None = None
    ) -> EmbeddedClient:
        """Loads the model and the tokenizer that `save_pretrained` wrote to `folder`, on the CPU unless there is a
        `device`. Reads only `safetensors` weights, and runs no code from the folder.

        Raises:
            ModelError: the folder does not exist, or does not hold a causal language model and its tokenizer.
        """
        model, tokenizer = _load(Path(folder), device)
        return cls(EmbeddedWorker(model, tokenizer, name=name or Path(folder).name, max_batch_rows=max_batch_rows))

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

    @property
    def continues_tokens(self) -> bool:
        return True

    @property
    def reply_forms(self) -> Collection[ReplyForm]:
        return ["continued"]

    async def sample(
        self,
        prompt: Sequence[Message],
        sampling: Sampling,
        *,
        seeds: Sequence[int],
        request_id: str,  # noqa: ARG002 - no server logs it
        meter: Meter | None = None,
    ) -> Completions:
        for name in OPTIONS:
            if name not in self.sampling_options and (value := getattr(sampling, name)) is not None:
                raise Unsupported(f"the embedded model takes no {name} ({name}={value}); leave it at None")
        if sampling.pattern is not None:
            raise Unsupported("the embedded model cannot be restricted to a pattern; use choices or a vLLM server")
        if not seeds:
            return Completions((), no_usage())
        request = SampleRequest(tuple(prompt), sampling, tuple(seeds), meter)
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
        """Draws one token. Later calls then do not wait for what the first one sets up."""
        self._worker.check()
        sampling = Sampling(temperature=0.0, max_tokens=1)
        await self.sample([Message(role="user", content="1")], sampling, seeds=(0,), request_id="check")

    async def aclose(self) -> None:
        try:
            await asyncio.to_thread(self._worker.close)
        except RuntimeError:  # the interpreter is shutting down and starts no more threads
            self._worker.close()


def _load(folder: Path, device: str | None) -> tuple[Any, Any]:
    if not folder.is_dir():
        raise ModelError(
            f"the model folder {str(folder)!r} does not exist; give a folder that `save_pretrained` wrote, or add "
            "base_url (--base-url) for a model behind a server"
        )
    if not any(folder.glob("*.safetensors")):
        raise ModelError(f"{str(folder)!r} has no *.safetensors weights; save the model there with `save_pretrained`")
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
        raise ModelError(f"{str(folder)!r} is not a complete causal language model: it has no weights for {missing}")
    return model.to(device or "cpu").eval(), tokenizer
