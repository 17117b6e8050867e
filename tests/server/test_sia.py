"""SIA 2.0 over HTTP: each parameter against the rows that meet it, what is told, and errors."""

import io
from collections.abc import Iterator
from dataclasses import replace

import httpx
import numpy as np
import psycopg
import pytest
import pyvo
from astropy.io.votable import parse
from astropy.io.votable.tree import Resource, VOTableFile
from astropy.time import Time

from schema.collection import Collection
from schema.load import core_catalogue
from tests.server.serving import free_socket, served, url_of
from tests.xmlcheck import VOTABLE, parsed
from vo_server.adql import translate
from vo_server.app import create_app
from vo_server.dali import Parameters
from vo_server.roles import owner_url
from vo_server.settings import Settings
from vo_server.sia.parameters import PARAMETERS
from vo_server.sia.request import STANDARD
from vo_server.sia.request import request as sia_request

NS = {"v": VOTABLE}
DATASETS = {
    "list": "'event-list', 2, 'HESS-DL3-DR1', 'H.E.S.S.', 'Phase I', 'Crab Nebula', 'application/fits',"
    " 53000.0, 53000.5, 1e-20, 1e-17, 5.0, 300.0, 7.0, 1700.0, 1e-6, NULL",
    "cube": "'cube', 3, 'CTA', 'CTAO', 'South', 'Crab Nebula', 'application/fits',"
    " 53000.5, 53001.0, 1e-17, 1e-15, 10.0, 180.0, 12.0, 900.0, 1e-7, '/I/Q/U/'",
    "image": "'image', 4, 'CTA', 'CTAO', 'North', 'O''Neill; DROP', 'image/png',"
    " 54000.0, 54001.0, 1e-15, 1e-14, 2.0, 60.0, NULL, 100.0, NULL, '/POLI/'",
    "flux": "'spectrum', 4, 'Flux', NULL, NULL, 'Crab Nebula', 'application/fits',"
    + ", ".join(["NULL"] * 9)
    + ", NULL",
    "blank": "'image', 0, 'Blank', NULL, NULL, NULL, NULL," + ", ".join(["NULL"] * 9) + ", NULL",
}
INSERTION = (
    "INSERT INTO ivoa.obscore (obs_publisher_did, obs_id, dataset, dataproduct_type, calib_level,"
    " obs_collection, facility_name, instrument_name, target_name, access_format, t_min, t_max, em_min,"
    " em_max, s_fov, s_resolution, em_res_power, t_exptime, t_resolution, pol_states)"
    " VALUES ('{0}', '{1}', '{0}', {2})"
)
DID = "ivo://Example.org/Data?{}"
EVERYTHING = ("event-list", "cube", "image")


def ring(vertices: int) -> str:
    """A polygon that is all but a circle of 5 degrees."""
    turns = np.linspace(0, 2 * np.pi, vertices, endpoint=False)
    return "POLYGON " + " ".join(f"{80 + 5 * np.cos(a):.6f} {5 * np.sin(a):.6f}" for a in turns)


CROSSING = "POLYGON 0 0 10 10 10 0 0 10 " + " ".join(f"{359 - i / 100:g} {10 - i / 10:g}" for i in range(60))
"""Has more vertices than are looked at before the database does."""


@pytest.fixture(scope="module")
def client(module_settings: Settings) -> Iterator[httpx.Client]:
    listener = free_socket()
    settings = replace(module_settings, public_url=url_of(listener), query_bytes=20_000)
    with psycopg.connect(owner_url(settings), autocommit=True) as connection:
        for name, values in DATASETS.items():
            connection.execute(INSERTION.format(DID.format(name), name, values).encode())
    with served(create_app(settings), listener) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client


def search(client: httpx.Client, *pairs: tuple[str, str]) -> httpx.Response:
    return client.get("/sia/query", params=list(pairs))


def document(answer: httpx.Response) -> VOTableFile:
    assert answer.status_code == 200, answer.text
    parsed(answer.content)
    return parse(io.BytesIO(answer.content))


def found(answer: httpx.Response) -> set[str]:
    return set(document(answer).get_first_table().to_table()["obs_id"])


def of_all_kinds(client: httpx.Client, *pairs: tuple[str, str]) -> set[str]:
    return found(search(client, *(("DPTYPE", kind) for kind in EVERYTHING), *pairs))


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("BAND", ["1e-18"], {"list"}),
        ("BAND", ["1e-17"], {"list", "cube"}),
        ("BAND", ["2e-17 +Inf"], {"cube", "image"}),
        ("BAND", ["-Inf 1e-18"], {"list"}),
        ("BAND", ["-Inf +Inf"], {"list", "cube", "image"}),
        ("BAND", ["1e-21", "1.5e-15"], {"image"}),
        ("TIME", ["53000.5"], {"list", "cube"}),
        ("TIME", ["53000.500001 53900"], {"cube"}),
        ("TIME", ["53000.1 53000.2", "54000.5 inf"], {"list", "image"}),
        ("TIME", ["60000 +Inf"], set()),
        ("POL", ["I"], {"cube"}),
        ("POL", ["poli"], {"image"}),
        ("POL", ["V", "RR"], set()),
        ("POL", ["U", "POLI"], {"cube", "image"}),
        ("FOV", ["5"], {"list"}),
        ("FOV", ["2 5"], {"list", "image"}),
        ("FOV", ["5.1 +Inf"], {"cube"}),
        ("FOV", ["-Inf +Inf"], {"list", "cube", "image"}),
        ("SPATRES", ["-Inf 180"], {"cube", "image"}),
        ("SPECRP", ["7 20"], {"list", "cube"}),
        ("EXPTIME", ["1000 2000"], {"list"}),
        ("EXPTIME", ["900", "100"], {"cube", "image"}),
        ("TIMERES", ["-Inf 1e-6"], {"list", "cube"}),
        ("ID", [DID.format("list")], {"list"}),
        ("ID", ["ivo://example.ORG/dATA?LIST", DID.format("cube")], {"list", "cube"}),
        ("COLLECTION", ["CTA"], {"cube", "image"}),
        ("COLLECTION", ["cta"], set()),
        ("COLLECTION", ["HESS-DL3-DR1", "Blank"], {"list", "blank"}),
        ("FACILITY", ["H.E.S.S."], {"list"}),
        ("INSTRUMENT", ["North", "South"], {"cube", "image"}),
        ("CALIB", ["2"], {"list"}),
        ("CALIB", ["3", "4", "3"], {"cube", "image"}),
        ("TARGET", ["O'Neill; DROP"], {"image"}),
        ("TARGET", ["Crab"], set()),
        ("TARGET", ["%"], set()),
        ("TARGET", ["' OR 1=1 --"], set()),
        ("FORMAT", ["image/png"], {"image"}),
        ("FORMAT", ["application/fits", "image/png"], {"list", "cube", "image"}),
    ],
)
def test_parameters(client: httpx.Client, name: str, values: list[str], expected: set[str]) -> None:
    assert of_all_kinds(client, *((name, value) for value in values)) == expected


def test_every_parameter_of_the_standard_is_there() -> None:
    names = "POS BAND TIME POL FOV SPATRES SPECRP EXPTIME TIMERES ID COLLECTION FACILITY INSTRUMENT DPTYPE"
    assert [p.name for p in PARAMETERS] == [*names.split(), "CALIB", "TARGET", "FORMAT"]


def test_no_spectra_unless_asked_for(client: httpx.Client) -> None:
    assert found(search(client)) == {"list", "cube", "image", "blank"}
    assert found(search(client, ("DPTYPE", "image"), ("DPTYPE", "cube"))) == {"cube", "image", "blank"}
    assert found(search(client, ("DPTYPE", "event-list"))) == {"list"}
    assert found(search(client, ("DPTYPE", "cube"), ("DPTYPE", "event-list"))) == {"list", "cube"}
    assert found(search(client, ("DPTYPE", "spectrum"))) == {"flux"}
    assert found(search(client, ("ID", DID.format("flux")))) == {"flux"}
    assert found(search(client, ("ID", DID.format("list")))) == {"list"}
    assert found(search(client, ("TARGET", "Crab Nebula"))) == {"list", "cube"}


@pytest.mark.parametrize("product_type", ["hea-event-list", "event-list"])
def test_event_lists_as_collections_call_them(settings: Settings, product_type: str) -> None:
    collection = Collection(name="X", schema="x", product_type=product_type)
    query = sia_request(Parameters([("CALIB", "2")]), [collection], settings).query
    kinds = dict.fromkeys(("image", "cube", "event-list", product_type))
    assert f"dataproduct_type IN ({', '.join(map(repr, kinds))})" in query


def test_identifiers_are_found_by_an_index(module_settings: Settings, client: httpx.Client) -> None:
    query = sia_request(Parameters([("ID", DID.format("LIST")), ("ID", "x")]), [], module_settings).query
    translation = translate(query, core_catalogue())
    with psycopg.connect(owner_url(module_settings)) as connection:
        connection.execute("SET enable_seqscan = off")
        raw = psycopg.RawCursor(connection)
        plan = raw.execute(f"EXPLAIN {translation.sql}".encode(), translation.parameters).fetchall()
    assert any("obscore_obs_publisher_did_lower" in line for (line,) in plan)
    assert found(search(client, ("ID", DID.format("LIST")), ("ID", "x"))) == {"list"}


def test_values_are_ored_and_parameters_anded(client: httpx.Client) -> None:
    crab = ("TARGET", "Crab Nebula")
    assert of_all_kinds(client, crab) == {"list", "cube"}
    assert of_all_kinds(client, crab, ("CALIB", "3"), ("CALIB", "4")) == {"cube"}
    assert of_all_kinds(client, crab, ("CALIB", "3"), ("BAND", "1e-19")) == set()


def test_names_in_any_case_unknown_and_empty_ones_and_post(client: httpx.Client) -> None:
    sent = {"dptype": "event-list", "Target": "Crab Nebula", "REQUEST": "query", "CALIB": "", "SIZE": "3"}
    assert found(client.get("/sia/query", params=sent)) == {"list"}
    assert found(client.post("/sia/query", data=sent)) == {"list"}


def test_the_table_is_that_of_obscore(client: httpx.Client) -> None:
    answer = search(client)
    assert answer.headers["content-type"] == "application/x-votable+xml"
    table = document(answer).get_first_table()
    declared = core_catalogue().by_name["ivoa.obscore"].columns
    assert [(f.name, f.utype, f.ucd, str(f.unit or "")) for f in table.fields] == [
        (c.name, c.utype, c.ucd, c.unit or "") for c in declared
    ]
    infos = {i.get("name"): i.get("value") for i in parsed(answer.content).iterfind(".//v:INFO", NS)}
    assert (infos["QUERY_STATUS"], infos["standardID"]) == ("OK", STANDARD)


def descriptors(answer: httpx.Response) -> dict[str, Resource]:
    return {r.name: r for r in document(answer).resources if r.type == "meta"}


def test_it_leads_to_links_and_describes_itself(client: httpx.Client) -> None:
    for answer in (search(client), search(client, ("MAXREC", "0"))):
        known = descriptors(answer)
        assert set(known) == {"links", "cutout", "this"}
        this = {p.name: p.value for p in known["this"].params}
        assert this["standardID"] == STANDARD
        assert this["accessURL"] == f"{str(client.base_url).rstrip('/')}/sia/query"
        inputs = {p.name: p for p in known["this"].groups[0].iter_fields_and_params()}
        assert list(inputs) == [*(p.name for p in PARAMETERS), "MAXREC", "RESPONSEFORMAT"]
        assert (inputs["BAND"].unit.to_string(), inputs["BAND"].datatype) == ("m", "double")
        root = parsed(answer.content)
        levels = root.iterfind(".//v:PARAM[@name='CALIB']/v:VALUES/v:OPTION", NS)
        assert [o.get("value") for o in levels] == ["0", "1", "2", "3", "4"]


def test_limits_and_formats(client: httpx.Client) -> None:
    root = parsed(search(client, ("MAXREC", "2"), ("RESPONSEFORMAT", "votable/td")).content)
    assert len(root.findall(".//v:TR", NS)) == 2
    assert [i.get("value") for i in root.iterfind(".//v:INFO[@name='QUERY_STATUS']", NS)] == [
        "OK",
        "OVERFLOW",
    ]
    rows = search(client, ("RESPONSEFORMAT", "csv"), ("FORMAT", "image/png")).text.splitlines()
    assert len(rows) == 2
    assert document(search(client, ("MAXREC", "0"))).get_first_table().array.size == 0


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("POS", "BOX 1 2 3 4", "POS begins with CIRCLE, RANGE, POLYGON"),
        ("POS", "CIRCLE 1 2", "longitude, latitude and radius"),
        ("POS", "CIRCLE 1 2 NaN", "not a number"),
        ("POS", "CIRCLE 1 2 Inf", "only finite"),
        ("POS", "CIRCLE 361 2 1", "a longitude is 0 to 360 degrees"),
        ("POS", "CIRCLE 1 91 1", "a latitude is -90 to 90 degrees"),
        ("POS", "CIRCLE 1 2 -1", "a radius is 0 to 180 degrees"),
        ("POS", "RANGE 1 2 4 3", "the lower limit comes first"),
        ("POS", "RANGE 1 2 3", "lon1 lon2 lat1 lat2"),
        ("POS", "POLYGON 1 2 3 4", "three vertices"),
        ("POS", "POLYGON 0 0 120 0 240 0", "larger than a hemisphere"),
        ("POS", "POLYGON 0 0 10 10 10 0 0 10", "cross"),
        ("POS", ring(1001), "POS=POLYGON may have 1000 vertices; it has 1001"),
        ("POS", "POLYGON 0 0 10 0 0 0 10 0", "POS=POLYGON has vertices in fewer than three places"),
        ("POS", "POLYGON 10 10 10 10.0000000001 10.0000000001 10", "in fewer than three places"),
        ("POS", "POLYGON 0 90 0 89 90 90", "in fewer than three places"),
        ("POS", "POLYGON 360 0 0 0 0 1", "in fewer than three places"),
        ("POS", CROSSING, "the sides of a polygon cross, touch or lie"),
        ("POS", "1,2", "POS begins with"),
        ("BAND", "2 1", "the lower limit comes first"),
        ("BAND", "+Inf", "open interval"),
        ("BAND", "1 2 3", "BAND is an interval"),
        ("BAND", "0.5/0.6", "not a number"),
        ("TIME", "2004-12-04T22:00:00", "not a number"),
        ("TIME", "NaN", "not a number"),
        ("EXPTIME", "٣", "not a number"),
        ("POL", "Z", "POL is one of I, Q, U, V"),
        ("CALIB", "5", "CALIB is one of 0, 1, 2, 3, 4, not '5'"),
        ("CALIB", "1 2", "CALIB is one of"),
        ("MAXREC", "x", "MAXREC must be a whole number"),
        ("RESPONSEFORMAT", "nothing", "is not offered"),
        ("TARGET", "x" * 20_000, "more than the 20000 bytes"),
        ("TARGET", "a\0b", "TARGET is a text without NUL characters, not 'a\\x00b'"),
        ("ID", "\0", "ID is a text without NUL characters"),
    ],
)
def test_errors(client: httpx.Client, name: str, value: str, told: str) -> None:
    answer = client.post("/sia/query", data={name: value})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/x-votable+xml"
    (status,) = parsed(answer.content).findall(".//v:INFO[@name='QUERY_STATUS']", NS)
    assert status.get("value") == "ERROR"
    assert status.text.startswith("UsageFault: ")
    assert told in status.text
    assert "SELECT" not in status.text
    assert len(status.text) < 2000


def test_capabilities_and_availability(client: httpx.Client) -> None:
    root = parsed(client.get("/sia/capabilities").content)
    base = str(client.base_url).rstrip("/")
    assert {c.get("standardID"): c.findtext("interface/accessURL") for c in root} == {
        STANDARD: f"{base}/sia/query",
        "ivo://ivoa.net/std/VOSI#capabilities": f"{base}/sia/capabilities",
        "ivo://ivoa.net/std/VOSI#availability": f"{base}/sia/availability",
    }
    (interface,) = root.findall(f"capability[@standardID='{STANDARD}']/interface")
    assert (interface.get("role"), interface.get("version")) == ("std", "2.0")
    assert ">true<" in client.get("/sia/availability").text


def test_pyvo_finds_its_way(client: httpx.Client) -> None:
    service = pyvo.dal.SIA2Service(f"{str(client.base_url).rstrip('/')}/sia")
    rows = service.search(calib_level=[3, 4], time=tuple(Time([53000, 55000], format="mjd")), maxrec=10)
    assert sorted(rows["obs_id"]) == ["cube", "image"]
    assert {row.obs_publisher_did for row in service.search(data_type="event-list")} == {DID.format("list")}
    (row,) = service.search(publisher_did=DID.format("list"), band=(1e-19, 1e-18))
    assert (row.t_min.mjd, row.em_max.value, row.facility_name) == (53000.0, 1e-17, "H.E.S.S.")
    with pytest.raises(pyvo.dal.DALQueryError, match="UsageFault: POL is one of"):
        service.search(POL="Z")


def test_hundreds_of_values(client: httpx.Client) -> None:
    targets = [f"nobody {n}" for n in range(500)]
    assert found(client.post("/sia/query", data={"TARGET": [*targets, "Crab Nebula"]})) == {"list", "cube"}


def test_the_largest_polygon(client: httpx.Client) -> None:
    assert found(search(client, ("POS", ring(300)))) == set()
