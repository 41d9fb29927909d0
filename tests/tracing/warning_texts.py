"""The texts of recorded warnings."""

from warnings import WarningMessage

Warnings = list[WarningMessage]


def texts(seen: Warnings) -> list[str]:
    return [str(warning.message) for warning in seen]
