"""The bundled scorer."""

import math
from collections.abc import AsyncIterator

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from egrm_graph.parts import assemble, load_scorer, scorer_folder
from egrm_graph.runtime.bundled_models import bundled
from egrm_graph.scoring.scorer import Scorer
from egrm_graph.settings import BUNDLED_MODEL, BUNDLED_SCORER, Settings

QUESTION = "47+38-6+54"
RIGHT = "47+30=77;77+8=85;85-6=79;79+50=129;129+4=133;#133"
WRONG = [
    "47+30=77;77+8=84;84-6=78;78+50=128;128+4=132;#132",  # a sum
    "47+30=77;77+8=85;85-5=80;80+50=130;130+4=134;#134",  # a number that is not in the question
    "47+30=77;77+8=85;85+6=91;91+50=141;141+4=145;#145",  # a sign
    "47+30=77;77+8=85;85-6=79;79+50=129;#129",  # a missing step
    "47+30=77;77+8=85;85-6=79;79+50=129;129+4=133;#123",  # the answer
]


@pytest.fixture
async def scorer() -> AsyncIterator[Scorer]:
    found = load_scorer(bundled(BUNDLED_SCORER))
    yield found
    await found.aclose()


async def test_it_distinguishes_right_from_wrong_paths(scorer: Scorer) -> None:
    right, *wrong = await scorer.score(QUESTION, [RIGHT, *WRONG])
    assert isinstance(right, float)
    assert right > 0.5
    assert [score for score in wrong if not isinstance(score, float) or score > 0.5] == []


async def test_it_is_the_default_for_the_bundled_model() -> None:
    parts = assemble(Settings())
    assert parts.scorer is not None
    assert parts.scorer.name == BUNDLED_SCORER
    await parts.aclose()
    assert scorer_folder(Settings(scorer=None)) is None


async def test_transformers_alone_loads_it_and_gives_the_same_scores(scorer: Scorer) -> None:
    folder = bundled(BUNDLED_SCORER)
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    logits = [model(**tokenizer(f"{QUESTION}:{path}", return_tensors="pt")).logits.item() for path in (RIGHT, *WRONG)]
    expected = [1 / (1 + math.exp(-logit)) for logit in logits]
    assert await scorer.score(QUESTION, [RIGHT, *WRONG]) == pytest.approx(expected, abs=1e-4)


def test_both_models_are_small() -> None:
    for name in (BUNDLED_MODEL, BUNDLED_SCORER):
        assert sum(file.stat().st_size for file in bundled(name).iterdir()) < 8_000_000
