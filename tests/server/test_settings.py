"""Where settings come from and how they are shown."""

import os
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest

from vo_server.settings import Settings, SettingsError, environment_name, listing, load_settings

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_defaults() -> None:
    settings = load_settings({})
    assert (settings.host, settings.port, settings.database_url) == ("127.0.0.1", 8000, "")
    assert settings.url == "http://127.0.0.1:8000"
    assert settings.fsync


def test_the_environment_wins_over_the_file_and_the_command_line_over_both(tmp_path: Path) -> None:
    (tmp_path / "vo-server.toml").write_text(
        'port = 1\ntitle = "File"\nhost = "h"\nfsync = false\nsync_timeout = 5\n'
    )
    environ = {"VO_SERVER_PORT": "2", "VO_SERVER_TITLE": "Environment", "VO_SERVER_CONTACT": ""}
    settings = load_settings(environ, port=3, title=None)
    assert (settings.port, settings.title, settings.host, settings.contact) == (3, "Environment", "h", "")
    assert (settings.fsync, settings.sync_timeout) == (False, 5.0)


def test_a_file_that_is_named(tmp_path: Path) -> None:
    path = tmp_path / "other.toml"
    path.write_text('public_url = "https://vo.example/"\n')
    (tmp_path / "vo-server.toml").write_text('title = "not read"\n')
    settings = load_settings({"VO_SERVER_CONFIG": str(path)})
    assert (settings.url, settings.title) == ("https://vo.example", "vo-server")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("prot = 1", "vo-server.toml: unknown setting 'prot'; see `vo-server settings`"),
        ("port = 'x'", "vo-server.toml: port = 'x': a whole number from 1 to 65535 wanted"),
        ("port = 0", "port = '0': a whole number from 1 to 65535 wanted"),
        ("port = 65536", "port = '65536': a whole number from 1 to 65535 wanted"),
        ("port = 80.5", "port = '80.5': a whole number from 1 to 65535 wanted"),
        ("connections = 0", "connections = '0': a whole number above 0 wanted"),
        ("public_url = 'vo.example'", "public_url = 'vo.example': an http or https URL wanted"),
        ("fsync = 'maybe'", "fsync = 'maybe': true or false wanted"),
        ("sync_timeout = -1", "sync_timeout = '-1': a number of seconds above 0 wanted"),
        ("sync_timeout = nan", "sync_timeout = 'nan': a number of seconds above 0 wanted"),
        ("sync_timeout = 'long'", "sync_timeout = 'long': a number of seconds above 0 wanted"),
        ("port", "vo-server.toml: not a readable TOML file: "),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "vo-server.toml").write_text(line)
    with pytest.raises(SettingsError) as told:
        load_settings({})
    assert message in str(told.value)


def test_a_wrong_variable_is_named() -> None:
    with pytest.raises(SettingsError, match="VO_SERVER_PORT: port = 'x': "):
        load_settings({"VO_SERVER_PORT": "x"})
    with pytest.raises(SettingsError, match=r"absent\.toml: not a readable TOML file"):
        load_settings({"VO_SERVER_CONFIG": "absent.toml"})


def test_the_listing_shows_every_setting_and_its_variable() -> None:
    rows = listing(Settings(title="Mine"))
    assert [row[0] for row in rows] == [f.name for f in fields(Settings)]
    assert all(row[1] == environment_name(row[0]) and row[3] for row in rows)
    assert ("title", "VO_SERVER_TITLE", "Mine", "Name of the archive, shown on its pages.") in rows


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:secret@host:5432/db", "postgresql://u:***@host:5432/db"),
        ("postgresql://u:sec@ret@host/db", "postgresql://u:***@host/db"),
        ("postgresql://:secret@/db", "postgresql://:***@/db"),
        ("postgresql://u@host:5432/db", "postgresql://u@host:5432/db"),
        ("postgresql://host:5432/db", "postgresql://host:5432/db"),
        ("postgresql:///db?user=u&password=secret&host=h", "postgresql:///db?user=u&password=***&host=h"),
        ("host=h password=secret dbname=d", "host=h password=*** dbname=d"),
        ("host=h password = 'sec ret \\' x' dbname=d", "host=h password = *** dbname=d"),
        ("", ""),
    ],
)
def test_passwords_are_not_shown(url: str, shown: str) -> None:
    values = {row[0]: row[2] for row in listing(Settings(database_url=url, reader_url=url))}
    assert (values["database_url"], values["reader_url"]) == (shown, shown)


@pytest.mark.parametrize(
    ("environment", "arguments", "port"),
    [
        ({}, [], ""),
        ({"VO_SERVER_PORT": "8077"}, [], "8077"),
        ({"VO_SERVER_PORT": "8077"}, ["PORT=8078"], "8078"),
        ({"VO_SERVER_PORT": "8077", "PORT": "8079"}, [], "8079"),
    ],
)
def test_make_sets_the_port_only_if_it_is_told_one(
    environment: dict[str, str], arguments: list[str], port: str
) -> None:
    show = 'show: ; @echo "$$VO_SERVER_PORT"'
    done = subprocess.run(
        ["make", "-s", "-f", ROOT / "Makefile", "--eval", show, "show", *arguments],
        env={"PATH": os.environ["PATH"], **environment},
        text=True,
        capture_output=True,
        check=True,
    )
    assert done.stdout.strip() == port
