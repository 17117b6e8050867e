"""Spectral searches over HTTP, and spectra as VOTables, as astropy, gammapy and pyvo see them."""

import io
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import numpy as np
import psycopg
import pytest
import pyvo
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io.votable import parse
from astropy.io.votable.tree import TableElement
from gammapy.estimators import FluxPoints

from tests.dl3files import Habits, write_dl3
from tests.fluxfiles import DNDE, E_REF, PER_TEV, write_curve, write_flux
from tests.ingesting import Archive
from tests.server.serving import free_socket, served, url_of
from tests.xmlcheck import VOTABLE, parsed
from vo_server.app import create_app
from vo_server.roles import owner_url
from vo_server.settings import Settings
from vo_server.ssa.request import STANDARD

BASE = "ivo://example.org/My%20Flux?"
PLACES = {"crab": (83.633, 22.014), "wrap": (359.9, 0.0), "pole": (10.0, 89.9)}
KEYS = {"name": "My Flux", "schema": "my", "authority": "example.org", "publisher": "O'Brien & co"}
NS = {"v": VOTABLE}
FORM = "text/xml;content=x-votable"
ALL = {"crab", "wrap", "pole", "nowhere", "odd name#"}
VOT = "application/x-votable+xml"


@pytest.fixture(scope="module")
def client(
    module_settings: Settings, tmp_path_factory: pytest.TempPathFactory, shared_data: Path
) -> Iterator[httpx.Client]:
    directory = tmp_path_factory.mktemp("release")
    for name, (ra, dec) in PLACES.items():
        header = {"OBJECT": name.title(), "RA_OBJ": ra, "DEC_OBJ": dec}
        write_flux(directory / f"{name}.fits", header=header, gtis=[(0.0, 100.0)])
    write_flux(directory / "nowhere.fits", header={"OBJECT": None})
    write_flux(directory / "odd name#.fits.gz", header={"OBJECT": "O'Dd"})
    write_curve(directory / "lc.fits")
    write_dl3(directory / "run.fits", Habits(events=5, obs_id="1", irfs=False, header={"OBJECT": "run"}))
    real = tmp_path_factory.mktemp("real")
    shutil.copy(shared_data / "flux-points/crab_hess_fp.fits", real)
    other = tmp_path_factory.mktemp("other")
    write_dl3(other / "1.fits", Habits(events=5, obs_id="1", irfs=False))
    listener = free_socket()
    settings = replace(module_settings, public_url=url_of(listener))
    with psycopg.connect(owner_url(settings), autocommit=True) as connection:
        archive = Archive(settings, connection)
        assert archive.ingest(directory, **KEYS).problems == []
        assert archive.ingest(real, name="Real", schema="truly", authority="example.org").problems == []
        assert archive.ingest(other, name="Other", schema="other").problems == []
    with served(create_app(settings), listener) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client


def ask(client: httpx.Client, **parameters: Any) -> httpx.Response:
    return client.get("/ssa/my", params={"REQUEST": "queryData", **parameters})


def table(answer: httpx.Response) -> TableElement:
    assert answer.status_code == 200, answer.text
    parsed(answer.content)
    return parse(io.BytesIO(answer.content)).get_first_table()


def found(answer: httpx.Response) -> set[str]:
    """The identifiers of the spectra of an answer, without what all have in common."""
    dids = table(answer).to_table()["obs_publisher_did"]
    return {str(did).removeprefix(BASE).replace("%20", " ").replace("%23", "#") for did in dids}


def error(answer: httpx.Response) -> str:
    assert answer.headers["content-type"] == FORM
    (status,) = parsed(answer.content).findall("v:RESOURCE/v:INFO[@name='QUERY_STATUS']", NS)
    assert status.get("value") == "ERROR"
    return status.text or ""


def test_every_spectrum_in_both_formats(client: httpx.Client) -> None:
    answer = ask(client)
    assert answer.headers["content-type"] == FORM
    assert found(answer) == ALL
    rows = table(answer).to_table()
    assert len(rows) == 2 * len(ALL)
    assert sorted(set(rows["access_format"])) == ["application/fits", VOT]
    protocol = parsed(answer.content).find("v:RESOURCE/v:INFO[@name='SERVICE_PROTOCOL']", NS)
    assert (protocol.get("value"), protocol.text) == ("1.1", "SSAP")


def test_what_a_row_says(client: httpx.Client) -> None:
    answer = table(ask(client, TARGETNAME="crab", FORMAT="fits"))
    utypes = {field.utype: field for field in answer.fields}
    (row,) = answer.to_table()
    told = {utype.removeprefix("ssa:"): row[field.ID] for utype, field in utypes.items()}
    assert told["Access.Reference"] == f"{client.base_url}/files/my/crab/crab.fits"
    assert told["Dataset.Length"] == 3
    assert told["Dataset.DataModel"] == "Spectrum-1.1"
    assert told["DataID.Title"] == "My Flux, spectrum crab of Crab"
    assert told["Curation.Publisher"] == "O'Brien & co"
    assert told["Curation.PublisherDID"] == f"{BASE}crab"
    assert list(told["Char.SpatialAxis.Coverage.Location.Value"]) == pytest.approx(PLACES["crab"])
    low, high = ((e * u.TeV).to_value("m", u.spectral()) for e in (4 * np.sqrt(2), 1 / np.sqrt(2)))
    assert told["Char.SpectralAxis.Coverage.Bounds.Start"] == pytest.approx(low)
    assert told["Char.SpectralAxis.Coverage.Bounds.Stop"] == pytest.approx(high)
    assert told["Char.SpectralAxis.Coverage.Bounds.Extent"] == pytest.approx(high - low)
    assert told["Char.SpectralAxis.Coverage.Location.Value"] == pytest.approx((high + low) / 2)
    assert told["Char.TimeAxis.Coverage.Bounds.Extent"] == 100.0
    assert told["Char.TimeAxis.Coverage.Location.Value"] == pytest.approx(51910 + 50 / 86400, abs=1e-3)
    assert told["Char.FluxAxis.Ucd"] == "phot.flux.density;em.gamma"
    assert told["Char.FluxAxis.Unit"] == "TeV**-1.s**-1.cm**-2"


@pytest.mark.parametrize(
    ("parameters", "wanted"),
    [
        ({"POS": "83.633,22.014", "SIZE": 0.1}, {"crab"}),
        ({"POS": "83.633,22.014;ICRS"}, {"crab"}),
        ({"pos": "83.633,23.013", "size": 2}, {"crab"}),
        ({"POS": "83.633,23.015", "SIZE": 2}, set()),
        ({"POS": "0.05,0", "SIZE": 0.31}, {"wrap"}),
        ({"POS": "190,89.95", "SIZE": 0.31}, {"pole"}),
        ({"POS": "184.5575,-5.7844;GALACTIC", "SIZE": 0.1}, {"crab"}),
        ({"POS": "0,0", "SIZE": 360}, {"crab", "wrap", "pole"}),
        ({"SIZE": 1}, ALL),
        ({"BAND": "1e-20/1e-15"}, ALL),
        ({"BAND": "/1e-20"}, set()),
        ({"BAND": "1e-10/"}, set()),
        ({"BAND": "optical"}, set()),
        ({"BAND": "gamma-ray"}, ALL),
        ({"BAND": "optical,Gamma-Ray;observer"}, ALL),
        ({"TIME": "2000/2002"}, {"crab", "wrap", "pole"}),
        ({"TIME": "2001"}, {"crab", "wrap", "pole"}),
        ({"TIME": "2001-01-01"}, {"crab", "wrap", "pole"}),
        ({"TIME": "2001-01-01T00:10:00/"}, set()),
        ({"TIME": "/2000-12-31T23:58:00Z"}, set()),
        ({"TARGETNAME": "CRAB,wrap"}, {"crab", "wrap"}),
        ({"TARGETNAME": "o'dd"}, {"odd name#"}),
        ({"TARGETNAME": "run"}, set()),
        ({"PUBDID": f"{BASE}pole"}, {"pole"}),
        ({"COLLECTION": "my flux"}, ALL),
        ({"COLLECTION": "Real"}, set()),
        ({"FLUXCALIB": "ABSOLUTE", "TARGETNAME": "Crab"}, {"crab"}),
        ({"FORMAT": "graphic"}, set()),
        ({"FORMAT": "image/png,votable"}, ALL),
        ({"VERSION": "1.1", "REDSHIFT": "0/1", "COMPRESS": "true"}, ALL),
        ({"REQUEST": "QUERYDATA"}, ALL),
    ],
)
def test_what_is_found(client: httpx.Client, parameters: dict[str, Any], wanted: set[str]) -> None:
    assert found(ask(client, **parameters)) == wanted


@pytest.mark.parametrize(
    ("form", "media"),
    [
        ("compliant", {VOT}),
        ("votable", {VOT}),
        ("native", {"application/fits"}),
        ("ALL", {VOT, "application/fits"}),
    ],
)
def test_formats(client: httpx.Client, form: str, media: set[str]) -> None:
    rows = table(ask(client, FORMAT=form)).to_table()
    assert set(rows["access_format"]) == media
    assert len(rows) == len(ALL) * len(media)


def test_limits(client: httpx.Client) -> None:
    assert len(table(ask(client, TOP=3)).to_table()) == 3
    cut = ask(client, MAXREC=3)
    assert len(table(cut).to_table()) == 3
    status = [
        i.get("value") for i in parsed(cut.content).findall("v:RESOURCE/v:INFO[@name='QUERY_STATUS']", NS)
    ]
    assert status == ["OK", "OVERFLOW"]
    assert len(table(ask(client, MAXREC=0)).to_table()) == 0


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"REQUEST": ""}, "REQUEST is missing; it is queryData"),
        ({"REQUEST": "getData"}, "REQUEST = 'getData' is not known; it is queryData"),
        ({"VERSION": "2.0"}, "VERSION = '2.0' is not known; this service speaks SSA 1.1"),
        ({"POS": "83.6"}, "POS is longitude,latitude in degrees"),
        ({"POS": "83.6,22,1"}, "POS is longitude,latitude in degrees"),
        ({"POS": "83.6,91"}, "POS: '83.6,91' is no position"),
        ({"POS": "nan,1"}, "POS: 'nan' is not a number"),
        ({"POS": "1,1;MARS"}, "POS: the frame 'MARS' is not known; known are ICRS, FK5, GALACTIC"),
        ({"POS": "1,1", "SIZE": "-1"}, "SIZE is the diameter"),
        ({"POS": "1,1", "SIZE": "a'b"}, 'SIZE: "a\'b" is not a number'),
        ({"BAND": "blue"}, "BAND: 'blue' is no wavelength in metres; bands are radio"),
        ({"BAND": "2/1"}, "BAND: '2/1' is no range, the lower limit comes first"),
        ({"BAND": "1/2/3"}, "BAND: '1/2/3' is no range"),
        ({"BAND": "/"}, "BAND: '/' is no range"),
        ({"BAND": "-1"}, "BAND: '-1' is no wavelength"),
        ({"BAND": "1,,2"}, "BAND = '1,,2' has an empty value"),
        ({"BAND": ",".join(["1"] * 101)}, "BAND may have 100 values; it has 101"),
        ({"TIME": "yesterday"}, "TIME: 'yesterday' is no time; write ISO 8601"),
        ({"TIME": "2004-13"}, "TIME: '2004-13' is no time"),
        ({"TIME": "2004-02-30"}, "TIME: '2004-02-30' is no time"),
        ({"TIME": "0000"}, "TIME: '0000' is no time"),
        ({"TIME": "9999"}, "TIME: '9999' is no time"),
        ({"TIME": "2005/2004"}, "TIME: '2005/2004' is no range"),
        ({"TOP": "-1"}, "TOP must be a whole number"),
        ({"MAXREC": "x"}, "MAXREC must be a whole number"),
        ({"TARGETNAME": "a\0b"}, "TARGETNAME is a text without NUL characters"),
        ({"POS": ["1,1", "2,2"]}, "POS may be given once only"),
        ({"RESPONSEFORMAT": "doc"}, "RESPONSEFORMAT='doc' is not offered"),
    ],
)
def test_errors(client: httpx.Client, parameters: dict[str, Any], message: str) -> None:
    answer = ask(client, **parameters)
    assert answer.status_code == 200
    assert message in error(answer)


def test_text_stays_text(client: httpx.Client) -> None:
    for value in ("' OR 1=1 --", "\\", "$1", "\u00e9", "a\0b"):
        answer = ask(client, TARGETNAME=value)
        assert answer.status_code == 200
        if "\0" not in value:
            assert found(answer) == set()


def test_metadata(client: httpx.Client) -> None:
    answer = ask(client, FORMAT="METADATA")
    root = parsed(answer.content)
    inputs = {p.get("name"): p for p in root.findall("v:RESOURCE/v:PARAM", NS)}
    assert {"INPUT:POS", "INPUT:SIZE", "INPUT:BAND", "INPUT:TIME", "INPUT:FORMAT"} <= set(inputs)
    assert (inputs["INPUT:SIZE"].get("value"), inputs["INPUT:SIZE"].get("unit")) == ("1.0", "deg")
    assert "metadata" in {o.get("value") for o in inputs["INPUT:FORMAT"].iterfind(".//v:OPTION", NS)}
    statuses = [i.get("value") for i in root.iterfind(".//v:INFO[@name='QUERY_STATUS']", NS)]
    assert statuses == ["OK"]
    assert len(root.findall("v:RESOURCE/v:TABLE/v:FIELD", NS)) == len(table(ask(client)).fields)


@pytest.mark.parametrize("path", ["/ssa/you", "/ssa/my'--", "/ssa/you/capabilities"])
def test_unknown_collections(client: httpx.Client, path: str) -> None:
    answer = client.get(path, params={"REQUEST": "queryData"})
    assert answer.status_code == 404
    assert "there are: my, other, truly" in error(answer)


def test_pyvo(client: httpx.Client) -> None:
    url = str(client.base_url).rstrip("/")
    service = pyvo.dal.SSAService(f"{url}/ssa/my")
    rows = service.search(pos=SkyCoord(*PLACES["crab"], unit="deg"), diameter=0.5 * u.deg)
    assert len(rows) == 2
    assert {row.format for row in rows} == {VOT, "application/fits"}
    assert all(row.title == "My Flux, spectrum crab of Crab" for row in rows)
    assert rows[0].ra == pytest.approx(83.633)
    links = rows[0].getdatalink()
    assert {link.semantics for link in links} >= {"#this"}
    with pytest.raises(pyvo.dal.DALQueryError, match="SIZE is the diameter"):
        service.search(pos=(1.0, 1.0), diameter=-1.0)


def test_gammapy_reads_what_is_downloaded(client: httpx.Client, tmp_path: Path) -> None:
    (row,) = table(ask(client, TARGETNAME="Crab", FORMAT="native")).to_table()
    path = tmp_path / "crab.fits"
    path.write_bytes(httpx.get(str(row["access_url"])).content)
    points = FluxPoints.read(path, format="gadf-sed", sed_type="dnde")
    assert points.dnde.data.ravel()[:2].tolist() == DNDE[:2].tolist()


def spectrum(client: httpx.Client, did: str) -> TableElement:
    answer = client.get("/spectra", params={"ID": did})
    assert answer.headers["content-type"].startswith(VOT)
    return table(answer)


def test_a_spectrum_as_a_votable(client: httpx.Client) -> None:
    made = spectrum(client, f"{BASE}crab")
    rows = made.to_table()
    assert rows["energy"].tolist() == E_REF.tolist()
    assert rows["energy"].unit == u.TeV
    assert rows["flux"].filled(np.nan).tolist()[:2] == DNDE.tolist()[:2]
    assert np.isnan(rows["flux"].filled(np.nan)[2])
    assert rows["flux"].unit == u.Unit(PER_TEV)
    assert rows["flux_limit"].tolist() == [4e-11, 8e-12, 1e-12]
    assert rows["is_limit"].tolist() == [0, 0, 1]
    utypes = {field.ID: field.utype for field in made.fields}
    assert utypes["energy"] == "spec:Spectrum.Data.SpectralAxis.Value"
    assert utypes["flux"] == "spec:Spectrum.Data.FluxAxis.Value"
    assert made.utype == "spec:Spectrum"


def test_the_address_in_an_answer(client: httpx.Client) -> None:
    answer = table(ask(client, FORMAT="compliant", TARGETNAME="O'Dd")).to_table()
    made = table(httpx.get(str(answer["access_url"][0]))).to_table()
    assert made["energy"].tolist() == E_REF.tolist()
    same = client.get("/spectra", params={"ID": str(answer["obs_publisher_did"][0])})
    assert table(same).to_table()["flux_error"].tolist() == made["flux_error"].tolist()
    assert client.get("/files/my/crab/nothing.fits/votable").status_code == 404


def test_multiples_of_a_reference(client: httpx.Client, shared_data: Path) -> None:
    rows = spectrum(client, "ivo://example.org/Real?crab_hess_fp").to_table()
    points = FluxPoints.read(shared_data / "flux-points/crab_hess_fp.fits", format="gadf-sed")
    own = points.to_table(sed_type="dnde", format="gadf-sed")
    assert len(rows) == len(own) == 5
    for name, theirs in {
        "energy": "e_ref",
        "energy_min": "e_min",
        "flux": "dnde",
        "flux_error": "dnde_err",
        "flux_error_low": "dnde_errn",
        "flux_error_high": "dnde_errp",
        "flux_limit": "dnde_ul",
    }.items():
        assert rows[name].unit == own[theirs].unit
        values = np.ma.filled(rows[name], np.nan)
        np.testing.assert_allclose(values, np.ma.filled(own[theirs], np.nan), rtol=1e-12, equal_nan=True)


@pytest.mark.parametrize(
    ("parameters", "status", "message"),
    [
        ({}, 400, "ID is missing"),
        ({"ID": "ivo://nobody/x?1"}, 404, "there is no dataset 'ivo://nobody/x?1'"),
        ({"ID": "a\0b"}, 404, "there is no dataset"),
        ({"ID": f"{BASE}1"}, 400, "is no spectrum"),
        ({"ID": f"{BASE}lc"}, 400, "is no spectrum"),
        ({"ID": f"{BASE}crab", "RESPONSEFORMAT": "x"}, 400, "RESPONSEFORMAT='x' is not offered"),
    ],
)
def test_no_spectrum(client: httpx.Client, parameters: dict[str, str], status: int, message: str) -> None:
    answer = client.get("/spectra", params=parameters)
    assert (answer.status_code, message in answer.text) == (status, True)


def test_links(client: httpx.Client) -> None:
    links = {}
    for name in ("crab", "lc"):
        answer = client.get("/datalink/links", params={"ID": f"{BASE}{name}"})
        rows = table(answer).to_table()
        assert set(rows["content_qualifier"]) == {"spectrum" if name == "crab" else "light-curve"}
        links[name] = [(str(r["semantics"]), str(r["access_url"])) for r in rows]
    base = str(client.base_url).rstrip("/")
    assert links["crab"] == [
        ("#this", f"{base}/files/my/crab/crab.fits"),
        ("#this", f"{base}/spectra?ID={quote(f'{BASE}crab', safe='')}"),
    ]
    assert links["lc"] == [("#this", f"{base}/files/my/lc/lc.fits")]
    assert all(httpx.get(url).status_code == 200 for some in links.values() for _, url in some)
    page = client.get("/datalink/links", params={"ID": f"{BASE}crab", "RESPONSEFORMAT": "html"})
    assert "Spectrum: the whole file" in page.text
    assert "/soda/sync" not in page.text


def test_other_services_say_that_a_spectrum_is_none_of_theirs(client: httpx.Client) -> None:
    cutout = client.get("/soda/sync", params={"ID": f"{BASE}crab", "CIRCLE": "83 22 1"})
    assert (cutout.status_code, "is no event list" in cutout.text) == (400, True)
    assert client.get("/previews/counts-map.png", params={"ID": f"{BASE}crab"}).status_code == 404
    alone = client.get("/products", params={"ID": f"{BASE}crab", "PRODUCT": "spectrum"})
    assert alone.status_code == 200
    both = client.get("/bundles", params=[("ID", f"{BASE}crab"), ("ID", f"{BASE}1")])
    assert both.status_code == 200


def test_capabilities(client: httpx.Client) -> None:
    root = parsed(client.get("/ssa/my/capabilities").content)
    base = str(client.base_url).rstrip("/")
    (search,) = root.findall(f"capability[@standardID='{STANDARD}']")
    assert search.get("{http://www.w3.org/2001/XMLSchema-instance}type") == "ssap:SimpleSpectralAccess"
    assert search.findtext("interface/accessURL") == f"{base}/ssa/my?"
    assert search.findtext("complianceLevel") == "full"
    position = f"{search.findtext('testQuery/pos/long')},{search.findtext('testQuery/pos/lat')}"
    assert found(ask(client, POS=position, SIZE=search.findtext("testQuery/size")))
    assert parsed(client.get("/ssa/truly/capabilities").content).find(".//testQuery") is None
    assert ">true<" in client.get("/ssa/my/availability").text
    assert client.get("/ssa/you/availability").status_code == 404


def test_validators(client: httpx.Client, tmp_path: Path) -> None:
    """STILTS' votlint on every kind of answer, and its own client."""
    base = str(client.base_url).rstrip("/")
    answers = {
        "rows": ask(client),
        "metadata": ask(client, FORMAT="METADATA"),
        "error": ask(client, POS="x"),
        "spectrum": client.get("/spectra", params={"ID": f"{BASE}crab"}),
    }
    for name, answer in answers.items():
        path = tmp_path / f"{name}.vot"
        path.write_bytes(answer.content)
        assert stilts("votlint", f"votable={path}") == "", name
    sky = ["lon=83.633", "lat=22.014", "radius=0.5", "omode=count"]
    told = stilts("cone", f"serviceurl={base}/ssa/my", "servicetype=ssa", *sky)
    assert "rows: 2" in told


def stilts(*arguments: str) -> str:
    done = subprocess.run(["stilts", *arguments], capture_output=True, text=True, check=False, timeout=120)
    return (done.stdout + done.stderr).strip()
