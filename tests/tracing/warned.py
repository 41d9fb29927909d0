"""What was warned of."""

from warnings import WarningMessage

Warned = list[WarningMessage]


def texts(seen: Warned) -> list[str]:
    return [str(warning.message) for warning in seen]
