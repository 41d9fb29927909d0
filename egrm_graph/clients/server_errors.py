"""What a server's error answers mean, and how to fix them."""

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
"""A quoted server message is cut here: a proxy may answer with an HTML page."""


@dataclass(frozen=True)
class ServerFixes:
    """What error messages suggest, in terms of the settings."""

    setting: str
    """The setting that names the servers."""
    no_answer: str
    """What to do if no server answers."""
    other_model: str
    """What to do if the server serves other models."""


class RetryableError(ServerError):
    """A request failed that may succeed on another try."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class SwitchRefused(Unsupported):
    """The server's tokenizer takes no template arguments, so thinking cannot be switched off or on."""


class SeveralRefused(Unsupported):
    """The server gives only one completion per request."""


class LimitRefused(Unsupported):
    """The server wants the maximum of tokens in `max_completion_tokens`, as OpenAI's reasoning models do."""


class LogprobsRefused(Unsupported):
    """The server gives no log-probabilities, or only those of fewer tokens than requested."""

    def __init__(self, message: str, allowed: int | None, hint: str = "") -> None:
        super().__init__(message)
        self.allowed = allowed
        """For how many tokens it gives them; None if it does not say."""
        self.hint = hint

    def of(self, setting: str, asked: int, hint: str | None = None) -> LogprobsRefused:
        """The error that names the setting and how to change it; `hint` says how to change the server instead."""
        hint = self.hint if hint is None else hint
        if not self.allowed or self.allowed >= asked:
            return self
        return LogprobsRefused(
            f"`{setting}` is {asked}, but the server allows {self.allowed}. Set `{setting}={self.allowed}`"
            f"{hint.format(asked=asked)}.",
            self.allowed,
            hint,
        )


def checked_url(url: str, setting: str) -> str:
    """The URL without a trailing slash.

    Raises:
        SettingsError: it is not an HTTP URL, or contains a user name.
    """
    try:
        parsed = URL(url)
        good = parsed.scheme in ("http", "https") and parsed.host and parsed.user is None
    except ValueError:
        good = False
    if not good:
        quoted = "with a user in it" if "@" in url else repr(url)  # keep a password out of messages
        raise SettingsError(f"{setting} {quoted} cannot be used; it has to look like http://localhost:8000/v1")
    return url.rstrip("/")


def refusal(url: str, status: int, headers: Mapping[str, str], text: str) -> EgrmError:
    """The error for an answer with any status other than 200 and 404."""
    said = server_message(text)
    if status == 429 or status >= 500:
        return RetryableError(f"{url} answered {status}: {said}", retry_after_s(headers))
    if status in (401, 403):
        return SetupError(f"{url} refused the request ({status}); set api_key (EGRM_API_KEY) to a key that it accepts")
    return _bad_request(url, said, text) or SetupError(f"{url} refused the request ({status}): {said}")


def error_in(url: str, body: object) -> EgrmError | None:
    """The error in a body that came with status 200; None if it holds none."""
    body = body[0] if isinstance(body, list) and body else body  # as Google's OpenAI-style API sends it
    if not isinstance(body, dict):
        return None
    error = body.get("error") or (body if "error" in (body.get("object"), body.get("type")) else None)
    if not error:
        return None
    fields = {**body, **error} if isinstance(error, dict) else body
    status = next((code for key in ("code", "status", "status_code") if (code := _status(fields.get(key)))), None)
    text = json.dumps(body)
    if status is None and (refused := _bad_request(url, server_message(text), text)) is not None:
        return refused
    if status is None or status == 429 or status >= 500:
        return RetryableError(f"{url} answered with an error: {server_message(text)}")
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
    r"(?:maximum context length (?:is|of)|context length \(|context size \(|model length of|max_model_len=)"
    r" *(\d{1,9})\b"
)
_ALLOWED = re.compile(r"(?:more than|max allowed:|maximum of|less than or equal to|<=|between 0 and) *(\d{1,9})\b")
_LIMIT = re.compile(r"max_tokens\b.*\b(not supported|unsupported|use)\b.*\bmax_completion_tokens", re.IGNORECASE)
_SEVERAL = re.compile(
    r"only one completion|multiple (choices|completions)"
    r"|(^|[\s`'\"(])n[`'\"]?\s*(>|:|=|must|should|parameter|is not|does not|greater)",
    re.IGNORECASE,
)


def _bad_request(url: str, said: str, text: str) -> SetupError | None:
    """The error that a message describes. Few servers name the kind of error, and each in its own words."""
    said = said if said.endswith((".", "!", "?")) else f"{said}."
    if _TOO_LONG.search(said) or '"context_length_exceeded"' in text or '"exceed_context_size_error"' in text:
        context = _CONTEXT.search(said)
        return ContextTooLong(f"{url}: {said} {_SHORTEN}", int(context[1]) if context else None)
    if "logprobs" in said:
        allowed = _ALLOWED.search(said)
        return LogprobsRefused(f"{url}: {said} {_WITHOUT_LOGPROBS}", int(allowed[1]) if allowed else None)
    if _LIMIT.search(said):
        return LimitRefused(f"{url} refused the request (400): {said}")
    if _SEVERAL.search(said):
        return SeveralRefused(f"{url} gives only one completion per request: {said}")
    return _template_refused(url, said)


def _template_refused(url: str, said: str) -> Unsupported | None:
    if "chat_template is not supported" in said or "chat_template_kwargs" in said:
        return SwitchRefused(f"{url} cannot switch thinking for this model: {said} Use thinking 'default'")
    if "chat template" in said:
        return Unsupported(f"{url}: {said} For a base model set endpoint='completions'")
    if "thinking_token_budget" in said:
        return Unsupported(f"{url} cannot bound thinking: {said}")
    return None


def server_message(content: str | Mapping[str, object]) -> str:
    """The message in an error's body, wherever the server puts it, or else the body, shortened."""
    body: object = content
    if isinstance(content, str):
        with contextlib.suppress(ValueError, RecursionError):
            body = json.loads(content)
    body = body[0] if isinstance(body, list) and body else body
    message: object = content
    if isinstance(body, dict):
        error = body.get("error") or body
        message = (error.get("message") or error.get("detail") or content) if isinstance(error, dict) else error
    said = " ".join((message if isinstance(message, str) else json.dumps(message)).split())
    return said if len(said) <= MESSAGE_CHARACTERS else f"{said[:MESSAGE_CHARACTERS]}..."


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds that `Retry-After` asks to wait, in either of its two forms; None if it is missing or unreadable."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None
