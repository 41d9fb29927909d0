"""A calibration written by hand, for tests."""

from pathlib import Path
from typing import Any

from egrm_graph.calibration.gate_calibration import GateCalibration


def calibration(**changes: Any) -> GateCalibration:
    """A calibration of the bundled model without a scorer. The direct route needs four equal samples and is right in 97
    of 100 runs, and the reasoned route in 8 of 10."""
    fields: dict[str, Any] = {
        "model": "egrm-tiny",
        "task": "arithmetic",
        "measure": "consensus",
        "samples": 4,
        "threshold": 1.0,
        "higher_is_certain": True,
        "loss": "excess",
        "target_risk": 0.05,
        "confidence": 0.95,
        "gates": 1,
        "questions": 200,
        "losses": 3,
        "risk_bound": 0.04,
        "labelled": 200,
        "direct": 100,
        "direct_between": (0.4, 0.6),
        "scored": False,
        "fast_right": ((0.5, 0.6, 100), (1.0, 0.97, 100)),
        "reasoned_right": ((0.25, 0.3, 50), (0.75, 0.8, 50)),
        "data": "log.jsonl",
        "data_sha256": "0" * 64,
        "versions": {"egrm-graph": "0.1.0"},
    }
    return GateCalibration.model_validate({**fields, **changes})


def written(folder: Path, **changes: Any) -> Path:
    """Write the calibration to a file."""
    file = folder / "calibration.json"
    file.write_text(calibration(**changes).model_dump_json())
    return file
