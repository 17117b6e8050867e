"""Documentation that can go stale is generated or checked here."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from docs.generate import HERE, PAGES
from schema.collection import KEYS, Collection
from vo_server.cli import COMMANDS

ROOT = HERE.parent


@pytest.mark.parametrize("name", sorted(PAGES))
def test_generated_pages_are_fresh(name: str) -> None:
    assert (HERE / name).read_text(encoding="utf-8") == PAGES[name](), "run `make docs`"


def test_every_key_of_a_collection_is_described() -> None:
    declared = {f.name for f in fields(Collection) if not f.name.endswith("_extras")}
    assert set(KEYS) == declared


def documents() -> list[Path]:
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]


def test_documents_name_existing_make_targets() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for document in documents():
        named = set(re.findall(r"(?:`|    )make ([a-z]+)", document.read_text()))
        assert named <= targets, document.name


def test_documents_name_existing_commands() -> None:
    for document in documents():
        named = set(re.findall(r"(?:`|\.venv/bin/)vo-server ([a-z-]+)", document.read_text()))
        assert named <= set(COMMANDS), document.name


def test_documents_name_existing_files() -> None:
    for document in documents():
        text = document.read_text()
        linked = re.findall(r"\]\(([^)#:]+)\)", text)
        quoted = re.findall(r"`((?:schema|ingest|vo_server|resources|alembic|tests|docs)/[\w./-]*)`", text)
        for name in linked + quoted:
            assert (ROOT / name).exists(), f"{document.name}: {name}"
