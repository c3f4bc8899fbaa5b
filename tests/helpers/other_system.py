"""`shamisa` as a process meets it on macOS or Windows, as far as that can be had elsewhere.

`other_system.py SYSTEM COMMANDS` runs them one after the other: a list in JSON, each a list of arguments.

What the system lacks is taken away once other libraries, which decide by the system when they are imported, are there.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys

LIBRARIES = (
    "asyncio", "concurrent.futures", "email.mime.text", "getpass", "http.server", "huggingface_hub", "joblib",
    "logging", "multiprocessing.util", "numpy", "onnxruntime", "PIL.AvifImagePlugin",
    "PIL.JpegImagePlugin", "PIL.TiffImagePlugin", "platform", "psutil", "rich.progress",
    "rich.table", "rich.traceback", "safetensors.numpy", "scipy.linalg", "scipy.sparse.csgraph", "scipy.stats",
    "shutil", "sklearn.linear_model", "socket", "sqlite3", "subprocess", "tempfile", "threadpoolctl", "typer.testing",
)  # fmt: skip
LACKS = {
    "win32": {
        os: (
            "O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "chown", "fchmod", "fork", "getegid", "geteuid",
            "getgid", "getloadavg", "getpgid", "getuid", "killpg", "lchown", "mkfifo", "pread", "sched_getaffinity",
            "setsid", "statvfs", "sysconf", "uname",
        ),
        signal: ("SIGALRM", "SIGHUP", "SIGKILL", "SIGUSR1", "pthread_sigmask", "setitimer"),
    },
    "darwin": {os: ("sched_getaffinity",)},
}  # fmt: skip
MODULES_LACKING = {"win32": ("fcntl", "grp", "pwd", "resource", "termios", "tty"), "darwin": ()}


def pretend(system: str) -> None:
    """Take away what the system lacks."""
    for library in LIBRARIES:
        importlib.import_module(library)
    for module, names in LACKS[system].items():
        for name in names:
            if hasattr(module, name):
                delattr(module, name)
    for name in MODULES_LACKING[system]:
        sys.modules[name] = None  # type: ignore[assignment]
    if system == "darwin":
        os.sysconf = _sysconf_of_macos
    else:
        os.open = _open_of_windows
        os.fsync = _fsync_of_windows
    sys.platform = system


_sysconf, _open, _fsync = os.sysconf, os.open, os.fsync


def _sysconf_of_macos(name: str) -> int:
    if name == "SC_AVPHYS_PAGES":
        raise ValueError("unrecognized configuration name")
    return _sysconf(name)


def _open_of_windows(path: str, flags: int, *more: object, **settings: object) -> int:
    if os.path.isdir(path):  # noqa: PTH112
        raise PermissionError(13, "Permission denied", path)
    return _open(path, flags, *more, **settings)  # type: ignore[arg-type]


def _fsync_of_windows(descriptor: int) -> None:
    """Flush, which Windows does for what is open to be written."""
    os.write(descriptor, b"")
    _fsync(descriptor)


if __name__ == "__main__":
    pretend(sys.argv[1])
    from shamisa_cli.__main__ import main

    for arguments in json.loads(sys.argv[2]):
        sys.argv = ["shamisa", *arguments]
        try:
            main()
        except SystemExit as end:
            if end.code:
                raise
