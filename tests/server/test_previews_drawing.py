"""What previews look like: their words, their sizes, nothing clipped, nothing drawn over another."""

import io
import re
from collections.abc import Callable

import matplotlib as mpl
import numpy as np
import pytest
from lxml import etree
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from vo_server.previews import drawing
from vo_server.previews.counting import counts_map, event_rate, sky_frame, spectrum
from vo_server.previews.drawing import Caption, Marks

CRAB = Caption("HESS-DL3-DR1", "23523", "Crab Nebula", False, "2004-12-04 22:07:06")
ODD = Caption("SIM <&> $x^2$ " + "long " * 20, "1\n2", "a $ and a & of a target " * 5, True, None)
MARKS = Marks((83.63, 21.51), (83.63, 22.01), 5.0, ())

Draw = Callable[[int, Caption], Figure]


@pytest.fixture(autouse=True, scope="module")
def _style() -> None:
    drawing.use_style()


def sky(number: int, caption: Caption, dec: float = 21.51, ra: float = 83.63) -> Figure:
    random = np.random.default_rng(1)
    frame = sky_frame(ra, dec, 5.0, number)
    x, y = random.normal(frame.side // 2, frame.side / 8, (2, number))
    block = tuple(np.atleast_1d(c) for c in frame.wcs.wcs_pix2world(x, y, 0))
    return drawing.draw_counts_map(counts_map([block], frame), MARKS, caption)


def energies(number: int, caption: Caption) -> Figure:
    energy = np.random.default_rng(1).pareto(1.5, number) + 0.1
    return drawing.draw_spectrum(spectrum([(energy,)]), caption)


def rates(number: int, caption: Caption) -> Figure:
    time = np.linspace(0, 1700, number)
    good = np.array([[100.0, 700.0], [900.0, 1700.0]])
    return drawing.draw_event_rate(event_rate([(time,)], good, (0, 1700), number), caption)


def words(figure: Figure) -> set[str]:
    """The texts that are seen."""
    root = etree.fromstring(drawing.picture(figure, "svg", "x"))
    return {"".join(t.itertext()).strip() for t in root.iter("{http://www.w3.org/2000/svg}text")}


def tidy(figure: Figure) -> bool:
    """Whether all that is drawn lies within the picture, and no title, note or axis over another."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    drawn = figure.get_tightbbox(renderer)
    inside = (
        drawn.x0 >= 0 <= drawn.y0 and drawn.x1 <= figure.get_figwidth() and drawn.y1 <= figure.get_figheight()
    )
    boxes = [text.get_window_extent(renderer) for text in figure.texts]
    boxes += [axes.get_tightbbox(renderer) for axes in figure.axes]
    apart = not any(box.overlaps(other) for i, box in enumerate(boxes) for other in boxes[i + 1 :])
    return bool(inside and apart)


@pytest.mark.parametrize("caption", [CRAB, ODD])
@pytest.mark.parametrize("number", [0, 1, 5000, 500_000])
@pytest.mark.parametrize("draw", [sky, energies, rates])
def test_nothing_is_clipped_or_written_over(draw: Draw, number: int, caption: Caption) -> None:
    assert tidy(draw(number, caption))


@pytest.mark.parametrize(("ra", "dec"), [(10.0, 89.5), (10.0, -88.0), (0.1, 30.0), (200.0, 86.0)])
def test_maps_at_the_poles_and_across_zero_hours(ra: float, dec: float) -> None:
    figure = sky(3000, CRAB, dec, ra)
    assert tidy(figure)
    said = words(figure)
    assert any(re.match(r"\d\d?ʰ", text) for text in said)
    assert any(re.match(r"\D?\d\d?°$", text) for text in said)


def test_the_judge_of_tidiness_sees() -> None:
    figure = energies(10, CRAB)
    assert tidy(figure)
    figure.text(0.9, 0.5, "too long for this place")
    assert not tidy(figure)


@pytest.mark.parametrize("draw", [sky, energies, rates])
def test_texts_of_an_svg_are_texts(draw: Draw) -> None:
    content = drawing.picture(draw(5000, CRAB), "svg", "HESS: x & y")
    root = etree.fromstring(content)
    texts = {"".join(t.itertext()).strip() for t in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"HESS-DL3-DR1, observation 23523", "Crab Nebula"} <= texts
    assert not root.findall(".//{*}script")
    assert len(content) < 150_000


def test_names_are_no_formulas_and_no_markup() -> None:
    root = etree.fromstring(drawing.picture(energies(10, ODD), "svg", "x"))
    texts = ["".join(t.itertext()) for t in root.iter("{http://www.w3.org/2000/svg}text")]
    assert any(t.startswith("SIM <&> $x^2$ long") and t.endswith("…") for t in texts)
    assert any(t.startswith("a $ and a & of a target") for t in texts)


@pytest.mark.parametrize("draw", [sky, energies, rates])
def test_simulated_data_are_called_so(draw: Draw) -> None:
    assert any(text.endswith("… (simulated data)") for text in words(draw(10, ODD)))
    assert not any("simulated" in text for text in words(draw(10, CRAB)))


@pytest.mark.parametrize("draw", [sky, energies, rates])
@pytest.mark.parametrize("form", ["png", "svg"])
def test_the_same_data_give_the_same_picture(draw: Draw, form: str) -> None:
    assert drawing.picture(draw(500, CRAB), form, "x") == drawing.picture(draw(500, CRAB), form, "x")


def test_what_a_map_says() -> None:
    figure = sky(5000, CRAB)
    said = words(figure)
    assert {"Right ascension (ICRS)", "Declination (ICRS)", "Counts per pixel"} <= said
    assert {"pointing", "target", "field of view 5°"} <= said
    assert "no events" in words(sky(0, CRAB))


def test_what_the_plots_say() -> None:
    said = words(rates(5000, CRAB))
    assert {"Time since 2004-12-04 22:07:06 UTC (min)", "Event rate (Hz)", "not in good time"} <= said
    assert {"Reconstructed energy (TeV)", "Counts per bin"} <= words(energies(9, CRAB))


def test_sizes() -> None:
    picture = Image.open(io.BytesIO(drawing.picture(sky(5000, CRAB), "png", "x")))
    assert (picture.width, picture.height) == (1280, 1210)
    frame = sky_frame(0, 0, 5, 10)
    thumbnail = drawing.draw_thumbnail(counts_map([], frame), MARKS, CRAB)
    assert Image.open(io.BytesIO(drawing.picture(thumbnail, "png", "x"))).size == (256, 256)


def test_colours_of_the_map_grow_in_lightness() -> None:
    colours = mpl.colormaps[drawing._COLOURS](np.linspace(0, 1, 64))[:, :3]
    lightness = colours @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(lightness) > 0).all()


@pytest.mark.parametrize("dec", [89.8, -90.0])
def test_labels_beside_a_pole_stand_by_themselves(dec: float) -> None:
    seen = words(sky(1000, CRAB, dec=dec))
    assert any(re.fullmatch("[−]?8[0-9]°[0-9]+′", word) for word in seen)  # noqa: RUF001  minus sign, primes
    assert not any(re.fullmatch("[0-9]+′", word) for word in seen)  # noqa: RUF001  primes


@pytest.mark.parametrize("number", [0, 1, 1000])
def test_an_axis_of_energies_has_two_powers_of_ten(number: int) -> None:
    low, high = energies(number, CRAB).axes[0].get_xlim()
    assert high / low > 100
