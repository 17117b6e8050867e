"""Cone searches over HTTP: what they find, as astropy measures it, what they tell, and their errors."""

import io
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlencode

import httpx
import psycopg
import pytest
import pyvo
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io.votable import parse
from astropy.io.votable.tree import VOTableFile

from schema.load import collection_schema
from tests.dl3files import Habits, write_dl3
from tests.ingesting import Archive
from tests.server.serving import free_socket, served, url_of
from tests.xmlcheck import VOTABLE, parsed
from vo_server.app import create_app
from vo_server.db import Database
from vo_server.roles import owner_url
from vo_server.scs.cone import STANDARD, VERBOSITIES
from vo_server.settings import Settings

POINTINGS = {
    "crab": (83.633, 22.014),
    "near": (83.9, 22.3),
    "west": (359.8, 0.1),
    "east": (0.2, -0.1),
    "zero": (0.0, 0.0),
    "north": (10.0, 89.9),
    "pole": (200.0, 90.0),
    "south": (77.0, -89.95),
    "far": (263.6, -22.0),
    "galaxy": (266.4, -28.9),
}
SKY = {name: SkyCoord(*place, unit="deg") for name, place in POINTINGS.items()}
NS = {"v": VOTABLE}
FORM = "text/xml;content=x-votable"


@pytest.fixture(scope="module")
def settings_served(
    module_settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Settings, httpx.Client]]:
    directory = tmp_path_factory.mktemp("release")
    for name, (ra, dec) in POINTINGS.items():
        header = {"RA_PNT": ra, "DEC_PNT": dec, "OBJECT": f"<{name}> & 'more'"}
        write_dl3(directory / f"{name}.fits", Habits(events=3, obs_id=name, irfs=False, header=header))
    other = tmp_path_factory.mktemp("other")
    write_dl3(other / "1.fits", Habits(events=3, obs_id="1", irfs=False))
    empty = tmp_path_factory.mktemp("empty")
    write_dl3(empty / "1.fits", Habits(events=3, obs_id="1", irfs=False))
    listener = free_socket()
    settings = replace(module_settings, public_url=url_of(listener), maxrec_default=8)
    with psycopg.connect(owner_url(settings), autocommit=True) as connection:
        archive = Archive(settings, connection)
        assert archive.ingest(directory, name="My release", schema="my").problems == []
        assert archive.ingest(other, name="Other", schema="other").problems == []
        assert archive.ingest(empty, name="Empty", schema="nothing").problems == []
        connection.execute("UPDATE ivoa.obscore SET s_ra = NULL WHERE obs_collection = 'Empty'")
    with served(create_app(settings), listener) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield settings, client


@pytest.fixture(scope="module")
def client(settings_served: tuple[Settings, httpx.Client]) -> httpx.Client:
    return settings_served[1]


def cone(client: httpx.Client, ra: object, dec: object, sr: object, **more: object) -> httpx.Response:
    return client.get("/scs/my", params={"RA": ra, "DEC": dec, "SR": sr, "MAXREC": 100, **more})


def document(answer: httpx.Response) -> VOTableFile:
    assert answer.status_code == 200, answer.text
    parsed(answer.content)
    return parse(io.BytesIO(answer.content))


def found(answer: httpx.Response) -> set[str]:
    return set(document(answer).get_first_table().to_table()["obs_id"])


@pytest.mark.parametrize("radius", [0, 1e-7, 0.05, 0.11, 0.3, 5, 89.99, 90, 91, 135, 179.9, 180])
@pytest.mark.parametrize(
    ("ra", "dec"),
    [
        (83.633, 22.014),
        (0, 0),
        (360, 0),
        (359.9999, 0.05),
        (123, 90),
        (0, -90),
        (200.5, 89.95),
        (263.633, -22.014),
    ],
)
def test_finds_what_astropy_says_is_within(
    client: httpx.Client, ra: float, dec: float, radius: float
) -> None:
    centre = SkyCoord(ra, dec, unit="deg")
    within = {name for name, place in SKY.items() if centre.separation(place) <= (radius + 5e-8) * u.deg}
    assert found(cone(client, ra, dec, radius)) == within


def test_the_whole_sky_is_all_of_the_collection_alone(client: httpx.Client) -> None:
    assert found(cone(client, 10, 10, 180)) == set(POINTINGS)


def test_positions_and_identifiers_come_value_by_value(client: httpx.Client) -> None:
    table = document(cone(client, 0, 0, 180)).get_first_table().to_table()
    by_id = {row["obs_id"]: row for row in table}
    for name, (ra, dec) in POINTINGS.items():
        assert by_id[name]["obs_publisher_did"] == f"ivo://x-unregistered/My%20release?{name}"
        assert (
            SkyCoord(by_id[name]["s_ra"], by_id[name]["s_dec"], unit="deg").separation(
                SkyCoord(ra, dec, unit="deg")
            )
            < 1e-9 * u.deg
        )
        assert by_id[name]["target_name"] == f"<{name}> & 'more'"


def test_radius_zero_asks_for_fields(client: httpx.Client) -> None:
    answer = cone(client, 0, 90, 0)
    root = parsed(answer.content)
    assert root.find(".//v:INFO[@name='QUERY_STATUS']", NS).get("value") == "OK"
    assert [i.get("value") for i in root.iterfind(".//v:INFO[@name='QUERY_STATUS']", NS)] == ["OK"]
    assert len(root.findall(".//v:FIELD", NS)) > 30
    assert found(answer) == {"pole"}
    assert found(cone(client, 12, 34, 0)) == set()


def test_fields_have_the_names_by_which_clients_find_them(client: httpx.Client) -> None:
    for verbosity in VERBOSITIES:
        root = parsed(cone(client, 0, 0, 1, VERB=verbosity).content)
        fields = root.findall(".//v:FIELD", NS)
        for ucd, name, kind in (
            ("ID_MAIN", "obs_publisher_did", "char"),
            ("POS_EQ_RA_MAIN", "s_ra", "double"),
            ("POS_EQ_DEC_MAIN", "s_dec", "double"),
        ):
            (field,) = [f for f in fields if f.get("ucd") == ucd]
            assert (field.get("name"), field.get("datatype")) == (name, kind)
        (frame,) = root.findall(".//v:COOSYS", NS)
        assert {f.get("ref") for f in fields if f.get("name") in {"s_ra", "s_dec"}} == {frame.get("ID")}


def test_verbosity(client: httpx.Client, settings_served: tuple[Settings, httpx.Client]) -> None:
    names = {
        verbosity: [f.name for f in document(cone(client, 0, 0, 1, VERB=verbosity)).get_first_table().fields]
        for verbosity in VERBOSITIES
    }
    default = document(cone(client, 0, 0, 1)).get_first_table().fields
    assert set(names["1"]) == {"obs_publisher_did", "obs_id", "target_name", "s_ra", "s_dec"}
    assert set(names["1"]) < set(names["2"]) < set(names["3"])
    assert [f.name for f in default] == names["2"]
    assert {"access_url", "t_min", "em_max", "energy_min"} <= set(names["2"])
    database = Database(settings_served[0])
    database.open()
    try:
        (collection,) = [c for c in database.collections() if c.schema == "my"]
    finally:
        database.close()
    view = next(t for t in collection_schema(collection).tables if t.name == "obscore")
    assert names["3"] == [c.name for c in view.columns]


def test_too_many_rows_are_told(client: httpx.Client) -> None:
    answer = client.get("/scs/my", params={"RA": 0, "DEC": 0, "SR": 180})
    root = parsed(answer.content)
    assert len(root.findall(".//v:TR", NS)) == 8
    assert [i.get("value") for i in root.iterfind(".//v:INFO[@name='QUERY_STATUS']", NS)] == [
        "OK",
        "OVERFLOW",
    ]
    least = parsed(cone(client, 0, 0, 180, MAXREC=0).content)
    assert least.find(".//v:TR", NS) is None
    assert len(least.findall(".//v:FIELD", NS)) > 30


def test_form_of_the_answer(client: httpx.Client) -> None:
    answer = cone(client, 0, 0, 1)
    assert answer.headers["content-type"] == FORM
    assert b"<TABLEDATA>" in answer.content
    root = parsed(answer.content)
    infos = {i.get("name"): i.get("value") for i in root.iterfind(".//v:INFO", NS)}
    assert (infos["standardID"], infos["service_protocol"]) == (STANDARD, STANDARD)
    binary = cone(client, 0, 0, 1, RESPONSEFORMAT="votable")
    assert b"<BINARY2>" in binary.content
    assert found(binary) == found(answer)
    rows = cone(client, 0, 0, 1, VERB=1, RESPONSEFORMAT="csv").text.splitlines()
    assert len(rows) == 1 + len(found(answer))
    assert cone(client, 0, 0, 1, RESPONSEFORMAT="text/xml").headers["content-type"].startswith("text/xml")


def test_names_in_any_case_unknown_ones_and_post(client: httpx.Client) -> None:
    wanted = {"ra": "0", "Dec": "0", "sr": "1", "CATALOG": "x", "FORMAT": "y", "verb": "1"}
    assert found(client.get("/scs/my", params=wanted)) == {"zero", "west", "east"}
    assert found(client.post("/scs/my", data=wanted)) == {"zero", "west", "east"}
    # The base URL of the capabilities ends in a question mark.
    assert found(client.get("/scs/my?&RA=0&DEC=0&SR=1&VERB=1")) == {"zero", "west", "east"}


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({}, "RA is missing: the right ascension (ICRS) in decimal degrees, 0 to 360"),
        ({"RA": "1", "DEC": "1"}, "SR is missing"),
        ({"RA": "", "DEC": "1", "SR": "1"}, "RA is missing"),
        ({"RA": "1", "DEC": "91", "SR": "1"}, "DEC is the declination (ICRS) in decimal degrees, -90 to 90"),
        ({"RA": "360.0001", "DEC": "1", "SR": "1"}, "out of range"),
        ({"RA": "-1", "DEC": "1", "SR": "1"}, "out of range"),
        ({"RA": "1", "DEC": "1", "SR": "-0.1"}, "SR is the radius"),
        ({"RA": "1", "DEC": "1", "SR": "180.1"}, "out of range"),
        ({"RA": "1", "DEC": "1", "SR": "+Inf"}, "out of range"),
        ({"RA": "NaN", "DEC": "1", "SR": "1"}, "'NaN' is not a number"),
        ({"RA": "05:34:32", "DEC": "1", "SR": "1"}, "not a number"),
        ({"RA": "83,6", "DEC": "1", "SR": "1"}, "not a number"),
        ({"RA": "1 2", "DEC": "1", "SR": "1"}, "not a number"),
        ({"RA": "٣", "DEC": "1", "SR": "1"}, "not a number"),
        ({"RA": "1_0", "DEC": "1", "SR": "1"}, "not a number"),
        ({"RA": "1)) OR (1=1", "DEC": "1", "SR": "1"}, "not a number"),
        ({"RA": "\0", "DEC": "1", "SR": "1"}, "not a number"),
        ({"RA": "9" * 10_000, "DEC": "1", "SR": "1"}, "not a number"),
        ({"RA": ["1", "2"], "DEC": "1", "SR": "1"}, "RA may be given once only"),
        ({"RA": "1", "DEC": "1", "SR": "1", "VERB": "4"}, "VERB is one of 1, 2, 3, not '4'"),
        ({"RA": "1", "DEC": "1", "SR": "1", "MAXREC": "-1"}, "MAXREC"),
        ({"RA": "1", "DEC": "1", "SR": "1", "RESPONSEFORMAT": "<xls>"}, "'<xls>' is not offered"),
    ],
)
def test_errors_stand_in_the_document(
    client: httpx.Client, parameters: dict[str, str | list[str]], told: str
) -> None:
    answer = client.get("/scs/my", params=parameters)
    assert (answer.status_code, answer.headers["content-type"]) == (200, f"{FORM}; charset=utf-8")
    root = parsed(answer.content)
    (error,) = root.findall("v:INFO[@name='Error']", NS)
    assert told in error.get("value")
    assert len(error.get("value")) < 2000
    (status,) = root.findall(".//v:INFO[@name='QUERY_STATUS']", NS)
    assert (status.get("value"), status.text) == ("ERROR", error.get("value"))


@pytest.mark.parametrize("path", ["/scs/you", "/scs/ivoa", "/scs/my'--", "/scs/you/capabilities"])
def test_unknown_collections(client: httpx.Client, path: str) -> None:
    answer = client.get(path, params={"RA": 1, "DEC": 1, "SR": 1})
    assert answer.status_code == 404
    (error,) = parsed(answer.content).findall("v:INFO[@name='Error']", NS)
    assert "there are: my, nothing, other" in error.get("value")


def test_pyvo_reads_rows_links_and_errors(client: httpx.Client) -> None:
    url = str(client.base_url).rstrip("/")
    service = pyvo.dal.SCSService(f"{url}/scs/my?")
    rows = service.search(SKY["crab"], 1 * u.deg, verbosity=1)
    assert {row.id for row in rows} == {f"ivo://x-unregistered/My%20release?{n}" for n in ("crab", "near")}
    assert all(row.pos.separation(SKY["crab"]) < 1 * u.deg for row in rows)
    assert len(rows[0].getdatalink()) > 2
    with pytest.raises(pyvo.dal.DALQueryError, match="SR is the radius"):
        service.search(SKY["crab"], -1 * u.deg)
    with pytest.raises(pyvo.dal.DALQueryError, match="There is no collection 'you' here"):
        pyvo.dal.SCSService(f"{url}/scs/you").search(SKY["crab"], 1)


def test_capabilities(client: httpx.Client) -> None:
    root = parsed(client.get("/scs/my/capabilities").content)
    base = str(client.base_url).rstrip("/")
    urls = {c.get("standardID"): c.findtext("interface/accessURL") for c in root}
    assert urls == {
        STANDARD: f"{base}/scs/my?",
        "ivo://ivoa.net/std/VOSI#capabilities": f"{base}/scs/my/capabilities",
        "ivo://ivoa.net/std/VOSI#availability": f"{base}/scs/my/availability",
    }
    (search,) = root.findall(f"capability[@standardID='{STANDARD}']")
    assert search.get("{http://www.w3.org/2001/XMLSchema-instance}type") == "cs:ConeSearch"
    assert (search.findtext("maxSR"), search.findtext("verbosity")) == ("180", "true")
    test = {part.tag.upper(): part.text for part in search.find("testQuery")}
    assert found(client.get(f"{urls[STANDARD]}{urlencode(test)}"))
    assert ">true<" in client.get("/scs/my/availability").text
    assert client.get("/scs/you/availability").status_code == 404


def test_a_collection_without_positions_has_no_test_query(client: httpx.Client) -> None:
    assert parsed(client.get("/scs/nothing/capabilities").content).find(".//testQuery") is None
    answer = client.get("/scs/nothing", params={"RA": 0, "DEC": 0, "SR": 180})
    assert found(answer) == set()
