"""The plain strategy: independent chain-of-thought paths, all of the same prompt.

Source: E-GRM, arXiv:2604.10072.
"""

from __future__ import annotations

from egrm_graph.clients.client import Sampling
from egrm_graph.clients.drawing import Call
from egrm_graph.reasoning.samples import seeds
from egrm_graph.settings import RunSettings
from egrm_graph.tasks.prompting import Prompts
from egrm_graph.verification import Asked


def path_calls(asked: Asked, prompts: Prompts, settings: RunSettings, *, logprobs: int = 0) -> list[Call]:
    """A call for each path; see `Sampling` for `logprobs`."""
    prompt = prompts.render("expand_cot", question=asked["question"], history=asked["history"])
    sampling = Sampling(
        temperature=settings.path_temperature,
        top_p=settings.path_top_p,
        max_tokens=settings.path_max_tokens,
        logprobs=logprobs,
        thinking=settings.path_thinking,
        thinking_tokens=settings.path_thinking_tokens,
    )
    return [
        Call(prompt, sampling, (seed,), f"{asked['run_id']}.expand_cot.{i}")
        for i, seed in enumerate(seeds(settings.seed, "expand_cot", asked["question"], settings.paths))
    ]
