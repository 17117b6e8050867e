"""SQL functions behind MOCs of space and time.

Revision ID: 0003
Revises: 0002
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# pgSphere's smoc() cannot be cancelled and takes memory with the number of its cells, which grows with
# the border: a circle of 90 degrees takes 34 ms at order 14, but 2.2 s and 300 MB at order 20. So the
# order is limited by the size. smoc_disc takes cells beside the circle along; three orders deeper and
# degraded, what is left of that is an eighth of a cell.
LIMITS = """
CREATE FUNCTION vo.moc_order(wanted integer, size double precision) RETURNS integer
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    most CONSTANT integer := least(29, floor(log(2.0, (4096 / greatest(size, 1e-6))::numeric)));
BEGIN
    IF wanted NOT BETWEEN 0 AND 29 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('the order %s of a MOC is out of range: orders go from 0 to 29', wanted);
    ELSIF wanted > most THEN
        RAISE EXCEPTION USING
            ERRCODE = 'program_limit_exceeded',
            MESSAGE = format(
                'a MOC of order %s has too many cells for a shape of this size: up to order %s is possible',
                wanted, most
            );
    END IF;
    RETURN wanted;
END
$$;
CREATE FUNCTION vo.moc_fine_order(size double precision) RETURNS integer
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT least(29, floor(log(2.0, (128 / greatest(size, 1e-6))::numeric)))::integer
$$;
CREATE FUNCTION vo.latitude(degrees double precision) RETURNS double precision
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    IF degrees BETWEEN -90 AND 90 THEN
        RETURN degrees;
    ELSIF degrees = 'NaN' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION USING
        ERRCODE = 'invalid_parameter_value',
        MESSAGE = 'a latitude is out of range: latitudes, from -90 to 90 degrees, come second';
END
$$;
CREATE FUNCTION vo.disc_radius(degrees double precision) RETURNS double precision
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    IF degrees BETWEEN 0 AND 180 THEN
        RETURN radians(degrees);
    END IF;
    RAISE EXCEPTION USING
        ERRCODE = 'invalid_parameter_value',
        MESSAGE = 'a radius is out of range: radii go from 0 to 180 degrees';
END
$$;
"""

SHAPES = """
-- scircle ends at 90 degrees, smoc_disc does not; but that of pgSphere 1.2.0 takes the latitude first,
-- against its signature.
CREATE FUNCTION vo.moc_touched("order" integer, centre spoint, radius double precision) RETURNS smoc
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE
        WHEN radius <= pi() / 2 THEN smoc("order", scircle(centre, radius))
        WHEN spoint(1, 0) <@ smoc_disc(3, 1, 0, 0) THEN smoc_disc("order", long(centre), lat(centre), radius)
        ELSE smoc_disc("order", lat(centre), long(centre), radius)
    END
$$;
CREATE FUNCTION vo.moc_disc("order" integer, centre spoint, radius double precision) RETURNS smoc
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT smoc_degrade(wanted, vo.moc_touched(least(29, wanted + 3), centre, radius))
    FROM vo.moc_order("order", sin(least(radius, pi() - radius))) AS wanted
$$;
CREATE FUNCTION vo.moc("order" integer, spoint) RETURNS smoc
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT smoc(vo.moc_order($1, 0), $2)
$$;
CREATE FUNCTION vo.moc("order" integer, scircle) RETURNS smoc
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT vo.moc_disc($1, center($2), radius($2))
$$;
CREATE FUNCTION vo.moc("order" integer, smoc) RETURNS smoc
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT smoc_degrade(vo.moc_order($1, 0), $2)
$$;
-- pgSphere takes convex polygons only, and says so by an error; catching it is nothing for parallel
-- workers. Of others, cells whose circle lies within are taken, those whose
-- circle meets the polygon are divided, down to an order below the wanted one.
CREATE FUNCTION vo.moc_concave(deepest integer, polygon spoly) RETURNS smoc
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    cells bigint[] := ARRAY[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
    within bigint[];
    cover text := '';
    reach double precision;
BEGIN
    FOR level IN 0 .. deepest LOOP
        -- From the centre of the largest cell to its farthest corner (Gorski et al. 2005, section 5.3).
        reach := spoint(pi() / 4 / 2 ^ level, asin(2.0 / 3))
            <-> spoint(0, asin(1 - (1 - 0.5 ^ level) ^ 2 / 3));
        SELECT array_agg(cell) FILTER (WHERE inside), array_agg(cell) FILTER (WHERE NOT inside)
        INTO within, cells
        FROM (
            SELECT cell, scircle(center_of_healpix_nest(level, cell), reach) <@ polygon AS inside
            FROM unnest(cells) AS cell
            WHERE scircle(center_of_healpix_nest(level, cell), reach) && polygon
        ) AS met;
        IF level = deepest THEN
            within := within || cells;
        END IF;
        IF within IS NOT NULL THEN
            cover := cover || format(' %s/%s', level, array_to_string(within, ' '));
        END IF;
        EXIT WHEN cells IS NULL;
        cells := ARRAY(SELECT 4 * cell + part FROM unnest(cells) AS cell, generate_series(0, 3) AS part);
    END LOOP;
    RETURN (cover || format(' %s/', deepest))::smoc;
END
$$;
CREATE FUNCTION vo.moc("order" integer, polygon spoly) RETURNS smoc
LANGUAGE plpgsql IMMUTABLE STRICT AS $$
DECLARE
    wanted CONSTANT integer := vo.moc_order("order", circum(polygon) / (2 * pi()));
BEGIN
    RETURN smoc_degrade(wanted, smoc(least(29, wanted + 3), polygon));
EXCEPTION WHEN internal_error THEN
    PERFORM vo.moc_order("order", 4 * circum(polygon) / (2 * pi()));
    RETURN smoc_degrade(wanted, vo.moc_concave(least(29, wanted + 1), polygon));
END
$$;
CREATE FUNCTION vo.moc_fine(spoint) RETURNS smoc
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT smoc(29, $1) $$;
CREATE FUNCTION vo.moc_fine(smoc) RETURNS smoc
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT $1 $$;
CREATE FUNCTION vo.moc_fine(centre spoint, radius double precision) RETURNS smoc
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT vo.moc_touched(vo.moc_fine_order(sin(least(radius, pi() - radius))), centre, radius)
$$;
CREATE FUNCTION vo.moc_fine(scircle) RETURNS smoc
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT vo.moc_fine(center($1), radius($1)) $$;
CREATE FUNCTION vo.moc_fine(polygon spoly) RETURNS smoc
LANGUAGE plpgsql IMMUTABLE STRICT AS $$
DECLARE
    fine CONSTANT integer := vo.moc_fine_order(circum(polygon) / (2 * pi()));
BEGIN
    RETURN smoc(fine, polygon);
EXCEPTION WHEN internal_error THEN
    RETURN vo.moc_concave(fine, polygon);
END
$$;
"""

# A MOC's text -> half-open ranges of cells at the deepest order, and back. `dimensions` is 2 for space
# (deepest order 29) and 1 for time (61): a cell has 2^dimensions cells of the next order in it.
RANGES = r"""
CREATE FUNCTION vo.moc_ranges(moc text, deepest integer, dimensions integer) RETURNS int8multirange
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT coalesce(
        range_agg(int8range(c[1]::bigint << s, (coalesce(c[2], c[1])::bigint + 1) << s)), '{}'
    )
    FROM regexp_matches(moc, '(\d+)/((?:[\s,]*\d+(?:-\d+)?(?![-\d/]))*)', 'g') AS g(g),
        LATERAL (SELECT dimensions * (deepest - g[1]::integer)) AS shift(s),
        regexp_matches(g[2], '(\d+)(?:-(\d+))?', 'g') AS c(c)
$$;
CREATE FUNCTION vo.moc_text(ranges int8multirange, "order" integer, deepest integer, dimensions integer)
RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    cells text[] := array_fill(''::text, ARRAY["order" + 1]);
    part int8range;
    low bigint;
    size bigint;
    level integer;
BEGIN
    FOR part IN SELECT unnest(ranges) LOOP
        low := lower(part);
        WHILE low < upper(part) LOOP
            level := "order";
            size := 1::bigint << dimensions * (deepest - level);
            WHILE level > 0 AND low % (size << dimensions) = 0
                AND low + (size << dimensions) <= upper(part)
            LOOP
                level := level - 1;
                size := size << dimensions;
            END LOOP;
            cells[level + 1] := cells[level + 1] || ' ' || (low / size);
            low := low + size;
        END LOOP;
    END LOOP;
    RETURN (
        SELECT coalesce(string_agg(format('%s/%s', o - 1, ltrim(c)), ' ' ORDER BY o), '')
        FROM unnest(cells) WITH ORDINALITY AS u(c, o) WHERE c <> '' OR o = "order" + 1
    );
END
$$;
CREATE FUNCTION vo.moc_minus(smoc, smoc) RETURNS smoc
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT vo.moc_text(
        vo.moc_ranges($1::text, 29, 2) - vo.moc_ranges($2::text, 29, 2),
        greatest(max_order($1), max_order($2)), 29, 2
    )::smoc
$$;
"""

# MJD in UTC -> microseconds of TCB since JD 0. TAI - UTC: IERS Bulletin C up to 72; 10 s before 1972.
# TCB - TDB: IAU 2006 resolution B3. TDB is taken as TT, from which it differs by less than 2 ms.
TIMES = """
CREATE FUNCTION vo.tmoc_microseconds(mjd double precision) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT 207360043200000000 + round(day * 8.64e10)::bigint + round((tt + 6.55e-5
        + 1.550519768e-8 * 86400 * (day + tt / 86400 - 43144.0003725)) * 1e6)::bigint
    FROM (SELECT least(greatest(mjd, -2400000.0), 10000000.0)) AS clamped(day),
        LATERAL (SELECT 32.184 + 9 + greatest(1, width_bucket(day, ARRAY[
            41317, 41499, 41683, 42048, 42413, 42778, 43144, 43509, 43874, 44239, 44786, 45151, 45516,
            46247, 47161, 47892, 48257, 48804, 49169, 49534, 50083, 50630, 51179, 53736, 54832, 56109,
            57204, 57754
        ]::double precision[]))) AS offsets(tt)
$$;
CREATE FUNCTION vo.tmoc_range(mjd_start double precision, mjd_stop double precision) RETURNS int8range
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE WHEN mjd_start <= mjd_stop
        THEN int8range(vo.tmoc_microseconds(mjd_start), vo.tmoc_microseconds(mjd_stop), '[]')
        ELSE 'empty' END
$$;
CREATE FUNCTION vo.tmoc_ranges(tmoc text) RETURNS int8multirange
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    IF tmoc !~ '^\\s*t?(([0-9]|[1-5][0-9]|6[01])/([\\s,]*\\d+(-\\d+)?)*(\\s+|$))*$' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'data_exception',
            MESSAGE = 'a text is no T-MOC: a T-MOC looks like 31/1234-1240 1250';
    END IF;
    RETURN vo.moc_ranges(tmoc, 61, 1);
END
$$;
-- The cells of an order (0 to 61) that the ranges touch.
CREATE FUNCTION vo.tmoc_degrade(tmoc_order integer, ranges int8multirange) RETURNS int8multirange
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT coalesce(
        range_agg(int8range((lower(r) >> bits) << bits, (((upper(r) - 1) >> bits) + 1) << bits)), '{}'
    )
    FROM unnest(ranges) AS r, LATERAL (SELECT 61 - least(greatest(tmoc_order, 0), 61)) AS cells(bits)
$$;
CREATE FUNCTION vo.tmoc_seconds(ranges int8multirange) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT coalesce(sum(upper(r) - lower(r)), 0)::double precision / 1e6 FROM unnest(ranges) AS r
$$;
-- The finest order of a canonical text; an order without cells tells it.
CREATE FUNCTION vo.tmoc_order(ranges int8multirange) RETURNS integer
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT coalesce(61 - min(bit), 0)::integer
    FROM unnest(ranges) AS r, unnest(ARRAY[lower(r), upper(r)]) AS edge,
        LATERAL (SELECT b FROM generate_series(0, 61) AS b WHERE edge & (1::bigint << b) <> 0
                 ORDER BY b LIMIT 1) AS lowest(bit)
$$;
CREATE FUNCTION vo.tmoc_text(ranges int8multirange) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT vo.moc_text(ranges, vo.tmoc_order(ranges), 61, 1)
$$;
"""


def upgrade() -> None:
    """Create the functions."""
    connection = op.get_bind()
    for script in (LIMITS, SHAPES, RANGES, TIMES):
        # The driver takes a lone % for the mark of a parameter.
        connection.exec_driver_sql(script.replace("%", "%%"))


def downgrade() -> None:
    """Drop them."""
    op.get_bind().exec_driver_sql(
        "DROP FUNCTION vo.tmoc_text, vo.tmoc_order, vo.tmoc_seconds, vo.tmoc_degrade, vo.tmoc_ranges,"
        " vo.tmoc_range, vo.tmoc_microseconds, vo.moc_minus, vo.moc_text, vo.moc_ranges, vo.moc_fine(spoly),"
        " vo.moc_fine(scircle), vo.moc_fine(spoint, double precision), vo.moc_fine(smoc),"
        " vo.moc_fine(spoint), vo.moc(integer, spoly), vo.moc_concave, vo.moc(integer, smoc),"
        " vo.moc(integer, scircle), vo.moc(integer, spoint), vo.moc_disc, vo.moc_touched, vo.disc_radius,"
        " vo.moc_fine_order, vo.moc_order, vo.latitude"
    )
