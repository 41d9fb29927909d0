"""What a server's refusals mean, and what would help."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from yarl import URL

from egrm_graph.errors import ContextTooLong, EgrmError, ServerError, SettingsError, SetupError, Unsupported

MESSAGE_CHARACTERS = 400
"""A server's message is quoted up to here: a proxy may answer with a whole page."""


@dataclass(frozen=True)
class Fixes:
    """What would help against a server that is not the right one, in the words of the settings that led to it."""

    setting: str
    """The setting that names the servers."""
    absent: str
    """Where none answers."""
    other: str
    """Where it serves something else."""


class Broken(ServerError):
    """A request that another try may bring through."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class SwitchRefused(Unsupported):
    """The server's tokenizer takes no template arguments, so that thinking cannot be switched."""


def checked_url(url: str, setting: str) -> str:
    """The URL without its last slash, or a `SettingsError` that says what was wrong with the setting."""
    try:
        parsed = URL(url)
        good = parsed.scheme in ("http", "https") and parsed.host and parsed.user is None
    except ValueError:
        good = False
    if not good:
        shown = "with a user in it" if "@" in url else repr(url)  # a password stays out of messages
        raise SettingsError(f"{setting} {shown} cannot be used; it has to look like http://localhost:8000/v1")
    return url.rstrip("/")


def refusal(url: str, status: int, headers: Mapping[str, str], text: str) -> EgrmError:
    """The error for an answer with any status but 200 and 404."""
    said = server_message(text)
    if status == 429 or status >= 500:
        return Broken(f"{url} answered {status}: {said}", retry_after_s(headers))
    if status in (401, 403):
        return SetupError(f"{url} refused the request ({status}); set api_key (EGRM_API_KEY) to the key that it takes")
    return _bad_request(url, said) or SetupError(f"{url} refused the request ({status}): {said}")


def _bad_request(url: str, said: str) -> SetupError | None:
    """The error behind a message of vLLM's that names no kind."""
    if "context length" in said or "max_model_len" in said:
        told = re.search(r"maximum context length is (\d+)", said)
        hint = "Shorten the prompt, or serve a longer context"
        return ContextTooLong(f"{url}: {said} {hint}", int(told[1]) if told else None)
    if "chat_template is not supported" in said:
        return SwitchRefused(f"{url} cannot switch thinking for this model: {said} Use thinking 'default'")
    if "chat template" in said:
        return Unsupported(f"{url}: {said} For a base model set endpoint='completions'")
    if "thinking_token_budget" in said:
        return Unsupported(f"{url} cannot bound thinking: {said}")
    return None


def server_message(text: str) -> str:
    """The message in an error's body, wherever this server puts it; else the body itself, shortened."""
    message: object = text
    with contextlib.suppress(ValueError):
        body = json.loads(text)
        if isinstance(body, dict):
            error = body.get("error", body)
            message = error.get("message") or error.get("detail") or text if isinstance(error, dict) else error
    said = " ".join(str(message).split())
    return said if len(said) <= MESSAGE_CHARACTERS else f"{said[:MESSAGE_CHARACTERS]}..."


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds that `Retry-After` asks to wait, from either of its two forms; None without a readable one."""
    given = headers.get("Retry-After", "").strip()
    if given.isascii() and given.isdigit():
        return float(given)
    try:
        return max(0.0, parsedate_to_datetime(given).timestamp() - time.time())
    except ValueError:
        return None
