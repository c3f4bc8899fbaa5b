"""Freed memory stays with the process where the C library can be asked to."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, torch
from shamisa_cli.core.machine import keep_freed_memory

def faults_of_ten_tensors():
    for part in range(2):  # the first may take memory that the second has
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(10):
            torch.ones(10_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

print(faults_of_ten_tensors())
assert keep_freed_memory()
print(faults_of_ten_tensors())
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be asked")
def test_tensors_made_one_after_another_reuse_their_memory() -> None:
    shown = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True).stdout
    usually, kept = map(int, shown.split())
    assert kept < usually / 10
