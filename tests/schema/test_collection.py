"""Collections: what their TOML files say, what they may not say, and what follows from silence."""

from dataclasses import fields
from pathlib import Path

import pytest

from schema.collection import (
    KEYS,
    UNREGISTERED,
    Collection,
    CollectionError,
    collection_from,
    read_collection,
)
from schema.model import Column
from schema.types import DOUBLE, REAL_ARRAY


def test_an_empty_file_says_all_that_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "HESS DL3-DR1" / "collection.toml"
    path.parent.mkdir()
    path.write_text("")
    collection = read_collection(path)
    assert (collection.name, collection.schema, collection.title) == (
        "HESS DL3-DR1",
        "hess_dl3_dr1",
        "HESS DL3-DR1",
    )
    assert (collection.authority, collection.data_rights, collection.calib_level) == (
        UNREGISTERED,
        "public",
        2,
    )
    assert read_collection(path, tmp_path / "other").name == "other"


def test_every_key_is_read(tmp_path: Path) -> None:
    (tmp_path / "collection.toml").write_text(
        """
        name = "Ünique"
        schema = "u"
        title = "Title"
        description = "Words"
        authority = "org.example"
        did = "ivo://{authority}/{id}"
        licence = "CC0-1.0"
        licence_url = "https://l"
        attribution = "thanks"
        terms = "none"
        facility = "F"
        instrument = "I"
        creators = ["A", "B"]
        orcids = ["0000-0002-1825-0097", ""]
        publisher = "P"
        contact = "a@b"
        reference = "2018A"
        reference_url = "https://r"
        doi = "10.5281/zenodo.1421099"
        subjects = ["neutrino-astronomy"]
        progenitor = "https://example.org/dl0/{id}"
        version = "2"
        release_date = 2018-09-01
        data_rights = "proprietary"
        calib_level = 3
        product_type = "hea-event-list"
        product_subtype = "s"
        product_rows = ["event-list", "psf"]
        target_class = "AGN"
        messenger = "neutrino"
        reference_energy = 2
        reference_offset = 0.0
        field_of_view = 4.5
        events = true
        simulated = true
        directories = ["/data/irfs"]
        [targets.Crab]
        ra = 83.6
        dec = 22
        """
    )
    collection = read_collection(tmp_path / "collection.toml")
    given = {
        f.name: getattr(collection, f.name) for f in fields(Collection) if not f.name.endswith("_extras")
    }
    assert set(given) == set(KEYS)
    assert given["creators"] == ("A", "B")
    assert given["product_rows"] == ("event-list", "psf")
    assert given["release_date"] == "2018-09-01"
    assert (given["reference_energy"], type(given["reference_energy"])) == (2.0, float)
    defaults = {f.name: f.default for f in fields(Collection)}
    assert [name for name, value in given.items() if value == defaults[name]] == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("nmae = 'x'", "unknown key 'nmae'; known keys: attribution, "),
        ("obs_index_extras = []", "unknown key 'obs_index_extras'"),
        ("name = 3", "name = 3: a string wanted"),
        ("name = ' '", "name is empty"),
        ("licence_url = 'javascript:alert(1)'", r"'javascript:alert\(1\)': an http or https URL wanted"),
        ("reference_url = 'doi:10.1/x'", "reference_url = 'doi:10.1/x': an http or https URL wanted"),
        (r'name = "a\u0000b"', r"name = 'a\\x00b': text without control characters wanted"),
        (r'name = "a\nb"', r"name = 'a\\nb': text without control characters wanted"),
        (r'schema = "a\u0000"', r"schema = 'a\\x00': text without control characters wanted"),
        (r'title = "\u001b[1m"', r"title = .*: text without control characters wanted"),
        (r'description = "\u0001"', r"description = .*: text without control characters wanted"),
        (r'creators = ["A", "B\u007f"]', r"creators = 'B\\x7f': text without control characters wanted"),
        ("events = 1", "events = 1: true or false wanted"),
        ("calib_level = true", "calib_level = True: a whole number wanted"),
        ("calib_level = 2.5", "calib_level = 2.5: a whole number wanted"),
        ("calib_level = 5", "calib_level = 5: 0 to 4"),
        ("reference_energy = '1 TeV'", "reference_energy = '1 TeV': a number wanted"),
        ("reference_energy = true", "reference_energy = True: a number wanted"),
        ("reference_energy = 0", "reference_energy = 0.0: TeV, above 0"),
        ("reference_energy = nan", "reference_energy = nan: TeV, above 0"),
        ("reference_energy = inf", "reference_energy = inf: TeV, above 0"),
        ("reference_offset = -0.5", "reference_offset = -0.5: degrees, from 0"),
        ("creators = 'me'", "creators = 'me': a list of strings wanted"),
        ("creators = ['me', 1]", r"creators = \['me', 1\]: a list of strings wanted"),
        ("schema = 'Hess'", "schema = 'Hess': a lower-case ADQL identifier"),
        ("schema = 'a b'", "schema = 'a b': a lower-case ADQL identifier"),
        ("schema = 'select'", "schema = 'select': .* not a reserved word"),
        ("schema = 'ivoa'", "schema = 'ivoa': .* or one of information_schema, ivoa"),
        ("schema = 'vo'", "schema = 'vo': "),
        ("schema = 'pg_x'", "schema = 'pg_x': "),
        (f"schema = '{'x' * 61}'", "identifier of up to 60 characters"),
        ("authority = 'a'", "authority = 'a': an IVOA authority wanted"),
        ("authority = 'a b c'", "authority = 'a b c': an IVOA authority wanted"),
        ("did = 'ivo://{authority}/x'", "did = 'ivo://{authority}/x': an IVOID with the field {id} wanted"),
        ("did = 'ivo://{authority}/{nmae}?{id}'", "an IVOID with the field {id} wanted"),
        ("did = 'ivo://x/{id}{'", "an IVOID with the field {id} wanted"),
        ("did = 'ivo://x/{id!r}'", "an IVOID with the field {id} wanted"),
        ("did = 'https://x/{id}'", "an IVOID with the field {id} wanted"),
        ("data_rights = 'free'", "data_rights = 'free': one of proprietary, public, secure"),
        ("messenger = 'graviton'", "messenger = 'graviton': one of photon, neutrino, electron, muon, proton"),
        ("product_rows = ['aeff']", r"product_rows = \['aeff'\]: event-list, and any of aeff"),
        ("product_rows = ['event-list', 'irf']", "any of aeff, edisp, psf, bkgrate, rad_max"),
        ("product_rows = ['event-list', 'psf', 'psf']", "once each"),
        ("release_date = 'soon'", "release_date = 'soon': ISO 8601 wanted"),
        ("release_date = 3", "release_date = 3: a string wanted"),
        ("name = ", "not a readable TOML file: "),
    ],
)
def test_what_is_wrong_is_told_with_file_key_and_remedy(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "collection.toml"
    path.write_text(line)
    with pytest.raises(CollectionError, match=message) as told:
        read_collection(path)
    assert str(told.value).startswith(f"{path}: ")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("content", [b"\xff\xfe", None])
def test_unreadable_files(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "c.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CollectionError, match="not a readable TOML file"):
        read_collection(path)


@pytest.mark.parametrize(
    ("name", "schema"),
    [
        ("HESS-DL3-DR1", "hess_dl3_dr1"),
        ("2024 run", "c_2024_run"),
        ("Select", "c_select"),
        ("ivoa", "c_ivoa"),
        ("pg_data", "c_pg_data"),
        ("---", "collection"),
        ("Größe", "gr_e"),
        ("x" * 100, "x" * 60),
        ("1" * 100, f"c_{'1' * 58}"),
    ],
)
def test_a_schema_from_any_name(name: str, schema: str) -> None:
    assert collection_from({"name": name}, Path("/data")).schema == schema


def test_json_and_back() -> None:
    extras = (Column("moon", DOUBLE, "d", unit="deg", source="s"), Column("order", REAL_ARRAY))
    collection = Collection(
        "Ü",
        "u",
        creators=("A", "B"),
        product_rows=("event-list", "aeff"),
        obs_index_extras=extras,
        event_extras=extras[1:],
    )
    assert Collection.from_json(collection.to_json()) == collection


@pytest.mark.parametrize(
    ("name", "local_id", "did"),
    [
        ("HESS-DL3-DR1", "20136", "ivo://org.x/HESS-DL3-DR1?20136"),
        ("a b", "7-NN-1/aeff", "ivo://org.x/a%20b?7-NN-1/aeff"),
        ("50%", "a?b#c&d=é", "ivo://org.x/50%25?a%3Fb%23c%26d%3D%C3%A9"),
    ],
)
def test_identifiers_of_datasets(name: str, local_id: str, did: str) -> None:
    assert Collection(name, "s", authority="org.x").publisher_did(local_id) == did


def test_the_operators_authority_stands_behind_that_of_the_file() -> None:
    assert Collection("a", "a").with_authority("org.x").authority == "org.x"
    assert Collection("a", "a", authority="org.y").with_authority("org.x").authority == "org.y"
    with pytest.raises(CollectionError, match="authority = '!'"):
        Collection("a", "a").with_authority("!")
