"""The geometry functions of ADQL (2.1, section 4.2) on pgSphere 1.2.

Positions are degrees in ADQL and radians in pgSphere. A position from two columns is rendered as
`spoint(radians(lon), radians(lat))`, the expression that the tables' GiST indexes are on.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from schema.types import CIRCLE, DOUBLE, INTEGER, MOC, POINT, POLYGON, REGION, VARCHAR, Type
from vo_server.adql import nodes
from vo_server.adql.calls import GEOMETRY as SHAPE
from vo_server.adql.calls import LITERAL, NUMBER, POSITION, Arguments, Form
from vo_server.adql.errors import ADQLError, Span
from vo_server.adql.mocs import META, literal_shape
from vo_server.adql.names import Field
from vo_server.adql.spatial import contains, intersects, per_row
from vo_server.adql.stcs import (
    box_corners,
    parse_stcs,
    polygon_area,
    polygon_centroid,
    polygon_fault,
)
from vo_server.adql.terms import INTERVALS, Meta, Shape, Term, Test, number

ICRS = "ICRS"

MAX_VERTICES = 1024
"""Most vertices of pgSphere's polygons."""

SURFACE = Meta(unit="deg**2", ucd="phys.angArea")
PLACE = Meta(unit="deg", ucd="pos.eq")


def shape_of(field: Field, *, stored: bool) -> Shape | None:
    """The geometry that a column holds. With `stored` false the hidden columns are out of reach."""
    kind = field.type.name if field.type is not None else ""
    if kind == "REGION":
        circle, polygon, rest = (
            field.shapes
            if field.shapes is not None and stored
            else tuple(f"vo.stcs_{form}({field.sql})" for form in ("circle", "polygon", "rest"))
        )
        return Shape("region", "", options=(Shape("circle", circle), Shape("polygon", polygon), cap(rest)))
    if kind == "TMOC":
        stored_ranges = field.shapes[0] if field.shapes is not None and stored else None
        return Shape(INTERVALS, stored_ranges or f"vo.tmoc_ranges({field.sql})")
    if kind not in {"POINT", "CIRCLE", "POLYGON", "MOC"}:
        return None
    return Shape(kind.lower(), field.sql, array=field.array if stored else None)


def cap(rest: str) -> Shape:
    """What a circle (SQL) of up to 90 degrees leaves of the sky: the circle about its antipode."""
    opposite = f"spoint(long(center({rest})) + pi(), -lat(center({rest})))"
    return Shape("cap", rest, center=Shape("point", opposite), radius=f"(pi() - radius({rest}))")


def output(term: Term) -> tuple[str, Type]:
    """A geometry as it leaves in a result: a DALI 1.1 (section 3.3) array in degrees, or an ASCII MOC."""
    shape = term.shape
    if term.type is MOC:
        return f"({term.sql})::text", MOC
    if shape is None or term.type not in (POINT, CIRCLE, POLYGON):
        return term.sql, term.type or VARCHAR
    if shape.array is not None:
        return shape.array, term.type
    if shape.degrees is not None:
        array = f"ARRAY[{', '.join(shape.degrees)}]"
        if shape.numbers is not None:
            return array, term.type
        known = f"{shape.sql} IS NOT NULL"
        if shape.computed and shape.center is not None:
            known = f"{shape.center.sql} IS NOT NULL AND {shape.radius} IS NOT NULL"
        return f"CASE WHEN {known} THEN {array} END", term.type
    return _ARRAYS[shape.kind].format(shape.sql), term.type


_ARRAYS = {
    "point": "CASE WHEN {0} IS NOT NULL THEN ARRAY[degrees(long({0})), degrees(lat({0}))] END",
    "circle": (
        "CASE WHEN {0} IS NOT NULL THEN"
        " ARRAY[degrees(long(center({0}))), degrees(lat(center({0}))), degrees(radius({0}))] END"
    ),
    # pgSphere 1.2.0 gives the vertices only as text, in radians with 15 digits.
    "polygon": (
        "(SELECT array_agg(round(degrees(v[1]::float8)::numeric, 12)::float8 ORDER BY i)"
        " FROM regexp_matches(({0})::text, '[-+0-9.e]+', 'g') WITH ORDINALITY AS m(v, i))"
    ),
}


def _degrees(term: Term) -> str:
    """A coordinate as SQL of type double precision."""
    if isinstance(term.constant, (int, float)):
        return number(float(term.constant))
    return term.as_type(DOUBLE)


def _constants(terms: list[Term]) -> tuple[float, ...] | None:
    """The terms' values if all are constant."""
    values = [float(t.constant) for t in terms if isinstance(t.constant, (int, float))]
    return tuple(values) if len(values) == len(terms) else None


def _check_latitude(term: Term) -> None:
    if isinstance(term.constant, (int, float)) and abs(term.constant) > 90:
        raise ADQLError(
            f"the latitude {term.constant} is out of range",
            term.at,
            "latitudes go from -90 to 90 degrees; the longitude comes first",
        )


def _check_order(lon: Term, lat: Term) -> None:
    """ADQLError for coordinates that are columns in the wrong order, as their UCDs tell."""
    if (lon.meta.ucd or "").startswith("pos.eq.dec") and (lat.meta.ucd or "").startswith("pos.eq.ra"):
        hint = f"write {lat.name or 'right ascension'}, {lon.name or 'declination'}"
        raise ADQLError("the declination stands in front of the right ascension", lon.at, hint)


def _latitude(lat: Term) -> str:
    """A latitude as SQL, in degrees; what is no column of latitudes is checked: pgSphere takes 100 for 80."""
    word = (lat.meta.ucd or "").partition(";")[0]
    known = isinstance(lat.constant, (int, float)) or word == "pos.eq.dec" or word.endswith(".lat")
    # An index is on the plain column, and nobody makes one of positions on other values.
    known = known or (lat.origin is not None and lat.origin.indexed)
    return _degrees(lat) if known else f"vo.latitude({_degrees(lat)})"


def _position(lon: Term, lat: Term) -> Shape:
    """The point at (lon, lat) in degrees."""
    _check_latitude(lat)
    _check_order(lon, lat)
    x, y = _degrees(lon), _latitude(lat)
    indexed = (
        lon.origin is not None
        and lat.origin is not None
        and lon.origin.indexed
        and lat.origin.indexed
        and lon.origin.alias == lat.origin.alias
    )
    return Shape(
        "point", f"spoint(radians({x}), radians({y}))", (x, y), _constants([lon, lat]), indexed=indexed
    )


def _point(call: Arguments) -> Term:
    shape = _position(call.number(0), call.number(1))
    return call.result(shape.sql, POINT, PLACE, shape)


def _circle(call: Arguments) -> Term:
    if len(call.terms) == 2:
        center, radius = call.shape(0, "point"), call.number(1)
    else:
        center, radius = _position(call.number(0), call.number(1)), call.number(2)
    shape = _disc(center, _degrees(radius), _constants([radius]), radius.at)
    return call.result(shape.sql, CIRCLE, PLACE, shape)


def _disc(center: Shape, radius: str, constant: tuple[float, ...] | None, at: Span) -> Shape:
    """The circle about `center`, as a cap if its radius is known to exceed 90 degrees."""
    value = constant[0] if constant else 0.0
    if not 0 <= value <= 180:
        raise ADQLError(f"the radius {value} is out of range", at, "radii go from 0 to 180 degrees")
    degrees = (*_coordinates(center), radius)
    numbers = (*center.numbers, value) if center.numbers is not None and constant else None
    angle = f"radians({radius})" if constant else f"vo.disc_radius({radius})"
    if value <= 90:
        return Shape(
            "circle",
            f"scircle({center.sql}, radians({radius}))",
            degrees,
            numbers,
            center=center,
            radius=angle,
            computed="" if constant else radius,
        )
    if center.numbers is not None:
        lon, lat = center.numbers
        opposite = f"spoint(radians({number((lon + 180) % 360)}), radians({number(-lat)}))"
    else:
        opposite = f"spoint(long({center.sql}) + pi(), -lat({center.sql}))"
    rest = f"scircle({opposite}, radians({number(180.0 - value)}))"
    return Shape("cap", rest, degrees, numbers, center=center, radius=angle)


def _polygon(call: Arguments) -> Term:
    form = "POLYGON(lon1, lat1, lon2, lat2, lon3, lat3, ...) or POLYGON(point1, point2, point3, ...)"
    if call.shapes:
        points = [call.shape(i, "point") for i in range(len(call.terms))]
    else:
        if len(call.terms) % 2:
            raise ADQLError("POLYGON has a longitude without a latitude", call.at, f"it is written {form}")
        points = [_position(call.number(i), call.number(i + 1)) for i in range(0, len(call.terms), 2)]
    if len(points) < 3:
        raise ADQLError(
            f"POLYGON has {len(points)} vertices, at least 3 make one", call.at, f"it is written {form}"
        )
    vertices = [c for p in points for c in p.numbers or ()]
    if len(vertices) == 2 * len(points):
        return _constant_polygon(call, vertices)
    degrees = [c for p in points for c in p.degrees or _coordinates(p)]
    pairs = zip(degrees[::2], degrees[1::2], strict=True)
    body = " || 'd),(' || ".join(f"({x})::text || 'd,' || ({y})::text" for x, y in pairs)
    sql = f"('{{(' || {body} || 'd)}}')::spoly"
    return call.result(sql, POLYGON, PLACE, Shape("polygon", sql, tuple(degrees)))


def _coordinates(point: Shape) -> tuple[str, str]:
    """Longitude and latitude of a point, as SQL in degrees."""
    if point.degrees is not None:
        return point.degrees[0], point.degrees[1]
    return f"degrees(long({point.sql}))", f"degrees(lat({point.sql}))"


def _constant_polygon(call: Arguments, vertices: list[float]) -> Term:
    """A polygon with known vertices (lon, lat, ... in degrees), bound as pgSphere's text."""
    pairs = list(zip(vertices[::2], vertices[1::2], strict=True))
    distinct = [p for p, following in zip(pairs, pairs[1:] + pairs[:1], strict=True) if p != following]
    if len(distinct) < 3:
        raise ADQLError("the polygon has fewer than 3 different vertices", call.at)
    for _, lat in distinct:
        if abs(lat) > 90:
            raise ADQLError(
                f"the latitude {lat} is out of range", call.at, "latitudes go from -90 to 90 degrees"
            )
    if len(distinct) > MAX_VERTICES:
        raise ADQLError(f"the polygon has more than {MAX_VERTICES} vertices", call.at)
    fault = polygon_fault(tuple(c for p in distinct for c in p))
    if fault:
        raise ADQLError(fault, call.at, "its vertices go once around it, one after the other")
    text = "{" + ",".join(f"({x!r}d,{y!r}d)" for x, y in distinct) + "}"
    sql = call.parameters.bind(text, "spoly")
    numbers = tuple(c for p in distinct for c in p)
    degrees = tuple(number(c) for c in numbers)
    return call.result(sql, POLYGON, PLACE, Shape("polygon", sql, degrees, numbers))


def _box(call: Arguments) -> Term:
    if len(call.terms) == 3:
        center, sizes = call.shape(0, "point"), [call.number(1), call.number(2)]
    else:
        center, sizes = _position(call.number(0), call.number(1)), [call.number(2), call.number(3)]
    for size in sizes:
        if isinstance(size.constant, (int, float)) and not 0 < size.constant < 180:
            raise ADQLError(
                f"the size {size.constant} is out of range", size.at, "sizes go from 0 to 180 degrees"
            )
    constants = _constants(sizes)
    if center.numbers is not None and constants is not None:
        corners = box_corners(center.numbers[0], center.numbers[1], constants[0], constants[1])
        return _constant_polygon(call, corners)
    width, height = (_degrees(s) for s in sizes)
    x = f"({width} / 2)"
    y = f"degrees(atan(tan(radians({height} / 2)) * cos(radians({width} / 2))))"
    corners_text = (
        f"'{{(' || {x} || 'd,' || {y} || 'd),(-' || {x} || 'd,' || {y} || 'd),(-'"
        f" || {x} || 'd,-' || {y} || 'd),(' || {x} || 'd,-' || {y} || 'd)}}'"
    )
    turned = f"strans(0, -lat({center.sql}), long({center.sql}), 'XYZ')"
    sql = f"strans_poly(({corners_text})::spoly, {turned})"
    return call.result(sql, POLYGON, PLACE, Shape("polygon", sql))


_MOC_TEXT = re.compile(r"\s*[sStT]?\d")


def _region(call: Arguments) -> Term:
    text = call.terms[0].constant
    if not isinstance(text, str):
        raise ADQLError(
            "REGION takes a string literal",
            call.terms[0].at,
            "a column with regions is used as it is, without REGION",
        )
    if _MOC_TEXT.match(text):
        moc = literal_shape(text, call.terms[0].at, call.parameters)
        return call.result(moc.sql, MOC, META, moc)
    try:
        shape, values = parse_stcs(text)
    except ValueError as error:
        raise ADQLError(
            str(error), call.terms[0].at, "for example 'Circle ICRS 10 20 1' or '3/1-3 5'"
        ) from None
    terms = [Term(number(v), DOUBLE, call.terms[0].at, constant=v) for v in values]
    build = {"POSITION": _point, "CIRCLE": _circle, "BOX": _box, "POLYGON": _polygon}[shape]
    return build(replace(call, terms=terms))


def _centroid(call: Arguments) -> Term:
    shape = call.shape(0)
    if shape.kind == "moc":
        raise ADQLError(
            "CENTROID takes no MOC", call.terms[0].at, "points, circles, polygons and regions have a centre"
        )
    result = _center(shape)
    if result is None:
        result = Shape("point", per_row(shape, lambda s: (_center(s) or s).sql))
    return call.result(result.sql, POINT, PLACE, result)


def _center(shape: Shape) -> Shape | None:
    """The centre of one shape; None for a region, which may be of either kind."""
    if shape.options:
        return None
    if shape.kind == "point":
        return shape
    if shape.center is not None:
        return shape.center
    if shape.kind == "polygon" and shape.numbers is not None:
        lon, lat = polygon_centroid(shape.numbers)
        x, y = number(lon), number(lat)
        return Shape("point", f"spoint(radians({x}), radians({y}))", (x, y), (lon, lat))
    function = {"circle": "center", "polygon": "vo.spoly_centroid"}[shape.kind]
    return Shape("point", f"{function}({shape.sql})")


COORDINATES = {
    "pos.galactic": ("pos.galactic.lon", "pos.galactic.lat"),
    "pos.supergalactic": ("pos.supergalactic.lon", "pos.supergalactic.lat"),
    "pos.ecliptic": ("pos.ecliptic.lon", "pos.ecliptic.lat"),
}
"""The UCDs of coordinates by that of their position; others are equatorial."""


def _coordinate(index: int) -> Callable[[Arguments], Term]:
    def coordinate(call: Arguments) -> Term:
        point = call.shape(0, "point")
        ucds = COORDINATES.get(call.terms[0].meta.ucd or "", ("pos.eq.ra", "pos.eq.dec"))
        sql = _coordinates(point)[index]
        if point.degrees is not None and point.numbers is None:
            sql = f"CASE WHEN {point.sql} IS NOT NULL THEN {sql} END"
        return call.result(sql, DOUBLE, Meta(unit="deg", ucd=ucds[index]))

    return coordinate


def _coordsys(call: Arguments) -> Term:
    call.shape(0)
    return call.result(call.parameters.bind(ICRS), VARCHAR, Meta(ucd="meta.code;pos.frame"))


def _area(call: Arguments) -> Term:
    return call.result(per_row(call.shape(0), _square_degrees), DOUBLE, SURFACE)


def _square_degrees(shape: Shape) -> str:
    if shape.kind == "point":
        return f"CASE WHEN {shape.sql} IS NOT NULL THEN 0::float8 END"
    if shape.kind in {"circle", "cap"}:
        # pgSphere's 1 - cos(r) loses the digits of small circles.
        radius = shape.radius or f"radius({shape.sql})"
        area = f"degrees(degrees(4 * pi() * power(sin({radius} / 2), 2)))"
        return area if shape.center is None else f"CASE WHEN {shape.center.sql} IS NOT NULL THEN {area} END"
    if shape.kind == "polygon" and shape.numbers is not None:
        return number(polygon_area(shape.numbers))
    return f"degrees(degrees(area({shape.sql})))"


def _distance(call: Arguments) -> Term:
    if len(call.terms) == 2:
        points = (call.shape(0, "point"), call.shape(1, "point"))
    else:
        points = (_position(call.number(0), call.number(1)), _position(call.number(2), call.number(3)))
    sql = f"degrees({points[0].sql} <-> {points[1].sql})"
    term = call.result(sql, DOUBLE, Meta(unit="deg", ucd="pos.angDistance"))
    term.separation = points
    return term


def _relation(relate: Callable[[Shape, Shape], Test]) -> Callable[[Arguments], Term]:
    """A relation between two shapes on the sky, or between two T-MOCs."""

    def build(call: Arguments) -> Term:
        left, right = (t.shape for t in call.terms)
        if not (left and right and left.kind == right.kind == INTERVALS):
            left, right = call.shape(0), call.shape(1)
        test = relate(left, right)
        term = call.result(f"({test.exact})::integer", INTEGER, Meta())
        term.test = test
        return term

    return build


@dataclass(frozen=True, slots=True)
class GeometryFunction:
    """A function of ADQL's geometry: how it is written, what it does, how it is built.

    `result` is the type of the value; that of REGION is one of several. A frame may come first where
    `takes_frame` says so.
    """

    forms: tuple[Form, ...]
    result: Type
    doc: str
    build: Callable[[Arguments], Term]
    takes_frame: bool = False
    literal: bool = False

    def written(self, name: str) -> str:
        """All forms, as messages show them."""
        return " or ".join(form.written(name) for form in self.forms)

    def begins_with_frame(self, arguments: list[nodes.Value]) -> bool:
        """Whether the first argument is a coordinate system: a string, or a NULL that is one too many."""
        if not (self.takes_frame and arguments):
            return False
        count = len(arguments)
        return isinstance(arguments[0], nodes.String) or (
            isinstance(arguments[0], nodes.Null) and not self.kinds(count) and bool(self.kinds(count - 1))
        )

    def kinds(self, count: int) -> list[tuple[str, ...]]:
        """The kinds of `count` arguments, by each form that can have so many."""
        return [tuple(map(f.kind, range(count))) for f in self.forms if f.takes(count)]


LONLAT = (("lon", NUMBER), ("lat", NUMBER))
AT = (("point", POSITION),)
ONE = (Form((("geometry", SHAPE),)),)
OF_POINT = (Form(AT),)
SIZE = (("width", NUMBER), ("height", NUMBER))
CORNERS = tuple((f"{name}{i}", NUMBER) for i in (1, 2, 3) for name in ("lon", "lat"))
VERTICES = tuple((f"point{i}", POSITION) for i in (1, 2, 3))

GEOMETRY: dict[str, GeometryFunction] = {
    "POINT": GeometryFunction(
        (Form(LONLAT),), POINT, "A position (lon, lat) in degrees.", _point, takes_frame=True
    ),
    "CIRCLE": GeometryFunction(
        (Form((*LONLAT, ("radius", NUMBER))), Form((*AT, ("radius", NUMBER)))),
        CIRCLE,
        "A circle (lon, lat, radius) or (point, radius); radii up to 180 degrees.",
        _circle,
        takes_frame=True,
    ),
    "POLYGON": GeometryFunction(
        (Form(CORNERS, repeated=2), Form(VERTICES, repeated=1)),
        POLYGON,
        "A polygon of great circles (lon1, lat1, lon2, lat2, ...) or (point1, point2, ...); its area is"
        " the smaller side, whatever the order of the vertices.",
        _polygon,
        takes_frame=True,
    ),
    "BOX": GeometryFunction(
        (Form((*LONLAT, *SIZE)), Form((*AT, *SIZE))),
        POLYGON,
        "A box (lon, lat, width, height) or (point, width, height), as a polygon of great circles.",
        _box,
        takes_frame=True,
    ),
    "REGION": GeometryFunction(
        (Form((("text", LITERAL),)),),
        REGION,
        "A region from a string: Circle, Polygon, Box or Position in ICRS as STC-S, or an ASCII MOC.",
        _region,
        literal=True,
    ),
    "CENTROID": GeometryFunction(ONE, POINT, "The centre of a point, circle, polygon or region.", _centroid),
    "COORD1": GeometryFunction(OF_POINT, DOUBLE, "The longitude of a point in degrees.", _coordinate(0)),
    "COORD2": GeometryFunction(OF_POINT, DOUBLE, "The latitude of a point in degrees.", _coordinate(1)),
    "COORDSYS": GeometryFunction(
        ONE, VARCHAR, "The coordinate system of a geometry: always ICRS.", _coordsys
    ),
    "AREA": GeometryFunction(ONE, DOUBLE, "The area of a geometry or MOC in square degrees.", _area),
    "DISTANCE": GeometryFunction(
        (
            Form((("point1", POSITION), ("point2", POSITION))),
            Form((("lon1", NUMBER), ("lat1", NUMBER), ("lon2", NUMBER), ("lat2", NUMBER))),
        ),
        DOUBLE,
        "The angular distance in degrees between (point, point) or (lon1, lat1, lon2, lat2).",
        _distance,
    ),
    "CONTAINS": GeometryFunction(
        (Form((("inner", SHAPE), ("outer", SHAPE))),),
        INTEGER,
        "1 if the first geometry lies within the second, else 0. A point is compared with the cells of a"
        " MOC itself, a circle or polygon as a MOC with cells of less than a hundredth of its size.",
        _relation(contains),
    ),
    "INTERSECTS": GeometryFunction(
        (Form((("a", SHAPE), ("b", SHAPE))),),
        INTEGER,
        "1 if the two geometries have a point in common, else 0. With MOCs as CONTAINS.",
        _relation(intersects),
    ),
}
"""The register of geometry functions."""
