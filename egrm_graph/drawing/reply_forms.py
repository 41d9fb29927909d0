"""The form of the fast answers: which one the settings, the client, and the prompt agree on."""

from __future__ import annotations

from egrm_graph.clients.client import Client, MayShapeReplies, ShapesReplies
from egrm_graph.errors import SettingsError
from egrm_graph.prompting import ReplyShape
from egrm_graph.settings import ReplyForm, RunSettings


def reply_form(settings: RunSettings, client: Client, reply: ReplyShape, *, labels: bool) -> ReplyForm:
    """The form of the fast answers. `labels` says whether they are single labels.

    Raises:
        SettingsError: the settings name a form that the client or the prompt does not support.
    """
    forms = client.reply_forms if isinstance(client, ShapesReplies) else ()
    if settings.fast_reply == "auto":
        if settings.fast_thinking != "off":
            return "free"  # a started or restricted reply would leave no place for the thoughts
        if "continued" in forms and reply.start:
            return "continued"
        return "structured" if "structured" in forms and (reply.pattern or labels) else "free"
    optional = client.optional_reply_forms if isinstance(client, MayShapeReplies) else ()
    if (problem := _problem(settings, client.name, reply, {*forms, *optional}, labels=labels)) is not None:
        raise SettingsError(f"fast_reply is {settings.fast_reply!r}, and {problem}")
    return settings.fast_reply


def _problem(
    settings: RunSettings, client: str, reply: ReplyShape, forms: set[ReplyForm], *, labels: bool
) -> str | None:
    """Why the settings' form is not possible, and what to do about it. None if it is."""
    form = settings.fast_reply
    if form == "free":
        return None
    if form not in forms:
        what = "continue a started reply" if form == "continued" else "restrict a reply to a form"
        return f"{client} cannot {what}; set it to 'auto', or use a vLLM server (engine='vllm')"
    if form == "continued" and settings.fast_thinking == "on":
        return "fast_thinking is 'on', but a reply that is started has no thoughts; set fast_thinking to 'off'"
    if form == "continued" and not reply.start:
        return "the prompt answer_fast.md sets no reply_start; set one there, or set fast_reply to 'auto'"
    if form == "structured" and not (reply.pattern or labels):
        return "the prompt answer_fast.md sets no reply_pattern; set one there, or set fast_reply to 'auto'"
    return None
