"""Freed memory stays with the process where the C library can be asked to."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

FAULTS_OF_A_HUNDRED_TENSORS = """
import resource, sys, torch
from shamisa_cli.core.machine import keep_freed_memory
if "keep" in sys.argv:
    assert keep_freed_memory()
for part in range(2):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(100):
        torch.ones(20_000_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(*arguments: str) -> int:
    command = [sys.executable, "-c", FAULTS_OF_A_HUNDRED_TENSORS, *arguments]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be asked")
def test_tensors_made_one_after_another_reuse_their_memory() -> None:
    assert faults("keep") < faults() / 10
