"""User defined functions through TAP: arrays in every format, and faults told in the user's words."""

import io

import httpx
import pytest
from astropy.io.votable import parse_single_table

HISTOGRAM = "SELECT ivo_histogram(column_index, 2, 5, 3) AS h FROM tap_schema.columns"


def ask(client: httpx.Client, query: str, response_format: str = "votable") -> httpx.Response:
    data = {"LANG": "ADQL", "QUERY": query, "RESPONSEFORMAT": response_format}
    return client.post("/tap/sync", data=data)


@pytest.mark.parametrize("name", ["votable", "votable/td", "csv", "tsv"])
def test_a_histogram_travels_as_an_array(client: httpx.Client, name: str) -> None:
    listed = ask(client, "SELECT column_index FROM tap_schema.columns", "csv").text.split()[1:]
    indexes = [int(i) for i in listed]
    expected = [
        sum(i < 2 for i in indexes),
        sum(i == 2 for i in indexes),
        sum(i == 3 for i in indexes),
        sum(i in (4, 5) for i in indexes),
        sum(i > 5 for i in indexes),
    ]
    assert min(expected) > 0
    answer = ask(client, HISTOGRAM, name)
    assert answer.status_code == 200
    if name.startswith("votable"):
        table = parse_single_table(io.BytesIO(answer.content))
        (field,) = table.fields
        assert (field.datatype, field.arraysize, field.ucd) == ("int", "*", "meta.number")
        assert table.array["h"][0].tolist() == expected
    else:
        assert answer.text.splitlines()[1].strip('"') == " ".join(map(str, expected))


@pytest.mark.parametrize(
    ("call", "message", "marked"),
    [
        (
            "ivo_epoch_prop_pos(1, 2, 3, 4, 5, 6, column_index * NULL, 2000)",
            "ivo_epoch_prop_pos takes no NULL for ra, dec, ref_epoch or out_epoch (line 1, column 14)",
            "column_index * NULL",
        ),
        (
            "ivo_histogram(column_index, column_index, 1, 5)",
            "ivo_histogram takes a lower limit that is below the upper limit (line 1, column 14)",
            "column_index, 1, 5",
        ),
    ],
)
def test_faults_of_the_data(client: httpx.Client, call: str, message: str, marked: str) -> None:
    answer = ask(client, f"SELECT TOP 1 {call} AS v FROM tap_schema.columns")
    assert answer.status_code == 400
    assert message in answer.text
    assert marked in answer.text
