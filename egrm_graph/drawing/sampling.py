"""The sampling of each stage, from the settings, and whether a client supports it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal

from egrm_graph.clients.client import OPTIONS, Client, Sampling, TakesOptions
from egrm_graph.errors import SettingsError
from egrm_graph.settings import RunSettings

SampledStage = Literal["fast", "path"]


def sampling_of(settings: RunSettings, stage: SampledStage, logprobs: int = 0, stop: tuple[str, ...] = ()) -> Sampling:
    """How fast answers or paths are sampled; see `Sampling` for `logprobs` and `stop`."""
    given: dict[str, Any] = {name: getattr(settings, f"{stage}_{name}", None) for name in OPTIONS}
    return Sampling(
        temperature=getattr(settings, f"{stage}_temperature"),
        max_tokens=getattr(settings, f"{stage}_max_tokens"),
        logprobs=logprobs,
        stop=stop,
        thinking=getattr(settings, f"{stage}_thinking"),
        **given,
    )


def require_options(settings: RunSettings, client: Client) -> None:
    """Checks that every sampling setting that is set reaches the model.

    Raises:
        SettingsError: the client would ignore one.
    """
    takes: Collection[str] = client.sampling_options if isinstance(client, TakesOptions) else ("top_p",)
    for stage in ("fast", "path"):
        for name in OPTIONS:
            value = getattr(settings, f"{stage}_{name}", None)
            if name not in takes and value is not None and (name, value) != ("top_p", 1):
                raise SettingsError(
                    f"{stage}_{name} is {value}, and {client.name} does not take {name}; leave it unset, set {name} on "
                    "the model itself, or use a vLLM server (engine='vllm')"
                )
