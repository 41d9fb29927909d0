"""Call a reward function as verl's reward managers do, and return the score or the error."""

from typing import Any

from egrm_graph.errors import EgrmError
from egrm_graph.integrations.verl_reward import as_verl_reward
from tests.integrations.judges import judging


def outcome(given: dict[str, Any]) -> Any:
    compute_score: Any = as_verl_reward(
        judging("pointwise", lambda text: text == "56", lost="9-9"), missing=given.get("missing")
    )
    try:
        score = compute_score(*given.get("args", ()), **given.get("keywords", {}))
    except EgrmError as error:
        return f"{type(error).__name__}: {error}"
    return score[given["item"]] if "item" in given else score
