"""Owns the root that the jail sees: which files of this host are bound where, and nothing else of it.

The platform's pure modules are copied, with empty packages around them, so that no settings, services or other file of
the project can be reached. Numba's cache is filled by running those copies once outside the jail, from what this host has
compiled of the same sources where it has: it holds the code of the platform, never of a user. What was made is kept under a
key of all that it depends on.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from strategies.sandbox import images
from strategies.sandbox.limits import NoBoundary

PROJECT = Path(__file__).resolve().parents[2]
SITE, PYTHON, LIBRARIES = "/site", "/python", "/libraries"
CODE, CACHE = "/clusterx/code", "/clusterx/numba"  # inside: where the image lies on this host is nobody's business
PACKAGES = ("numpy", "pandas", "dateutil", "six", "tzdata", "numba", "llvmlite", "talib")
BUNDLED_LIBRARIES = ("numpy.libs", "pandas.libs", "ta_lib.libs", "llvmlite.libs", "numba.libs")
DISTRIBUTIONS = ("numpy", "pandas", "numba", "llvmlite", "TA-Lib")
COPIED = (
    "clusterx/compiled.py",
    "clusterx/errors.py",
    "marketdata/bars.py",
    "marketdata/timeframes.py",
    "marketdata/indicators",
    "strategies/contract.py",
    "strategies/engine",
    "strategies/higher.py",
    "strategies/sandbox/inside",
)
API = b"from strategies.sandbox.inside.api import *\n"
WARM = """
import ctypes, json, os, sys
os.nice(5)
sys.path[:] = [sys.argv[1], *(p for p in sys.path if "lib" in p.split("/") or "lib64" in p.split("/"))]
sys.path[1:1] = sys.argv[2:]
import importlib.util
spec = importlib.util.spec_from_file_location("zygote", sys.argv[1] + "/strategies/sandbox/inside/zygote.py")
zygote = importlib.util.module_from_spec(spec)
spec.loader.exec_module(zygote)
for name in zygote.MODULES:
    importlib.import_module(name)
importlib.import_module("strategies.sandbox.inside.warm").warm()

class Info(ctypes.Structure):
    _fields_ = [("address", ctypes.c_void_p), ("name", ctypes.c_char_p)]

names = []
kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(Info), ctypes.c_size_t, ctypes.c_void_p)
ctypes.CDLL(None).dl_iterate_phdr(kind(lambda info, size, data: names.append((info.contents.name or b"").decode()) or 0), None)
print("LIBRARIES " + json.dumps([name for name in names if name.startswith("/")]))
"""


@dataclass(frozen=True)
class Image:
    """``binds`` are (source on the host, path inside), all read-only; ``masks`` are folders made empty inside.

    ``executable``, ``code`` and what ``environment`` names are paths inside.
    """

    folder: Path
    binds: tuple[tuple[str, str], ...]
    masks: tuple[str, ...]
    executable: str
    code: str
    environment: dict[str, str]

    @property
    def root(self) -> str:
        """An empty folder on the host over which the jail's root is mounted, in a namespace of its own."""
        return str(self.folder / "root")


def parent() -> Path:
    """Beside Numba's cache: it is of the same kind, and as large."""
    configured = os.environ.get("CLUSTERX_SANDBOX_IMAGES")
    if configured:
        return Path(configured)
    return _compiled() / "sandbox"


def _compiled() -> Path:
    """Numba's cache of this host."""
    from clusterx.embedded.layout import Layout

    return Layout.from_environment().machine_code


@cache
def image(folder: Path | None = None) -> Image:
    """The image for this interpreter and this code, made if it is not there yet (up to a minute).

    This process holds it from now on, and those that nobody needs are removed. Raises NoBoundary if it cannot be made.
    """
    contents = _contents()
    base = (folder or parent()).resolve() / _key(contents)
    try:
        images.hold(base, lambda: _make(base, contents))  # for as long as this process lives
        libraries = json.loads((base / images.READY).read_text())
    except OSError as error:
        raise NoBoundary(f"the sandbox's image cannot be made in {base}: {error}") from None
    images.sweep(base.parent, base)
    return _image(base, libraries)


def _contents() -> dict[str, bytes]:
    """The modules that are copied, by their path, with empty packages around them."""
    files: dict[str, bytes] = {}
    for name in COPIED:
        path = PROJECT / name
        for source in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            if "__pycache__" not in source.parts and source.exists():
                files[str(source.relative_to(PROJECT))] = source.read_bytes()
    files["clusterx_api.py"] = API
    for name in list(files):
        for folder in Path(name).parents:
            if str(folder) != ".":
                files.setdefault(str(folder / "__init__.py"), b"")
    return files


def _key(contents: dict[str, bytes]) -> str:
    digest = hashlib.sha256()
    facts = [sys.version, sys.base_prefix, platform.machine(), WARM, *PACKAGES]
    facts += [f"{name} {version(name)}" for name in DISTRIBUTIONS]
    for part in (repr(facts).encode(), *(item for name in sorted(contents) for item in (name.encode(), contents[name]))):
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()[:16]


def _make(base: Path, contents: dict[str, bytes]) -> None:
    code, cache = base / "code", base / "numba"
    for folder in (code, cache, base / "root"):
        folder.mkdir(exist_ok=True)
    for name, text in contents.items():
        path = code / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)
        with suppress(FileNotFoundError):  # Numba knows a source by its time and size
            times = (PROJECT / name).stat()
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    _take_over(code, cache)
    done = subprocess.run(
        [_python(), "-s", "-S", "-P", "-c", WARM, str(code), *_sites()],
        env={"NUMBA_CACHE_DIR": str(cache), "LANG": "C.UTF-8", "PATH": "/usr/bin:/bin", **_quiet()},
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("LIBRARIES ")]
    if done.returncode or not lines:
        raise NoBoundary(f"the sandbox's image cannot be made: {done.stderr[-500:]}")
    _known_inside(code, cache)
    for path in base.rglob("*"):
        # The jail's user is another one than ours, and a umask may say that others read nothing.
        path.chmod(0o755 if path.is_dir() else 0o644)
    (base / images.READY).write_text(lines[-1].removeprefix("LIBRARIES "))


def _take_over(code: Path, cache: Path) -> None:
    """Machine code that this host has of the same sources. What is missing or stale Numba sees by itself, and compiles."""
    compiled = _compiled()
    with suppress(OSError):
        for folder in _folders(code):
            ours = compiled / _cached_in(PROJECT / folder)
            if ours.is_dir():
                shutil.copytree(ours, cache / _cached_in(code / folder), dirs_exist_ok=True)


def _known_inside(code: Path, cache: Path) -> None:
    """What was compiled for ``code``, once more under the name that it has where ``code`` is bound to ``CODE``."""
    for folder in _folders(code):
        made = cache / _cached_in(code / folder)
        if made.is_dir():
            shutil.copytree(made, cache / _cached_in(CODE / folder), dirs_exist_ok=True, copy_function=os.link)


def _folders(code: Path) -> list[Path]:
    return sorted({path.parent.relative_to(code) for path in code.rglob("*.py")})


def _cached_in(folder: Path) -> str:
    """Numba's name for the cache of the sources in ``folder``."""
    from numba.core.caching import _CacheLocator

    return str(_CacheLocator.get_suitable_cache_subpath(str(folder / "source.py")))


def _image(base: Path, libraries: list[str]) -> Image:
    stdlib = sysconfig.get_path("stdlib")
    inside_stdlib = f"{PYTHON}/{sys.platlibdir}/{Path(stdlib).name}"
    binds = [(_python(), f"{PYTHON}/bin/python"), (stdlib, inside_stdlib)]
    packages = [_package(name) for name in PACKAGES]
    site = Path(packages[0]).parent
    packages += [str(site / name) for name in BUNDLED_LIBRARIES if (site / name).is_dir()]
    binds += [(path, f"{SITE}/{Path(path).name}") for path in packages]
    own = (stdlib, *packages)
    for name in libraries:
        if any(name.startswith(f"{folder}/") for folder in own):
            continue
        # The loader is named by its path in every executable; the others are searched for by name.
        target = name if Path(name).name.startswith("ld-") else f"{LIBRARIES}/{Path(name).name}"
        binds.append((str(Path(name).resolve()), target))
    binds += [(str(base / "code"), CODE), (str(base / "numba"), CACHE)]
    return Image(
        folder=base,
        binds=tuple(binds),
        masks=tuple(f"{inside_stdlib}/{name}" for name in ("site-packages", "dist-packages", "test", "idlelib", "ensurepip")),
        executable=f"{PYTHON}/bin/python",
        code=CODE,
        environment={
            "LD_LIBRARY_PATH": LIBRARIES,
            "NUMBA_CACHE_DIR": CACHE,
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "PYTHONHASHSEED": "0",  # the same run twice gives the same answer, sets and all
            "PYTHONDONTWRITEBYTECODE": "1",
            **_quiet(),
        },
    )


def _quiet() -> dict[str, str]:
    """One thread: a strategy gets one core, and a process that forks must have no others."""
    return {f"{name}_NUM_THREADS": "1" for name in ("OPENBLAS", "OMP", "MKL", "NUMBA")}


def _python() -> str:
    return str(Path(getattr(sys, "_base_executable", None) or sys.executable).resolve())


def _package(name: str) -> str:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise NoBoundary(f"{name} is not installed")
    origin = Path(spec.origin)
    return str(origin.parent if spec.submodule_search_locations else origin)


def _sites() -> list[str]:
    return list(dict.fromkeys(str(Path(_package(name)).parent) for name in PACKAGES))
