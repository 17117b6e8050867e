-- aggregates have the types that are declared
SELECT COUNT(*), COUNT(DISTINCT target), AVG(n_events), SUM(calib_level), SUM(n_bytes), SUM(em_min), MIN(target), MAX(released) FROM sky.obs
--
SELECT count(*) AS "count", count(DISTINCT "obs"."target") AS "count_2", avg("obs"."n_events")::float8 AS "avg", sum("obs"."calib_level")::bigint AS "sum", sum("obs"."n_bytes")::bigint AS "sum_2", sum(("obs"."em_min")::double precision) AS "sum_3", min("obs"."target") AS "min", max("obs"."released") AS "max" FROM "sky"."obs" AS "obs"

-- HAVING and ORDER BY on aggregates
SELECT calib_level, COUNT(*) AS n FROM sky.obs GROUP BY calib_level HAVING COUNT(*) > 2 ORDER BY n DESC, MAX(s_ra)
--
SELECT "obs"."calib_level", count(*) AS "n" FROM "sky"."obs" AS "obs" GROUP BY "obs"."calib_level" HAVING (count(*) > 2) ORDER BY 2 DESC, max("obs"."s_ra")

-- grouping by an expression, which may be part of another
SELECT ROUND(s_ra) + 1 AS r, LOWER(target || 'x') AS t FROM sky.obs GROUP BY ROUND(s_ra), target || 'x'
--
SELECT (round(("obs"."s_ra")::text::numeric)::float8 + 1) AS "r", lower(("obs"."target" || $1::text)) AS "t" FROM "sky"."obs" AS "obs" GROUP BY round(("obs"."s_ra")::text::numeric)::float8, ("obs"."target" || $1::text)
-- $1 = 'x'

-- grouping by position and by alias
SELECT FLOOR(s_ra) AS f, target AS t, COUNT(*) FROM sky.obs GROUP BY 1, t
--
SELECT floor("obs"."s_ra") AS "f", "obs"."target" AS "t", count(*) AS "count" FROM "sky"."obs" AS "obs" GROUP BY floor("obs"."s_ra"), "obs"."target"

-- a grouped region has no hidden columns
SELECT s_region, AREA(s_region) FROM sky.obs GROUP BY s_region
--
SELECT "obs"."s_region", CASE WHEN vo.stcs_circle("obs"."s_region") IS NOT NULL THEN degrees(degrees(4 * pi() * power(sin(radius(vo.stcs_circle("obs"."s_region")) / 2), 2))) WHEN vo.stcs_polygon("obs"."s_region") IS NOT NULL THEN degrees(degrees(area(vo.stcs_polygon("obs"."s_region")))) ELSE CASE WHEN spoint(long(center(vo.stcs_rest("obs"."s_region"))) + pi(), -lat(center(vo.stcs_rest("obs"."s_region")))) IS NOT NULL THEN degrees(degrees(4 * pi() * power(sin((pi() - radius(vo.stcs_rest("obs"."s_region"))) / 2), 2))) END END AS "area" FROM "sky"."obs" AS "obs" GROUP BY "obs"."s_region"

-- a subquery may use grouped columns
SELECT target FROM sky.obs AS o WHERE s_ra > 1 GROUP BY target HAVING EXISTS (SELECT * FROM other.obs AS x WHERE x.obs_id = o.target)
--
SELECT "o"."target" FROM "sky"."obs" AS "o" WHERE ("o"."s_ra" > 1) GROUP BY "o"."target" HAVING EXISTS (SELECT "x"."obs_id", "x"."t_min" FROM "other"."obs" AS "x" WHERE ("x"."obs_id" = "o"."target"))

-- strings joined by group
SELECT ivo_string_agg(target, ', ') AS targets FROM sky.obs GROUP BY calib_level
--
SELECT string_agg("obs"."target", $1::text) AS "targets" FROM "sky"."obs" AS "obs" GROUP BY "obs"."calib_level"
-- $1 = ', '
