"""The one register of settings, and the only reader of the environment and of the settings file.

A value comes from the environment (VO_SERVER_<NAME>), else from the TOML file, else from the default.
"""

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

PREFIX = "VO_SERVER_"
LAST_PORT = 65535

_PASSWORDS = re.compile(r"(?<=://)([^/:@]*:)[^/\s]*(?=@)|(password\s*=\s*)(?:'(?:[^'\\]|\\.)*'|[^&\s]+)")
"""Passwords in the authority or the query of a URL, or in a string of keywords."""


class SettingsError(ValueError):
    """A setting is unknown or its value is wrong; the message says which, where and what would be right."""


def _default_data_dir() -> Path:
    """Outside the clone: as root, Postgres runs as another user and must reach it."""
    if os.geteuid() == 0:
        return Path("/var/lib/vo-server")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "vo-server"


def _setting(default: Any, text: str, parse: Callable[[str], Any] = str) -> Any:
    metadata = {"help": text, "parse": parse}
    if callable(default):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise ValueError("a whole number above 0 wanted")
    return int(text)


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= LAST_PORT:
        raise ValueError(f"a whole number from 1 to {LAST_PORT} wanted")
    return int(text)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise ValueError("a number of seconds above 0 wanted")
    return value


def _url(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise ValueError("an http or https URL wanted")
    return text.rstrip("/")


def _flag(text: str) -> bool:
    known = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    if text.lower() not in known:
        raise ValueError("true or false wanted")
    return known[text.lower()]


@dataclass(frozen=True)
class Settings:
    """All settings. Each field's metadata holds its help and how its text is read."""

    data_dir: Path = _setting(
        _default_data_dir, "Directory of the private Postgres cluster and of generated files.", Path
    )
    database_url: str = _setting(
        "",
        "PostgreSQL database to use (postgresql://...), as a role that may create roles and schemas."
        " Empty: a private cluster in data_dir.",
    )
    reader_url: str = _setting(
        "",
        "How public queries connect; a role that may only read. Empty: derived from database_url with the"
        " role and password that `vo-server init` made.",
    )
    reader_role: str = _setting("vo_reader", "Database role of public queries.")
    host: str = _setting("127.0.0.1", "Address to listen on.")
    port: int = _setting(8000, "Port to listen on.", _port)
    public_url: str = _setting(
        "", "URL of the server as the world sees it. Empty: http://host:port.", lambda t: _url(t) if t else ""
    )
    title: str = _setting("vo-server", "Name of the archive, shown on its pages.")
    publisher: str = _setting("", "Who runs the archive; goes into every result.")
    contact: str = _setting("", "Mail address or URL for questions; goes into every result.")
    authority: str = _setting("x-unregistered", "IVOA authority of collections whose own file names none.")
    maxrec_default: int = _setting(20_000, "Rows of a result when the query asks for no MAXREC.", _positive)
    maxrec_hard: int = _setting(10_000_000, "Most rows of a result, whatever MAXREC asks.", _positive)
    sync_timeout: float = _setting(60.0, "Seconds that a synchronous query may take.", _seconds)
    query_bytes: int = _setting(1_000_000, "Longest query text in bytes.", _positive)
    request_bytes: int = _setting(32_000_000, "Largest request body in bytes.", _positive)
    upload_bytes: int = _setting(30_000_000, "Largest file of an uploaded table in bytes.", _positive)
    upload_rows: int = _setting(1_000_000, "Most rows of an uploaded table.", _positive)
    upload_private_addresses: bool = _setting(
        False, "Let users have tables fetched from private and local network addresses, too.", _flag
    )
    query_memory: int = _setting(
        64, "Memory in MB that one query may use for sorting and hashing before it spills to disk.", _positive
    )
    connections: int = _setting(10, "Public queries that run at the same time.", _positive)
    worker: bool = _setting(True, "Run a worker for jobs inside `vo-server serve`.", _flag)
    result_store: str = _setting(
        "",
        "Where results and uploads of jobs lie: a directory, or the URL of an object store (s3://, gs://,"
        " az://), whose credentials come from the environment; the same for all workers. Empty: the"
        " directory results in data_dir.",
    )
    result_bytes: int = _setting(20_000_000_000, "Largest result of a job in bytes.", _positive)
    fast_slots: int = _setting(4, "Small jobs that a worker runs at the same time.", _positive)
    slow_slots: int = _setting(2, "Big jobs that a worker runs at the same time.", _positive)
    fast_lane_cost: int = _setting(
        50_000,
        "Jobs whose query costs more than this, as PostgreSQL's planner estimates, are big.",
        _positive,
    )
    fast_lane_seconds: float = _setting(
        10.0, "Seconds after which a job counts as big, too, if small ones wait for its slot.", _seconds
    )
    job_duration: int = _setting(3600, "Seconds that a job may run when it asks for nothing else.", _positive)
    job_duration_hard: int = _setting(86_400, "Most seconds that a job may ask for.", _positive)
    job_retention: int = _setting(
        172_800, "Seconds until a job is deleted when it asks for nothing else.", _positive
    )
    job_retention_hard: int = _setting(2_592_000, "Most seconds that a job may be kept.", _positive)
    jobs_per_address: int = _setting(
        100, "Jobs that one network address may have waiting or running.", _positive
    )
    jobs_per_owner: int = _setting(100, "Jobs that one owner may have waiting or running.", _positive)
    job_attempts: int = _setting(
        3, "How often a job is started whose worker stops before its end.", _positive
    )
    worker_silence: float = _setting(
        20.0,
        "Seconds of silence after which the jobs of a worker are started again; the same for all workers.",
        _seconds,
    )
    bundle_observations: int = _setting(5000, "Most observations of one bundle.", _positive)
    links_ids: int = _setting(10_000, "Datasets whose links one request gets.", _positive)
    qualifier_uris: bool = _setting(
        False,
        "Write content_qualifier of links as URIs of vocabulary terms, and not as the bare names that gammapy"
        " looks for.",
        _flag,
    )
    cutouts: int = _setting(2, "Synchronous cutouts that are made at the same time; others wait.", _positive)
    cutouts_per_job: int = _setting(1000, "Most cutouts that one job may ask for.", _positive)
    votable_version: str = _setting("1.4", "VOTable version of results.")
    name_resolver: str = _setting(
        "",
        "Sesame service that finds the objects of ivo_simbadpoint, such as"
        " https://cds.unistra.fr/cgi-bin/nph-sesame. Empty: none, so that no query reaches out.",
        lambda t: _url(t) if t else "",
    )
    preview_processes: int = _setting(2, "Processes that draw previews; started when needed.", _positive)
    preview_cache: int = _setting(
        2000, "Most MB of previews that are kept, in the directory previews of data_dir.", _positive
    )
    ingest_processes: int = _setting(
        lambda: os.cpu_count() or 1, "Processes that read files during ingest.", _positive
    )
    fsync: bool = _setting(
        True, "Private cluster: wait for the disk at each commit. Off only for tests.", _flag
    )

    @property
    def url(self) -> str:
        """The public URL, without a slash at its end."""
        return self.public_url or f"http://{self.host}:{self.port}"


def environment_name(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def load_settings(environ: Mapping[str, str] = os.environ, **overrides: Any) -> Settings:
    """The settings in force; `overrides` (from the command line) win, None among them is ignored.

    Raises SettingsError for an unknown key or a value that cannot be read.
    """
    known = {f.name: f for f in fields(Settings)}
    values: dict[str, Any] = {}
    path = _file(environ)
    if path is not None:
        for name, value in _read_file(path).items():
            if name not in known:
                raise SettingsError(f"{path}: unknown setting {name!r}; see `vo-server settings`")
            values[name] = _parsed(name, str(value), str(path))
    for name in known:
        text = environ.get(environment_name(name))
        if text:
            values[name] = _parsed(name, text, environment_name(name))
    values.update({name: value for name, value in overrides.items() if value is not None})
    return Settings(**values)


def _parsed(name: str, text: str, where: str) -> Any:
    parse = next(f for f in fields(Settings) if f.name == name).metadata["parse"]
    try:
        return parse(text)
    except ValueError as error:
        raise SettingsError(f"{where}: {name} = {text!r}: {error}") from error


def _file(environ: Mapping[str, str]) -> Path | None:
    named = environ.get(PREFIX + "CONFIG")
    if named:
        return Path(named)
    local = Path("vo-server.toml")
    return local if local.is_file() else None


def _read_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path}: not a readable TOML file: {error}") from error


def listing(settings: Settings) -> list[tuple[str, str, str, str]]:
    """(name, environment variable, value in force, help) of every setting, for `vo-server settings`."""
    return [
        (f.name, environment_name(f.name), _shown(f.name, getattr(settings, f.name)), f.metadata["help"])
        for f in fields(Settings)
    ]


def _shown(name: str, value: Any) -> str:
    return _PASSWORDS.sub(r"\1\2***", str(value)) if name.endswith("_url") else str(value)
