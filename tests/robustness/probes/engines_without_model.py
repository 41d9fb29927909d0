"""Which model an engine gets, with or without a name."""

import os
from typing import Any
from unittest.mock import patch

from pydantic import ValidationError

from egrm_graph import Settings
from egrm_graph.cli.shared_options import settings_of
from egrm_graph.errors import SettingsError
from egrm_graph.settings import explain, settings_from_environment


def outcome(given: dict[str, Any]) -> str:
    """`settings` are set in Python, and `options` on the command line, with the variables in `environment`."""
    with patch.dict(os.environ, given.get("environment", {})):
        try:
            if "options" in given:
                return f"model {settings_of(given['options']).model}"
            if "environment" in given:
                return f"model {settings_from_environment().model}"
            return f"model {Settings(**given['settings']).model}"
        except ValidationError as error:
            return f"ValidationError: {explain(error)}"
        except SettingsError as error:
            return f"SettingsError: {error}"
