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


class SeveralRefused(Unsupported):
    """The server gives only one completion a request."""


class LogprobsRefused(Unsupported):
    """The server gives no log-probabilities, or only those of fewer tokens than were asked for."""

    def __init__(self, message: str, allowed: int | None) -> None:
        super().__init__(message)
        self.allowed = allowed
        """Of how many tokens it gives them; None where it does not say."""

    def of(self, setting: str, asked: int) -> LogprobsRefused:
        """The error that names the setting and how to change it."""
        if not self.allowed or self.allowed >= asked:
            return self
        return LogprobsRefused(
            f"`{setting}` is {asked}, but the server allows {self.allowed}. Set `{setting}={self.allowed}` or start "
            f"vLLM with `--max-logprobs {asked}`.",
            self.allowed,
        )


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
    return _bad_request(url, said, text) or SetupError(f"{url} refused the request ({status}): {said}")


def error_in(url: str, body: object) -> EgrmError | None:
    """The error in a body that came with status 200; None where it holds none."""
    body = body[0] if isinstance(body, list) and body else body  # so does Google's OpenAI-style API
    if not isinstance(body, dict):
        return None
    error = body.get("error") or (body if "error" in (body.get("object"), body.get("type")) else None)
    if not error:
        return None
    fields = {**body, **error} if isinstance(error, dict) else body
    status = next((told for key in ("code", "status", "status_code") if (told := _status(fields.get(key)))), None)
    text = json.dumps(body)
    if status is None and (refused := _bad_request(url, server_message(text), text)) is not None:
        return refused
    if status is None or status == 429 or status >= 500:
        return Broken(f"{url} answered with an error: {server_message(text)}")
    return refusal(url, status, {}, text)


def _status(value: object) -> int | None:
    text = str(value)
    return int(text) if re.fullmatch(r"[45]\d\d", text) else None


_SHORTEN = "Shorten the prompt, or serve a longer context"
_WITHOUT_LOGPROBS = "Use a measure that needs no log-probabilities, such as consensus"
_TOO_LONG = re.compile(
    r"context[ _](length|size|window|limit)|max_model_len|max_seq_len|max_num_tokens|session_len"
    r"|maximum (allowed length|(input|prompt|model|sequence) length|number of (input )?tokens)"
    r"|(prompt|input|request)( is)? too (long|large)|request_too_large|too many (input )?tokens|token limit"
    r"|input tokens? exceeds?|must have less than \d+ tokens|max_new_tokens` must be|reduce the length"
    r"|too large for model",
    re.IGNORECASE,
)
_CONTEXT = re.compile(
    r"(?:maximum context length (?:is|of)|context length \(|context size \(|model length of) *(\d{1,9})\b"
)
_ALLOWED = re.compile(r"(?:more than|max allowed:|maximum of|less than or equal to|<=|between 0 and) *(\d{1,9})\b")
_SEVERAL = re.compile(
    r"only one completion|multiple (choices|completions)"
    r"|(^|[\s`'\"(])n[`'\"]?\s*(>|:|=|must|should|parameter|is not|does not|greater)",
    re.IGNORECASE,
)


def _bad_request(url: str, said: str, text: str) -> SetupError | None:
    """The error behind a message. Few servers name its kind, and each in its own way."""
    said = said if said.endswith((".", "!", "?")) else f"{said}."
    if _TOO_LONG.search(said) or '"context_length_exceeded"' in text or '"exceed_context_size_error"' in text:
        told = _CONTEXT.search(said)
        return ContextTooLong(f"{url}: {said} {_SHORTEN}", int(told[1]) if told else None)
    if "logprobs" in said:
        told = _ALLOWED.search(said)
        return LogprobsRefused(f"{url}: {said} {_WITHOUT_LOGPROBS}", int(told[1]) if told else None)
    if _SEVERAL.search(said):
        return SeveralRefused(f"{url} gives only one completion a request: {said}")
    return _template_refused(url, said)


def _template_refused(url: str, said: str) -> Unsupported | None:
    if "chat_template is not supported" in said:
        return SwitchRefused(f"{url} cannot switch thinking for this model: {said} Use thinking 'default'")
    if "chat template" in said:
        return Unsupported(f"{url}: {said} For a base model set endpoint='completions'")
    if "thinking_token_budget" in said:
        return Unsupported(f"{url} cannot bound thinking: {said}")
    return None


def server_message(given: str | Mapping[str, object]) -> str:
    """The message in an error's body, wherever this server puts it; else the body itself, shortened."""
    body: object = given
    if isinstance(given, str):
        with contextlib.suppress(ValueError, RecursionError):
            body = json.loads(given)
    body = body[0] if isinstance(body, list) and body else body
    message: object = given
    if isinstance(body, dict):
        error = body.get("error") or body
        message = (error.get("message") or error.get("detail") or given) if isinstance(error, dict) else error
    said = " ".join((message if isinstance(message, str) else json.dumps(message)).split())
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
