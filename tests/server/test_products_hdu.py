"""Single HDUs over HTTP: files of their own, octet by octet those of the release."""

import gzip
import io
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import psycopg
import pytest
from astropy.io import fits
from gammapy.data import GTI, EventList
from gammapy.irf import PSF3D, EffectiveAreaTable2D, EnergyDispersion2D

from ingest.release import find_release
from tests.dl3files import Habits, index_rows, write_dl3, write_hdu_index, write_map
from tests.ingesting import DID, Archive
from tests.server.serving import free_socket, served, url_of
from vo_server.app import create_app
from vo_server.products.hdus import with_format
from vo_server.products.sizes import product_size
from vo_server.roles import owner_url
from vo_server.settings import Settings

RESPONSES = {"aeff": "AEFF", "edisp": "EDISP", "psf": "PSF"}
CLASSES = {"aeff": "aeff_2d", "edisp": "edisp_2d", "psf": "psf_table"}


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1 is plain, 2 gzipped, 3 has its response functions in 1, twice of a kind, and a map.

    4 has checksums, and in the header of an effective area no name that GADF knows.
    """
    directory = tmp_path_factory.mktemp("a") / "My release"
    plain = write_dl3(directory / "1.fits", Habits(obs_id=1))
    write_dl3(directory / "2.fits.gz", Habits(obs_id=2))
    write_dl3(directory / "3.fits", Habits(obs_id=3, irfs=False))
    with fits.open(plain, mode="append", checksum=True) as hdus:
        second = hdus["AEFF"].copy()
        second.name = "AEFF_B"
        second.data["EFFAREA"] *= 2
        hdus.append(second)
    old = write_dl3(directory / "4.fits", Habits(obs_id=4, aeff_header={"HDUCLAS4": "2D"}))
    with fits.open(old, mode="update", checksum=True) as hdus:
        hdus["AEFF"].header.comments["HDUCLAS4"] = "as others spell it"
        for hdu in hdus:
            hdu.add_checksum()
    energies = np.geomspace(0.1, 100, 4)
    write_map(directory / "map.fits", "EDISP_MAP", [("ENERGY_TRUE", energies)], np.ones(3))
    every = ("events", "gti", "aeff", "edisp", "psf")
    rows = [*index_rows(1, "1.fits", every), *index_rows(2, "2.fits.gz", every)]
    rows += index_rows(3, "3.fits", ("events", "gti"))
    rows += [{"obs_id": 3, "hdu_type": "aeff", "file_name": "1.fits", "hdu_name": "AEFF_B"}]
    rows += [{"obs_id": 3, "hdu_type": "psf", "file_name": "2.fits.gz", "hdu_name": "PSF"}]
    rows += [{"obs_id": 3, "hdu_type": "edisp", "file_name": "map.fits", "hdu_name": "EDISP_MAP"}]
    rows += [row | {"hdu_class": CLASSES.get(row["hdu_type"], "")} for row in index_rows(4, "4.fits", every)]
    write_hdu_index(directory / "hdu-index.fits", rows)
    return directory


@pytest.fixture(scope="module")
def archive(module_settings: Settings, release: Path) -> Iterator[Archive]:
    with psycopg.connect(owner_url(module_settings), autocommit=True) as connection:
        archive = Archive(module_settings, connection)
        assert archive.ingest(release).problems == []
        assert len(find_release(release).sources) == 4
        yield archive


@pytest.fixture(scope="module")
def client(archive: Archive) -> Iterator[httpx.Client]:
    listener = free_socket()
    settings = replace(archive.settings, public_url=url_of(listener))
    with served(create_app(settings), listener) as url, httpx.Client(base_url=url) as client:
        yield client


def ask(client: httpx.Client, obs_id: object, product: str, **headers: str) -> httpx.Response:
    return client.get("/products", params={"ID": f"{DID}{obs_id}", "PRODUCT": product}, headers=headers)


def raw_hdu(path: Path, name: str) -> bytes:
    """Header and data of an HDU as they are in the file."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    with fits.open(io.BytesIO(content)) as hdus:
        place = hdus[name].fileinfo()
        return content[place["hdrLoc"] : place["datLoc"] + place["datSpan"]]


PLACES = [
    *((1, product, "1.fits", name) for product, name in RESPONSES.items()),
    *((2, product, "2.fits.gz", name) for product, name in RESPONSES.items()),
    (1, "gti", "1.fits", "GTI"),
    (4, "psf", "4.fits", "PSF"),
    (3, "aeff", "1.fits", "AEFF_B"),
    (3, "psf", "2.fits.gz", "PSF"),
]


@pytest.mark.parametrize(("obs_id", "product", "file", "name"), PLACES)
def test_one_hdu_octet_by_octet(
    client: httpx.Client, release: Path, obs_id: int, product: str, file: str, name: str
) -> None:
    answer = ask(client, obs_id, product)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/fits"
    assert answer.headers["content-length"] == str(len(answer.content))
    assert answer.headers["content-disposition"] == f'attachment; filename="{obs_id}_{product}.fits"'
    assert answer.content[2880:] == raw_hdu(release / file, name)
    with fits.open(io.BytesIO(answer.content), checksum=True) as hdus:
        hdus.verify("exception")
        assert [hdu.name for hdu in hdus] == ["PRIMARY", name]


def test_a_format_is_called_what_gadf_calls_it(client: httpx.Client, release: Path) -> None:
    answer, stored = ask(client, 4, "aeff"), raw_hdu(release / "4.fits", "AEFF")
    delivered = answer.content[2880:]
    assert len(delivered) == len(stored)
    starts = [n for n in range(0, len(stored), 80) if delivered[n : n + 80] != stored[n : n + 80]]
    changed = {stored[n : n + 8].rstrip(): delivered[n : n + 80].rstrip() for n in starts}
    assert changed == {b"HDUCLAS4": b"HDUCLAS4= 'AEFF_2D '           / as others spell it", b"CHECKSUM": b""}
    with fits.open(io.BytesIO(answer.content), checksum=True) as hdus:
        hdus.verify("exception")
        assert hdus[1].verify_datasum() == 1
        assert hdus[1].header["HDUCLAS4"] == "AEFF_2D"
    begin = 2880 + starts[0]
    part = ask(client, 4, "aeff", Range=f"bytes={begin - 5}-{begin + 99}")
    assert (part.status_code, part.content) == (206, answer.content[begin - 5 : begin + 100])


def header_of(*cards: str) -> bytes:
    return b"".join(card.encode("latin-1").ljust(80) for card in (*cards, "END"))


@pytest.mark.parametrize(
    ("stated", "hdu_class", "told"),
    [
        ("HDUCLAS4= '3GAUSS  '", "psf_3gauss", "HDUCLAS4= 'PSF_3GAUSS'"),
        ("HDUCLAS4='2D' /" + 60 * "x", "aeff_2d", "HDUCLAS4= 'AEFF_2D '           /" + 48 * "x"),
        ("HDUCLAS4= 'aeff_2d'", "AEFF_2D", "HDUCLAS4= 'aeff_2d'"),
        ("HDUCLAS4= '2D'", "it's é / '", "HDUCLAS4= '2D'"),
        ("HDUCLAS4= '2D'", "a" * 60, "HDUCLAS4= '2D'"),
        ("HDUCLAS4= '2D'", "", "HDUCLAS4= '2D'"),
        ("HDUCLAS4=                    2", "aeff_2d", "HDUCLAS4=                    2"),
        ("COMMENT HDUCLAS4= '2D'", "aeff_2d", "COMMENT HDUCLAS4= '2D'"),
    ],
)
def test_names_of_formats(stated: str, hdu_class: str, told: str) -> None:
    assert with_format(header_of("A       = 1", stated), hdu_class) == header_of("A       = 1", told)


@pytest.mark.parametrize(("obs_id", "file"), [(1, "1.fits"), (2, "2.fits.gz")])
def test_gammapy_reads_event_lists(
    client: httpx.Client, release: Path, tmp_path: Path, obs_id: int, file: str
) -> None:
    path = tmp_path / "events.fits"
    path.write_bytes(ask(client, obs_id, "event-list").content)
    ours, theirs = EventList.read(path), EventList.read(release / file)
    assert (ours.table["TIME"] == theirs.table["TIME"]).all()
    assert (ours.energy == theirs.energy).all()
    assert GTI.read(path).time_sum == GTI.read(release / file).time_sum
    with fits.open(path) as hdus:
        hdus.verify("exception")
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "EVENTS", "GTI"]


def test_gammapy_reads_response_functions(client: httpx.Client, tmp_path: Path) -> None:
    values = {}
    for obs_id in (1, 3):
        path = tmp_path / f"{obs_id}.fits"
        path.write_bytes(ask(client, obs_id, "aeff").content)
        values[obs_id] = EffectiveAreaTable2D.read(path, hdu=1).data
    assert (values[3] == 2 * values[1]).all()
    for product, kind in (("edisp", EnergyDispersion2D), ("psf", PSF3D)):
        path = tmp_path / f"{product}.fits"
        path.write_bytes(ask(client, 1, product).content)
        assert kind.read(path, hdu=1).data.size > 0


def test_a_map_brings_the_table_of_its_energies(client: httpx.Client) -> None:
    with fits.open(io.BytesIO(ask(client, 3, "edisp").content)) as hdus:
        hdus.verify("exception")
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "EDISP_MAP", "EDISP_MAP_BANDS"]
        assert len(hdus[2].data) == 3


@pytest.mark.parametrize(("obs_id", "product"), [(1, "aeff"), (2, "event-list")])
def test_heads_ranges_and_validators(client: httpx.Client, obs_id: int, product: str) -> None:
    whole = ask(client, obs_id, product)
    head = client.head("/products", params={"ID": f"{DID}{obs_id}", "PRODUCT": product})
    for name in ("content-length", "etag", "last-modified", "accept-ranges"):
        assert head.headers[name] == whole.headers[name]
    part = ask(client, obs_id, product, Range="bytes=2000-9999", **{"If-Range": whole.headers["etag"]})
    assert (part.status_code, part.content) == (206, whole.content[2000:10000])
    assert ask(client, obs_id, product, **{"If-None-Match": whole.headers["etag"]}).status_code == 304
    etags = {ask(client, obs_id, p).headers["etag"] for p in ("aeff", "psf", "gti", "event-list")}
    assert len(etags) == 4


def test_parameters_in_any_case_by_get_and_post(client: httpx.Client) -> None:
    wanted = ask(client, 1, "aeff").content
    sent = {"id": f"{DID}1", "Product": "AEFF"}
    assert client.get("/products", params=sent).content == wanted
    assert client.post("/products", data=sent).content == wanted


@pytest.mark.parametrize(
    ("parameters", "status", "told"),
    [
        ({}, 400, "ID is missing"),
        ({"ID": DID + "1"}, 400, "PRODUCT is missing: it is one of event-list, gti, aeff"),
        ({"ID": DID + "1", "PRODUCT": "../etc/passwd"}, 400, "'../etc/passwd' is not known"),
        ({"ID": DID + "1", "PRODUCT": "rad_max"}, 404, "has no rad_max; it has event-list, gti, aeff"),
        ({"ID": DID + "99", "PRODUCT": "aeff"}, 404, "There is no dataset with the ID"),
        ({"ID": "a\0b", "PRODUCT": "aeff"}, 404, "There is no dataset with the ID"),
        ({"ID": "' OR 1=1 --", "PRODUCT": "aeff"}, 404, "There is no dataset with the ID"),
        ([("ID", DID + "1"), ("ID", DID + "2"), ("PRODUCT", "aeff")], 400, "ID may be given once only"),
    ],
)
def test_errors_are_text(client: httpx.Client, parameters: dict[str, str], status: int, told: str) -> None:
    answer = client.get("/products", params=parameters)
    assert (answer.status_code, told in answer.text) == (status, True), answer.text
    assert answer.headers["content-type"].startswith("text/plain")


def test_sizes_are_known_from_the_database(client: httpx.Client, archive: Archive) -> None:
    for obs_id in (1, 2, 3, 4):
        query = "SELECT product, hdu, hdu_size FROM vo.product WHERE obs_publisher_did = %s"
        rows = archive.rows(query, f"{DID}{obs_id}")
        sizes = {product: size for product, _, size in rows}
        assert len(rows) == 5
        for product, hdu, _ in rows:
            assert product_size(product, sizes, hdu) == len(ask(client, obs_id, product).content)
    assert product_size("aeff", {"aeff": None}, "AEFF") is None
    assert product_size("event-list", {"event-list": 2880, "gti": None}, "EVENTS") is None


def test_damaged_and_changed_files(client: httpx.Client, release: Path) -> None:
    path = release / "2.fits.gz"
    content = path.read_bytes()
    try:
        path.write_bytes(content[: len(content) // 3])
        assert ask(client, 2, "psf").status_code in {404, 500}
        shutil.copy(release / "3.fits", path)
        gone = ask(client, 2, "psf")
        assert (gone.status_code, "not in it any more" in gone.text) == (404, True)
        path.write_bytes(b"\x1f\x8b" + bytes(1000))
        assert ask(client, 2, "psf").status_code == 500
        path.write_bytes(b"")
        assert ask(client, 2, "psf").status_code == 500
    finally:
        path.write_bytes(content)
    assert ask(client, 2, "psf").status_code == 200
