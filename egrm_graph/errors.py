"""What can go wrong, as one small tree.

    EgrmError
    ├── SetupError            a retry cannot help: change the set-up or the input
    │   ├── SettingsError     a setting is unknown, out of range, or does not fit another
    │   ├── InputError        the question or a file handed in cannot be used
    │   ├── ModelError        a model or scorer on disk cannot be loaded, or is not served
    │   ├── ContextTooLong    a prompt does not fit the model's context
    │   ├── MissingExtra      an optional package is not installed: names the extra to install
    │   └── Unsupported       this client cannot do what was asked of it
    └── RunError              of this run: another try may go well
        ├── ServerError       the server is not there, broke off, or answered with an error
        ├── DeadlineReached   a wait took longer than the settings allow
        └── Abstained         no verdict was reached, and nothing is to be done without one

A sample that fails with one of these is recorded with its reason, and the run goes on without it.
"""

from __future__ import annotations


class EgrmError(Exception):
    """The root of everything that this package raises on purpose."""


class SetupError(EgrmError):
    """A retry cannot help: the set-up or the input has to change."""


class SettingsError(SetupError, ValueError):
    """A setting is unknown, out of range, or does not fit another one."""


class InputError(SetupError, ValueError):
    """The question, or a file that was handed in, cannot be used."""


class ModelError(SetupError):
    """A model or scorer cannot be loaded from disk, or is not served under that name."""


class ContextTooLong(SetupError):
    """A prompt does not fit the model's context."""

    def __init__(self, message: str, context_tokens: int | None = None) -> None:
        super().__init__(message)
        self.context_tokens = context_tokens
        """The model's context, where it is known."""


class MissingExtra(SetupError):
    """An optional package is not installed. The message names the extra that installs it."""

    def __init__(self, message: str, extra: str) -> None:
        super().__init__(message)
        self.extra = extra
        """The name of the extra, such as `local`."""


class Unsupported(SetupError):
    """This client cannot do what was asked of it."""


class RunError(EgrmError):
    """Something went wrong in this run; another try may go well."""


class ServerError(RunError):
    """The server is not there, broke off, or answered with an error of its own."""


class DeadlineReached(RunError):
    """A wait took longer than the settings allow."""


class Abstained(RunError):
    """No verdict was reached, and the caller asked that nothing be done without one."""


OF_ONE_ITEM = (InputError, ContextTooLong, RunError)
"""What is wrong with one item of many, and costs the others nothing. Any other error is the set-up's."""
