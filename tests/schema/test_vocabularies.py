"""Terms and UCDs that are used anywhere, against the pinned copies."""

import re
from pathlib import Path

import pytest

from ingest.fluxpoints import MEASURES
from schema import vocabularies
from schema.collection import Collection, CollectionError
from schema.load import catalogue
from schema.model import SchemaError, Table
from vo_server.datalink import answer, links, services
from vo_server.previews import kinds
from vo_server.registry import coverage, records
from vo_server.results import votable
from vo_server.sia import parameters as sia
from vo_server.soda import parameters as soda
from vo_server.ssa import fields
from vo_server.ssa import parameters as ssa

PROPOSED = {"instr.detection", "meta.ref.pdgid"}
"""Words of the high-energy extension that are only proposed; README.md says so."""

COLLECTION = Collection("a", "a", events=True)


@pytest.mark.parametrize("path", sorted(vocabularies.PINNED.glob("*.txt")), ids=lambda p: p.stem)
def test_copies_say_where_they_are_from(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert re.match(r"# (Terms|Words) of .*(version \d{4}-\d\d-\d\d|v1\.6)", text)
    assert re.search(r"# Source: https://github.com/ivoa-std/\w+, \S+, commit [0-9a-f]{12}\.", text)
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert len(lines) == len(set(lines)) > 2


@pytest.mark.parametrize("table", catalogue((COLLECTION,)).tables, ids=lambda t: t.full_name)
def test_ucds_of_columns(table: Table) -> None:
    found = {
        (column.name, problem)
        for column in table.columns
        for problem in vocabularies.ucd_problems(column.ucd or "meta.id")
        if problem.split()[0] not in PROPOSED
    }
    assert found == set()


def test_proposed_words_are_not_words_yet() -> None:
    assert not set(vocabularies.ucd_words()) & PROPOSED


def test_ucds_of_services() -> None:
    """Those of parameters, and of answers that are not tables of the catalogue."""
    told = {
        "sia": sia.PARAMETERS,
        "soda": soda.PARAMETERS,
        "ssa": ssa.PARAMETERS,
        "ssa answer": fields.fields(fields.FORMS[0], ""),
        "datalink": answer.COLUMNS,
    }
    found = {(place, d.name): d.ucd for place, described in told.items() for d in described if d.ucd}
    found |= {("flux points", name): measure.ucd for name, measure in MEASURES.items() if measure.ucd}
    assert {key: ucd for key, ucd in found.items() if vocabularies.ucd_problems(ucd)} == {}
    assert found["sia", "SPATRES"] == "pos.angResolution"
    assert found["ssa answer", "aperture"] == "phys.angSize;instr.fov"
    assert found["flux points", "dnde"] == "phot.flux.density;em.gamma"


@pytest.mark.parametrize(
    ("ucd", "told"),
    [
        ("pos.eq.ra;meta.main", []),
        ("time.start;obs.exposure", []),
        ("stat.max;em.wl", ["stat.max must not stand first"]),
        ("em.wl;meta.code", ["meta.code must stand first"]),
        ("em.wl;nonsense", ["nonsense is not a word of UCD1+"]),
        ("em.wl;", ["'' does not have the form of a word"]),
        ("POS EQ", ["'POS EQ' does not have the form of a word"]),
    ],
)
def test_ucd_problems(ucd: str, told: list[str]) -> None:
    assert vocabularies.ucd_problems(ucd) == told


def test_semantics_of_links() -> None:
    used = {soda.semantics for soda in (services.CUTOUT, services.CUTOUTS)}
    source = links.__file__
    with open(source, encoding="utf-8") as file:
        used |= set(re.findall(r'"(#[a-z-]+)"', file.read()))
    used |= {kind.semantics for kind in kinds.KINDS.values()}
    assert len(used) > 5
    assert {term for term in used if vocabularies.problem("datalink-core", term.removeprefix("#"))} == set()


def test_qualifiers_of_links() -> None:
    for uri in links.QUALIFIERS.values():
        vocabulary, _, term = uri.removeprefix("http://www.ivoa.net/rdf/").partition("#")
        assert vocabularies.problem(vocabulary, term) is None


def test_frames_and_scales_of_results() -> None:
    with open(votable.__file__, encoding="utf-8") as file:
        text = file.read()
    for name, vocabulary in (
        ("timescale", "timescale"),
        ("refposition", "refposition"),
        ("system", "refframe"),
    ):
        used = set(re.findall(rf'{name}="([A-Za-z0-9_]+)"', text))
        assert used, name
        assert {term for term in used if vocabularies.problem(vocabulary, term)} == set()


def test_product_types() -> None:
    assert vocabularies.problem("product-type", Collection("a", "a").product_type) is None
    assert vocabularies.problem("product-type", links.EVENT_BUNDLE) is None


def test_terms_of_records() -> None:
    subjects = {s for found in (*records.SUBJECTS.values(), records.COSMIC_RAYS) for s in found}
    assert {s for s in subjects if vocabularies.problem("uat", s)} == set()
    assert {w for w in coverage.WAVEBANDS.values() if vocabularies.problem("messenger", w)} == set()


def test_terms_are_told_with_what_may_have_been_meant() -> None:
    told = vocabularies.problem("uat", "Gamma ray astronomy")
    assert told is not None
    assert told.startswith("'Gamma ray astronomy' is not in the vocabulary uat; perhaps gamma-ray-astronomy")
    assert vocabularies.problem("uat", "x" * 50) == f"{'x' * 50!r} is not in the vocabulary uat"
    with pytest.raises(SchemaError, match="no pinned vocabulary"):
        vocabularies.terms("nonsense")


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"subjects": ("crab",)}, "'crab' is not in the vocabulary uat"),
        ({"doi": "https://doi.org/10.1/x"}, "a DOI without anything in front"),
        ({"orcids": ("0000-0002-1825-0097",)}, "1 for 0 creators"),
        ({"creators": ("A",), "orcids": ("0000-0002-1825-0098",)}, "is not an ORCID"),
        ({"creators": ("A",), "orcids": ("X",)}, "is not an ORCID"),
    ],
)
def test_wrong_keys(keys: dict[str, object], told: str) -> None:
    with pytest.raises(CollectionError, match=told):
        Collection("a", "a", **keys)  # type: ignore[arg-type]  # of any type: some are wrong


def test_right_keys() -> None:
    collection = Collection(
        "a",
        "a",
        creators=("Josiah Carberry", "B"),
        orcids=("0000-0002-1825-0097", ""),
        doi="10.5281/zenodo.1421099",
        subjects=("gamma-ray-astronomy",),
    )
    assert Collection.from_json(collection.to_json()) == collection
    assert Collection("a", "a", creators=("S",), orcids=("0000-0001-5109-3700",)).orcids
    assert Collection("a", "a", creators=("X",), orcids=("0000-0002-1694-233X",)).orcids
