"""What users see when the database finds fault with the data: over a socket, at once and in mid-stream."""

import httpx
import pytest

from tests.xmlcheck import VOTABLE, parsed

NS = {"v": VOTABLE}

FAULTY = [
    (
        "SELECT 1 / (schema_index - schema_index) FROM tap_schema.schemas",
        "division by zero (line 1, column 12)",
    ),
    (
        "SELECT CAST(schema_name AS INTEGER) FROM tap_schema.schemas",
        "not written as one of that type (line 1, column 8)",
    ),
    ("SELECT CAST(description AS TIMESTAMP) FROM tap_schema.schemas", "not a timestamp (line 1, column 8)"),
    ("SELECT LOG(schema_index - 1000)\nFROM tap_schema.schemas", "not above 0 (line 1, column 8)"),
    ("SELECT SQRT(-1.0 * schema_index) FROM tap_schema.schemas", "not a real number (line 1, column 8)"),
    ("SELECT 2147483647 * schema_index * 9\nFROM tap_schema.schemas", "too large for its type"),
    ("SELECT POWER(10, 300 * (schema_index + 1)) FROM tap_schema.schemas", "too large for its type"),
]


@pytest.mark.parametrize(("text", "words"), FAULTY)
def test_a_fault_in_the_data_is_told_in_the_words_of_the_query(
    client: httpx.Client, text: str, words: str
) -> None:
    answer = client.get("/tap/sync", params={"LANG": "ADQL", "QUERY": text})
    assert answer.status_code == 400
    (info,) = parsed(answer.content).findall("v:RESOURCE/v:INFO", NS)
    shown = info.text or ""
    assert words in shown
    assert "^" in shown
    for secret in ('"', "::", "$1", "float8", "tap_schema.schemas AS"):
        assert secret not in shown.replace(text, "")


def test_a_fault_behind_the_first_rows_ends_the_document(client: httpx.Client) -> None:
    text = (
        "SELECT c1.column_index FROM tap_schema.columns AS c1, tap_schema.columns AS c2,"
        " tap_schema.columns AS c3 WHERE c3.column_index < 10"
        " UNION ALL SELECT 1 / (schema_index - schema_index) FROM tap_schema.schemas"
    )
    answer = client.get("/tap/sync", params={"LANG": "ADQL", "QUERY": text, "MAXREC": "10000000"})
    assert answer.status_code == 200
    infos = parsed(answer.content).findall(".//v:INFO[@name='QUERY_STATUS']", NS)
    assert [i.get("value") for i in infos] == ["OK", "ERROR"]
    assert f"division by zero (line 1, column {text.index('(schema_index') + 1})" in (infos[-1].text or "")
