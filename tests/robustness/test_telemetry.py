"""Nothing is told to anyone: the libraries that compute write no number of this machine, and open no connection."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from helpers.pictures import save_noise


def test_onnx_runtime_keeps_no_record_of_this_machine(tiny_model: Path, tmp_path: Path) -> None:
    (photo,) = save_noise(tmp_path / "photos", [(64, 48)])
    homes = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"), str(tmp_path / "home"))
    kept = {name: value for name, value in os.environ.items() if name not in ("ORT_DISABLE_TELEMETRY", "CI")}
    command = (sys.executable, "-m", "shamisa_cli", "score", photo, "--model", tiny_model, "--no-cache")
    subprocess.run(command, env=kept | homes, check=True, capture_output=True)
    assert [path for path in (tmp_path / "home").rglob("*") if path.is_file()] == []
