"""What a figure was measured on."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import torch


def hardware(device: torch.device) -> str:
    """The processor, how many of its cores this process may use, and the GPU if one computes."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    described = f"{_processor()}, {cores} cores"
    if device.type == "cuda":
        described += f"; {torch.cuda.get_device_name(device)}"
    return described


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
