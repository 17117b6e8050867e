"""SQL functions behind the IVOA's catalogue of user defined functions.

Revision ID: 0002
Revises: 0001
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# Uniform motion: Lindegren in ESA SP-1200 vol. 1 (1997), section 1.5.5. In the local triad of the
# position at ref_epoch the direction goes from (1, 0, 0) to (1 + radial motion, east, north). The
# radial motion in units of the distance is velocity times parallax over the au in km/s times a year.
ASTROMETRY = """
CREATE FUNCTION vo.epoch_prop_pos(
    ra double precision, "dec" double precision, parallax double precision, pmra double precision,
    pmdec double precision, radial_velocity double precision, ref_epoch double precision,
    out_epoch double precision
) RETURNS spoint LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    mas CONSTANT double precision := radians(1) / 3600000;
    au CONSTANT double precision := 149597870.7 / 31557600;
    a CONSTANT double precision := radians(ra);
    d CONSTANT double precision := radians("dec");
    years CONSTANT double precision := out_epoch - ref_epoch;
    radial double precision := 1 + coalesce(parallax * mas * radial_velocity / au * years, 0);
    east double precision := coalesce(pmra * mas * years, 0);
    north double precision := coalesce(pmdec * mas * years, 0);
    x double precision;
    y double precision;
    z double precision;
BEGIN
    IF ra IS NULL OR "dec" IS NULL OR ref_epoch IS NULL OR out_epoch IS NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'null_value_not_allowed',
            MESSAGE = 'ivo_epoch_prop_pos takes no NULL for ra, dec, ref_epoch or out_epoch';
    END IF;
    x := (radial * cos(d) - north * sin(d)) * cos(a) - east * sin(a);
    y := (radial * cos(d) - north * sin(d)) * sin(a) + east * cos(a);
    z := radial * sin(d) + north * cos(d);
    RETURN spoint(atan2(y, x), atan2(z, sqrt(x * x + y * y)));
END
$$;
"""

# A shape of the sky as STC-S: the numbers of pgSphere's text, in degrees.
REGIONS = """
CREATE FUNCTION vo.region_text(circle scircle, polygon spoly, frame text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN circle IS NULL THEN 'Polygon ' ELSE 'Circle ' END || frame || ' '
        || string_agg(round(degrees(v[1]::float8)::numeric, 10)::float8::text, ' ' ORDER BY i)
    FROM regexp_matches(coalesce(circle::text, polygon::text), '[-+0-9.e]+', 'g') WITH ORDINALITY AS m(v, i)
$$;
"""

STATISTICS = """
CREATE FUNCTION vo.histogram_count(
    counts integer[], value double precision, lower double precision, upper double precision, nbins integer
) RETURNS integer[] LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    cell integer;
BEGIN
    IF (lower < upper AND lower > '-Infinity' AND upper < 'Infinity') IS NOT TRUE THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'ivo_histogram takes a lower limit that is below the upper limit';
    END IF;
    IF counts IS NULL THEN
        counts := array_fill(0, ARRAY[nbins + 2]);
    END IF;
    cell := CASE
        WHEN value IS NULL OR value < lower THEN 1
        WHEN value > upper THEN nbins + 2
        ELSE 1 + least(width_bucket(value, lower, upper, nbins), nbins)
    END;
    counts[cell] := counts[cell] + 1;
    RETURN counts;
END
$$;
CREATE FUNCTION vo.histogram_add(counts integer[], others integer[]) RETURNS integer[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT array_agg(c + o ORDER BY i) FROM unnest(counts, others) WITH ORDINALITY AS u(c, o, i)
$$;
CREATE AGGREGATE vo.histogram(
    value double precision, lower double precision, upper double precision, nbins integer
) (SFUNC = vo.histogram_count, STYPE = integer[], COMBINEFUNC = vo.histogram_add, PARALLEL = SAFE);
"""

SEXAGESIMAL = r"""
CREATE FUNCTION vo.sexagesimal(whole text, minutes text, seconds text, "limit" integer)
RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN whole::integer < "limit" AND minutes::integer < 60 AND seconds::float8 < 60 THEN
        (whole::integer * 3600 + minutes::integer * 60 + seconds::float8) / 3600
    END
$$;
CREATE FUNCTION vo.hms_to_degrees(hms text) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT 15 * vo.sexagesimal(
        coalesce(m[1], m[4], m[7]), coalesce(m[2], m[5], m[8]), coalesce(m[3], m[6], m[9]), 24)
    FROM regexp_match(
        hms,
        '^\s*(?:([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2}(?:\.[0-9]*)?)'
        '|([0-9]{2})([0-9]{2})([0-9]{2}(?:\.[0-9]*)?)'
        '|([0-9]{1,2})h([0-9]{1,2})m([0-9]{1,2}(?:\.[0-9]*)?)s)\s*$',
        'i') AS m
$$;
CREATE FUNCTION vo.dms_to_degrees(dms text) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE WHEN m[1] = '-' THEN -1 ELSE 1 END * vo.sexagesimal(
        coalesce(m[2], m[5], m[8]), coalesce(m[3], m[6], m[9]), coalesce(m[4], m[7], m[10]), 360)
    FROM regexp_match(
        dms,
        '^\s*([-+]?)(?:([0-9]{1,3}):([0-9]{1,2}):([0-9]{1,2}(?:\.[0-9]*)?)'
        '|([0-9]{2})([0-9]{2})([0-9]{2}(?:\.[0-9]*)?)'
        '|([0-9]{1,3})d([0-9]{1,2})m([0-9]{1,2}(?:\.[0-9]*)?)s)\s*$',
        'i') AS m
$$;
"""


def upgrade() -> None:
    """Create the functions."""
    connection = op.get_bind()
    for script in (ASTROMETRY, REGIONS, STATISTICS, SEXAGESIMAL):
        # The driver takes a lone % for the mark of a parameter.
        connection.exec_driver_sql(script.replace("%", "%%"))


def downgrade() -> None:
    """Drop the functions."""
    op.get_bind().exec_driver_sql(
        "DROP AGGREGATE vo.histogram(double precision, double precision, double precision, integer);"
        "DROP FUNCTION vo.histogram_count, vo.histogram_add, vo.hms_to_degrees, vo.dms_to_degrees,"
        " vo.sexagesimal, vo.region_text, vo.epoch_prop_pos;"
    )
