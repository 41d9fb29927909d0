"""A new fast prompt, with a system prompt, is one file in a folder."""

from pathlib import Path

from egrm_graph import Settings, build_graph
from egrm_graph.clients.scripted import ScriptedClient

PROMPT = """
{% set system %}You are an accountant. You never explain.{% endset %}
{{ question }} Answer inside \\boxed{}.
"""


def test_a_fast_prompt_is_one_file(tmp_path: Path) -> None:
    (tmp_path / "answer_fast.md").write_text(PROMPT.strip())
    client = ScriptedClient(fast=["\\boxed{65}"] * 5)
    build_graph(Settings(task="answer", prompts=str(tmp_path)), client=client, scorer=None).invoke(
        {"question": "17+48?"}
    )
    system, user = client.calls[0].prompt
    assert (system["role"], system["content"]) == ("system", "You are an accountant. You never explain.")
    assert user["content"] == "17+48? Answer inside \\boxed{}."
