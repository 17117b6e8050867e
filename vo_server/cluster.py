"""The private PostgreSQL cluster, used when no database_url is set.

It listens on a unix socket in its own directory only, which nobody else can enter; so it trusts
whoever reaches it. Postgres refuses to run as root: started as root, it runs as `postgres`.
"""

import contextlib
import hashlib
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vo_server.settings import Settings

SYSTEM_USER = "postgres"
SUPERUSER = "postgres"
DATABASE = "vo_server"
_LONGEST_SOCKET_DIRECTORY = 90
"""A unix socket's path holds 107 bytes; Postgres adds '/.s.PGSQL.5432' to its directory."""

_CONFIGURATION = """
listen_addresses = ''
unix_socket_directories = '{socket}'
unix_socket_permissions = 0770
max_connections = 60
shared_buffers = 256MB
max_wal_size = 2GB
checkpoint_timeout = 15min
timezone = 'UTC'
log_timezone = 'UTC'
jit = off
fsync = {fsync}
synchronous_commit = {fsync}
full_page_writes = {fsync}
"""


class ClusterError(RuntimeError):
    """PostgreSQL is missing or did not start; the message says what to do."""


@dataclass(frozen=True)
class Cluster:
    """Where a private cluster lies. `user` is the system user that runs it (None: ourselves)."""

    directory: Path
    socket: Path
    user: str | None
    fsync: bool = True

    @property
    def url(self) -> str:
        """How the owner of the database connects."""
        return f"postgresql://{SUPERUSER}@/{DATABASE}?host={self.socket}"

    @property
    def log(self) -> Path:
        """Postgres' own log."""
        return self.directory.parent / "postgres.log"


def cluster(settings: Settings) -> Cluster:
    """The private cluster that belongs to these settings."""
    base = settings.data_dir.absolute()
    socket = base / "run"
    if len(str(socket).encode()) > _LONGEST_SOCKET_DIRECTORY:
        socket = Path("/tmp") / f"vo-server-{hashlib.sha256(bytes(base)).hexdigest()[:16]}"  # noqa: S108  made 0700 below
    user = SYSTEM_USER if os.geteuid() == 0 else None
    return Cluster(base / "postgres", socket, user, settings.fsync)


@contextlib.contextmanager
def running(settings: Settings) -> Iterator[None]:
    """The private cluster runs within; who started it stops it, unless others are connected by then.

    Does nothing when a database_url is set. Raises ClusterError.
    """
    if settings.database_url:
        yield
        return
    mine = cluster(settings)
    started = start(mine)
    try:
        yield
    finally:
        if started and not _others_connected(mine):
            stop(mine)


def start(mine: Cluster) -> bool:
    """Create the cluster if need be and start it; False if it was running already."""
    _make_directories(mine)
    if not (mine.directory / "PG_VERSION").exists():
        _initdb(mine)
    _write_configuration(mine)
    if _run(mine, "pg_ctl", "status", "-D", str(mine.directory), check=False).returncode == 0:
        return False
    _run(mine, "pg_ctl", "start", "-w", "-s", "-D", str(mine.directory), "-l", str(mine.log))
    return True


def stop(mine: Cluster) -> None:
    """Stop the cluster; open queries are cancelled."""
    _run(mine, "pg_ctl", "stop", "-m", "fast", "-w", "-s", "-D", str(mine.directory), check=False)


def binaries() -> Path:
    """The directory of initdb and pg_ctl: the newest PostgreSQL installed.

    Raises ClusterError if there is none.
    """
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    if versions:
        return versions[-1].parent
    found = shutil.which("initdb")
    if found is None:
        raise ClusterError(
            "PostgreSQL is not installed. Install PostgreSQL 14 or later with pgSphere (Debian packages"
            " postgresql and postgresql-15-pgsphere), or set VO_SERVER_DATABASE_URL to a database"
        )
    return Path(found).resolve().parent


def _make_directories(mine: Cluster) -> None:
    mine.directory.parent.mkdir(parents=True, exist_ok=True)
    for path in (mine.directory, mine.socket):
        path.mkdir(mode=0o700, exist_ok=True)
        if path.stat().st_uid not in {os.geteuid(), _uid(mine)}:
            raise ClusterError(f"{path} belongs to another user")
        if mine.user is not None:
            os.chown(path, _uid(mine), _gid(mine))
    mine.log.touch(mode=0o600, exist_ok=True)
    if mine.user is not None:
        os.chown(mine.log, _uid(mine), _gid(mine))
        _check_reachable(mine)


def _check_reachable(mine: Cluster) -> None:
    """Say which directory shuts the system user out, before initdb fails with less."""
    for parent in reversed(mine.directory.parents):
        if not parent.stat().st_mode & 0o001 and parent.stat().st_uid != _uid(mine):
            raise ClusterError(
                f"the user {mine.user}, who runs Postgres, cannot enter {parent}; choose another data"
                " directory with VO_SERVER_DATA_DIR"
            )


def _initdb(mine: Cluster) -> None:
    options = ("--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", f"--username={SUPERUSER}")
    _run(mine, "initdb", "-D", str(mine.directory), *options)


def _write_configuration(mine: Cluster) -> None:
    text = _CONFIGURATION.format(socket=mine.socket, fsync="on" if mine.fsync else "off")
    included = mine.directory / "vo-server.conf"
    included.write_text(text)
    main = mine.directory / "postgresql.conf"
    line = "include_if_exists = 'vo-server.conf'\n"
    if line not in main.read_text():
        with main.open("a") as out:
            out.write(line)
    if mine.user is not None:
        os.chown(included, _uid(mine), _gid(mine))


def _others_connected(mine: Cluster) -> bool:
    """True if anybody else has a session open."""
    count = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )
    done = _run(
        mine,
        "psql",
        "-XAtq",
        "-h",
        str(mine.socket),
        "-U",
        SUPERUSER,
        "-d",
        "postgres",
        "-c",
        count,
        check=False,
    )
    return done.stdout.strip() not in {"", "0"}


def _run(
    mine: Cluster, program: str, *arguments: str, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run one of PostgreSQL's programs as the cluster's user.

    Its output goes to a pipe only for programs that end: pg_ctl's child would keep the pipe open.
    """
    starting = program == "pg_ctl" and arguments[0] == "start"
    done = subprocess.run(  # noqa: S603  a fixed program with arguments of our own
        [binaries() / program, *arguments],
        user=mine.user,
        group=None if mine.user is None else _gid(mine),
        extra_groups=None if mine.user is None else [],
        cwd="/",
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL if starting else subprocess.PIPE,
        stderr=subprocess.DEVNULL if starting else subprocess.PIPE,
        check=False,
    )
    if check and done.returncode != 0:
        tail = mine.log.read_text(errors="replace").splitlines()[-5:] if starting else [done.stderr.strip()]
        raise ClusterError(f"{program} failed:\n" + "\n".join(tail))
    return done


def _uid(mine: Cluster) -> int:
    return os.geteuid() if mine.user is None else _account(mine.user).pw_uid


def _gid(mine: Cluster) -> int:
    return os.getegid() if mine.user is None else _account(mine.user).pw_gid


def _account(user: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(user)
    except KeyError as error:
        raise ClusterError(
            f"there is no system user {user!r} to run Postgres (it refuses to run as root); install the"
            " Debian package postgresql, or run vo-server as an ordinary user"
        ) from error
