"""The fields of computed columns, as clients read them from the VOTable of a served query."""

import html
import io

import httpx
import pyvo
from astropy import units as u
from astropy.io.votable import parse_single_table

QUERY = """
SELECT MAX(t_exptime), AVG(s_ra) AS middle, COUNT(*) AS n, IN_UNIT(MAX(em_max) - MIN(em_min), 'nm') AS width,
    SQRT(POWER(MAX(s_fov), 2)) AS field, MIN(obs_id) || ': ' || COUNT(*) AS label,
    AVG(DISTANCE(s_ra, s_dec, 83.63, 22.01)) AS offset_angle, SUM(access_estsize) AS total
FROM ivoa.obscore
"""

EXPECTED = {
    "max": ("double", "s", "time.duration;obs.exposure;stat.max", "MAX(t_exptime)"),
    "middle": ("double", "deg", "pos.eq.ra;stat.mean", "AVG(s_ra)"),
    "n": ("long", None, "meta.number", "COUNT(*)"),
    "width": ("double", "nm", None, "IN_UNIT(MAX(em_max) - MIN(em_min), 'nm')"),
    "field": ("double", "deg", None, "SQRT(POWER(MAX(s_fov), 2))"),
    "label": ("char", None, None, "MIN(obs_id) || ': ' || COUNT(*)"),
    "offset_angle": (
        "double",
        "deg",
        "pos.angDistance;stat.mean",
        "AVG(DISTANCE(s_ra, s_dec, 83.63, 22.01))",
    ),
    "total": ("long", "kbyte", "phys.size;meta.file;arith.sum", "SUM(access_estsize)"),
}


def test_astropy_reads_the_fields(client: httpx.Client) -> None:
    for _ in range(2):  # the second answer comes from the cache of translations
        answer = client.get("/tap/sync", params={"LANG": "ADQL", "QUERY": QUERY})
        table = parse_single_table(io.BytesIO(answer.content), verify="exception")
        found = {
            f.name: (f.datatype, str(f.unit) if f.unit else None, f.ucd, f.description) for f in table.fields
        }
        assert found == EXPECTED
        assert all(f.utype is None for f in table.fields)


def test_pyvo_makes_quantities(client: httpx.Client) -> None:
    service = pyvo.dal.TAPService(f"{client.base_url}/tap")
    result = service.search(
        "SELECT IN_UNIT(42 * MAX(s_ra) / MAX(t_exptime), 'mas/s') AS rate,"
        " MIN(s_ra) / MAX(t_exptime) AS slow, MAX(s_fov) * MAX(s_fov) AS field FROM ivoa.obscore"
    )
    table = result.to_qtable()
    assert table["rate"].unit == u.mas / u.s
    assert table["slow"].unit == u.deg / u.s
    assert table["field"].unit == u.deg**2


def test_errors_in_units_reach_the_user(client: httpx.Client) -> None:
    answer = client.get(
        "/tap/sync", params={"LANG": "ADQL", "QUERY": "SELECT IN_UNIT(s_ra, 'arcsecs') FROM ivoa.obscore"}
    )
    assert answer.status_code == 400
    text = html.unescape(answer.text)
    assert "unknown unit 'arcsecs' (line 1, column 22)" in text
    assert "did you mean arcsec" in text
