"""The exceptions of this package, as a small tree.

    EgrmError
    ├── SetupError            a retry cannot help: change the setup or the input
    │   ├── SettingsError     a setting is unknown, out of range, or does not fit another
    │   ├── InputError        the question or an input file cannot be used
    │   ├── ModelError        a model or scorer on disk cannot be loaded, or is not served
    │   ├── ContextTooLong    a prompt does not fit the model's context
    │   ├── MissingExtra      an optional package is not installed: names the extra to install
    │   └── Unsupported       this client does not support the request
    └── RunError              this run failed, but a retry may work
        ├── ServerError       the server cannot be reached, disconnected, or returned an error
        ├── DeadlineReached   a wait took longer than the settings allow
        └── Abstained         no verdict was reached, and the caller requires one

A sample that fails with one of these is recorded with its reason, and the run continues without it.
"""

from __future__ import annotations


class EgrmError(Exception):
    """The base class of all exceptions that this package raises on purpose."""


class SetupError(EgrmError):
    """A retry cannot help: the setup or the input has to change."""


class SettingsError(SetupError, ValueError):
    """A setting is unknown, out of range, or does not fit another one."""


class InputError(SetupError, ValueError):
    """The question or an input file cannot be used."""


class ModelError(SetupError):
    """A model or scorer cannot be loaded from disk, or is not served under that name."""


class ContextTooLong(SetupError):
    """A prompt does not fit the model's context."""

    def __init__(self, message: str, context_tokens: int | None = None) -> None:
        super().__init__(message)
        self.context_tokens = context_tokens
        """The model's context size, if known."""


class MissingExtra(SetupError):
    """An optional package is not installed. The message names the extra that installs it."""

    def __init__(self, message: str, extra: str) -> None:
        super().__init__(message)
        self.extra = extra
        """The name of the extra, such as `local`."""


class Unsupported(SetupError):
    """This client does not support the request."""


class RunError(EgrmError):
    """This run failed, but a retry may work."""


class ServerError(RunError):
    """The server cannot be reached, disconnected, or returned an error."""


class DeadlineReached(RunError):
    """A wait took longer than the settings allow."""


class Abstained(RunError):
    """No verdict was reached, and the caller requires one."""


ITEM_ERRORS = (InputError, ContextTooLong, RunError)
"""Errors that concern one item of many and leave the others unaffected. Any other error concerns the setup."""
