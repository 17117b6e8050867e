"""Geometries in reference frames: the calls of POINT and the like, and `ivo_geom_transform`.

What is constant is turned here, so that an index still serves the columns that it is compared with;
what is not, in the database. Of `ivo_geom_transform`: catalogue of functions 1.2, section 2.2.2.
"""

from collections.abc import Callable
from dataclasses import replace

from schema.types import CIRCLE, DOUBLE, POINT, POLYGON, REGION, VARCHAR, Type
from vo_server.adql import nodes
from vo_server.adql.calls import Arguments
from vo_server.adql.errors import ADQLError, did_you_mean
from vo_server.adql.frames import FRAMES, UCDS, Matrix, euler_angles, rotated, rotation
from vo_server.adql.geometry import GEOMETRY, cap
from vo_server.adql.stcs import frame_of, region_frame
from vo_server.adql.terms import Meta, Parameters, Shape, Term, number

KINDS: dict[str, tuple[Type, str, int]] = {
    "point": (POINT, "POINT", 2),
    "circle": (CIRCLE, "CIRCLE", 2),
    "cap": (CIRCLE, "CIRCLE", 2),
    "polygon": (POLYGON, "POLYGON", 0),
}
"""By kind of shape: its type, what makes it of numbers, how many of these are coordinates (0: all)."""

TURNED = {
    "point": "strans_point",
    "circle": "strans_circle",
    "cap": "strans_circle",
    "polygon": "strans_poly",
}
"""By kind of shape: pgSphere's function that turns it."""


def geom_transform(call: Arguments) -> Term:
    """The value of ivo_geom_transform(from_sys, to_sys, geo). Raises ADQLError for unknown frames."""
    source, target = _frame(call.terms[0]), _frame(call.terms[1])
    shape, matrix = call.shape(2, *KINDS, "region"), rotation(source, target)
    meta = Meta(unit="deg", ucd=UCDS[target])
    if shape.options:
        return _region(call, shape, matrix, target)
    if matrix is not None and shape.numbers is not None:
        return _constant(call, shape, matrix, meta)
    kind, _, _ = KINDS[shape.kind]
    result = shape if matrix is None else _turned(shape, _strans(matrix))
    return call.result(result.sql, kind, meta, result)


def _frame(term: Term) -> str:
    name = str(term.constant)
    if name not in FRAMES:
        known = f"known are {', '.join(FRAMES)}, in upper case"
        hint = "; ".join(filter(None, (did_you_mean(name, list(FRAMES)), known)))
        raise ADQLError(f"unknown reference frame '{name[:80]}'", term.at, hint)
    return name


def _strans(matrix: Matrix) -> str:
    """The rotation as a value of pgSphere."""
    return f"strans({', '.join(map(number, euler_angles(matrix)))}, 'ZXZ')"


def _constant(call: Arguments, shape: Shape, matrix: Matrix, meta: Meta) -> Term:
    """A geometry of known numbers, made anew of the turned ones."""
    _, name, count = KINDS[shape.kind]
    values = list(shape.numbers or ())
    for i in range(0, count or len(values), 2):
        values[i : i + 2] = rotated(values[i], values[i + 1], matrix)
    terms = [Term(number(v), DOUBLE, call.at, constant=v) for v in values]
    return replace(GEOMETRY[name].build(replace(call, name=name, terms=terms)), meta=meta)


def _turned(shape: Shape, strans: str) -> Shape:
    sql = f"{TURNED[shape.kind]}({shape.sql}, {strans})"
    if shape.center is None or shape.degrees is None:
        return cap(sql) if shape.kind == "cap" else Shape(shape.kind, sql)
    center = _turned(shape.center, strans)
    degrees = (f"degrees(long({center.sql}))", f"degrees(lat({center.sql}))", shape.degrees[2])
    return replace(shape, sql=sql, degrees=degrees, numbers=None, center=center)


def _region(call: Arguments, shape: Shape, matrix: Matrix | None, target: str) -> Term:
    """A shape by row; as text it names its frame, and in other frames it is no region column."""
    if matrix is not None:
        strans = _strans(matrix)
        shape = replace(shape, options=tuple(_turned(option, strans) for option in shape.options))
    forms = ", ".join(option.sql for option in shape.options)
    sql = f"vo.region_text({forms}, {call.parameters.bind(target)})"
    return call.result(sql, REGION if target == "ICRS" else VARCHAR, Meta(ucd="pos.outline"), shape)


def build_geometry(call: nodes.Call, render: Callable[[nodes.Value], Term], parameters: Parameters) -> Term:
    """The value of a call of a GEOMETRY function, its arguments rendered by `render`.

    A coordinate system in front of known numbers is respected: they are turned to the ICRS.
    """
    name = call.name.upper()
    function = GEOMETRY[name]
    arguments = call.arguments
    frame, at = "ICRS", call.at
    if function.begins_with_frame(arguments):
        first, *arguments = arguments
        if isinstance(first, nodes.String):
            frame, at = _frame_in(first, frame_of), first.at
    elif function.literal and arguments and isinstance(arguments[0], nodes.String):
        frame = _frame_in(arguments[0], region_frame)
    if function.literal:
        terms = [
            Term("", VARCHAR, a.at, constant=a.value) if isinstance(a, nodes.String) else render(a)
            for a in arguments
        ]
    else:
        terms = [render(a) for a in arguments]
    # What repeats is counted in pairs or points by the function itself.
    if not any(form.repeated or form.takes(len(terms)) for form in function.forms):
        written = f"it is written {function.written(name)}"
        raise ADQLError(f"{name} has {len(terms)} arguments", call.at, written)
    arranged = Arguments(name, call.at, terms, parameters)
    term = function.build(arranged)
    matrix = rotation(frame, "ICRS")
    if matrix is None or term.shape is None:
        return term
    if term.shape.numbers is None:
        hint = f"ivo_geom_transform('{frame}', 'ICRS', {name}(...)) brings columns to the ICRS"
        raise ADQLError(f"{frame} is taken in front of numbers only", at, hint)
    return _constant(arranged, term.shape, matrix, term.meta)


def _frame_in(node: nodes.String, read: Callable[[str], str]) -> str:
    """The frame of FRAMES that a string names."""
    try:
        return read(node.value)
    except ValueError as error:
        raise ADQLError(str(error), node.at) from None
