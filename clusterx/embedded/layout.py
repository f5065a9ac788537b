"""Where the embedded servers keep their files, and the addresses that follow from it.

Imports nothing of Django, so that the settings can read it.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

PROJECT = Path(__file__).resolve().parents[2]
DATABASE = "clusterx"
# sun_path holds 108 bytes on Linux and 104 on macOS; the longest name below is ".s.PGSQL.5432.lock".
LONGEST_SOCKET_FOLDER = 84


@dataclass(frozen=True)
class Layout:
    """The folders of one set of embedded servers, all below ``root``."""

    root: Path

    @classmethod
    def from_environment(cls) -> Layout:
        return cls(Path(os.environ.get("CLUSTERX_DATA") or PROJECT / ".clusterx").resolve())

    @property
    def postgres_data(self) -> Path:
        return self.root / "postgres"

    @property
    def redis_data(self) -> Path:
        return self.root / "redis"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def metrics(self) -> Path:
        """Where the processes of one ``make run`` keep what they measure."""
        return self.root / "metrics"

    @property
    def credentials(self) -> Path:
        """A developer's pair of keys, which credentials of brokers are sealed with."""
        return self.root / "credentials"

    @property
    def machine_code(self) -> Path:
        """Numba's cache; one that is chosen for all processes of the machine comes first."""
        return Path(os.environ.get("NUMBA_CACHE_DIR") or self.root / "numba")

    @property
    def sockets(self) -> Path:
        """A folder for Unix sockets, in the temporary folder where the data folder's path is too long for one."""
        folder = self.root / "run"
        if len(os.fsencode(folder)) <= LONGEST_SOCKET_FOLDER:
            return folder
        digest = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"clusterx-{os.getuid()}-{digest}"

    @property
    def postgres_sockets(self) -> Path:
        return self.sockets / "pg"

    @property
    def redis_socket(self) -> Path:
        return self.sockets / "redis.sock"

    @property
    def database_url(self) -> str:
        return f"postgresql://postgres@/{DATABASE}?host={quote(str(self.postgres_sockets))}"

    @property
    def redis_url(self) -> str:
        return f"unix://{quote(str(self.redis_socket))}"

    def create(self) -> None:
        """Make the folders.

        Raises PermissionError when somebody else made the one for sockets: its owner could take our place.
        """
        for folder in (self.root, self.redis_data, self.logs):
            folder.mkdir(parents=True, exist_ok=True)
        self.sockets.mkdir(mode=0o711, parents=True, exist_ok=True)
        if self.sockets.stat().st_uid != os.getuid():
            raise PermissionError(f"{self.sockets} belongs to another user; remove it or set TMPDIR")
