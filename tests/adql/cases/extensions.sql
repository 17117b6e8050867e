-- a searched CASE
SELECT CASE WHEN s_ra > 180 THEN 'west' WHEN s_ra IS NOT NULL THEN 'east' END AS side FROM sky.obs
--
SELECT (CASE WHEN ("obs"."s_ra" > 180) THEN $1::text WHEN ("obs"."s_ra" IS NOT NULL) THEN $2::text END) AS "side" FROM "sky"."obs" AS "obs"
-- $1 = 'west'
-- $2 = 'east'

-- a simple CASE, its branches of one type
SELECT CASE calib_level WHEN 1 THEN n_events WHEN 2 THEN s_ra ELSE NULL END FROM sky.obs
--
SELECT (CASE "obs"."calib_level" WHEN 1 THEN ("obs"."n_events")::double precision WHEN 2 THEN "obs"."s_ra" ELSE (NULL)::double precision END) AS "case" FROM "sky"."obs" AS "obs"

-- CASE of timestamps
SELECT CASE released WHEN '2026-01-01' THEN '2026-01-02' ELSE released END FROM sky.obs
--
SELECT (CASE "obs"."released" WHEN $1::timestamp THEN $2::timestamp ELSE "obs"."released" END) AS "case" FROM "sky"."obs" AS "obs"
-- $1 = '2026-01-01 00:00:00'
-- $2 = '2026-01-02 00:00:00'

-- CASE of points, and a NULL
SELECT CASE WHEN ra > 1 THEN pos ELSE NULL END AS p FROM tap_upload.t1
--
SELECT CASE WHEN (CASE WHEN ("t1"."ra" > 1) THEN "t1"."pos" ELSE (NULL)::spoint END) IS NOT NULL THEN ARRAY[degrees(long((CASE WHEN ("t1"."ra" > 1) THEN "t1"."pos" ELSE (NULL)::spoint END))), degrees(lat((CASE WHEN ("t1"."ra" > 1) THEN "t1"."pos" ELSE (NULL)::spoint END)))] END AS "p" FROM "tap_upload"."t1" AS "t1"

-- CASE of a region is a region
SELECT obs_id FROM sky.obs WHERE 1 = CONTAINS(POINT(1, 2), CASE WHEN n_events > 1 THEN s_region END)
--
SELECT "obs"."obs_id" FROM "sky"."obs" AS "obs" WHERE ((spoint(radians(1.0::float8), radians(2.0::float8)) <@ vo.stcs_circle((CASE WHEN ("obs"."n_events" > 1) THEN "obs"."s_region" END)) OR spoint(radians(1.0::float8), radians(2.0::float8)) <@ vo.stcs_polygon((CASE WHEN ("obs"."n_events" > 1) THEN "obs"."s_region" END)) OR vo.stcs_rest((CASE WHEN ("obs"."n_events" > 1) THEN "obs"."s_region" END)) IS NOT NULL) AND (vo.stcs_rest((CASE WHEN ("obs"."n_events" > 1) THEN "obs"."s_region" END)) IS NULL OR (spoint(radians(1.0::float8), radians(2.0::float8)) <-> spoint(long(center(vo.stcs_rest((CASE WHEN ("obs"."n_events" > 1) THEN "obs"."s_region" END)))) + pi(), -lat(center(vo.stcs_rest((CASE WHEN ("obs"."n_events" > 1) THEN "obs"."s_region" END)))))) <= (pi() - radius(vo.stcs_rest((CASE WHEN ("obs"."n_events" > 1) THEN "obs"."s_region" END))))))

-- CASE of a test, and in a condition
SELECT obs_id FROM sky.obs WHERE CASE CONTAINS(POINT(s_ra, s_dec), CIRCLE(83, 22, 2)) WHEN 1 THEN t_min ELSE 0 END > 55000
--
SELECT "obs"."obs_id" FROM "sky"."obs" AS "obs" WHERE ((CASE (spoint(radians("obs"."s_ra"), radians("obs"."s_dec")) <@ scircle(spoint(radians(83.0::float8), radians(22.0::float8)), radians(2.0::float8)))::integer WHEN 1 THEN "obs"."t_min" ELSE (0)::double precision END) > 55000)

-- aggregates inside CASE, and CASE inside aggregates
SELECT calib_level, CASE WHEN COUNT(*) > 2 THEN 'many' ELSE 'few' END, SUM(CASE WHEN target LIKE 'C%' THEN 1 ELSE 0 END) FROM sky.obs GROUP BY calib_level
--
SELECT "obs"."calib_level", (CASE WHEN (count(*) > 2) THEN $1::text ELSE $2::text END) AS "case", sum((CASE WHEN ("obs"."target" LIKE $3::text ESCAPE '') THEN 1 ELSE 0 END))::bigint AS "sum" FROM "sky"."obs" AS "obs" GROUP BY "obs"."calib_level"
-- $1 = 'many'
-- $2 = 'few'
-- $3 = 'C%'

-- grouped by CASE
SELECT CASE WHEN s_dec > 0 THEN 'north' ELSE 'south' END AS half, COUNT(*) FROM sky.obs GROUP BY half ORDER BY half
--
SELECT (CASE WHEN ("obs"."s_dec" > 0) THEN $1::text ELSE $2::text END) AS "half", count(*) AS "count" FROM "sky"."obs" AS "obs" GROUP BY (CASE WHEN ("obs"."s_dec" > 0) THEN $1::text ELSE $2::text END) ORDER BY 1
-- $1 = 'north'
-- $2 = 'south'

-- NULLIF
SELECT s_ra / NULLIF(n_events, 0), NULLIF(target, ''), NULLIF(n_events, 2.5), NULLIF(released, '2026-01-01') FROM sky.obs
--
SELECT ("obs"."s_ra" / NULLIF("obs"."n_events", 0)) AS "col1", NULLIF("obs"."target", $1::text) AS "target", NULLIF(("obs"."n_events")::double precision, 2.5::float8) AS "n_events", NULLIF("obs"."released", $2::timestamp) AS "released" FROM "sky"."obs" AS "obs"
-- $1 = ''
-- $2 = '2026-01-01 00:00:00'

-- GREATEST and LEAST
SELECT GREATEST(s_ra, n_events, 0), LEAST(released, '2026-01-01T12:00:00'), greatest(target, 'a', NULL) FROM sky.obs
--
SELECT GREATEST("obs"."s_ra", ("obs"."n_events")::double precision, (0)::double precision) AS "greatest", LEAST("obs"."released", $1::timestamp) AS "least", GREATEST("obs"."target", $2::text, (NULL)::text) AS "greatest_2" FROM "sky"."obs" AS "obs"
-- $1 = '2026-01-01 12:00:00'
-- $2 = 'a'

-- COALESCE of NULLs and of a region
SELECT COALESCE(NULL, NULL), AREA(COALESCE(s_region, s_region)) FROM sky.obs
--
SELECT COALESCE(NULL, NULL)::text AS "coalesce", CASE WHEN vo.stcs_circle(COALESCE("obs"."s_region", "obs"."s_region")) IS NOT NULL THEN degrees(degrees(4 * pi() * power(sin(radius(vo.stcs_circle(COALESCE("obs"."s_region", "obs"."s_region"))) / 2), 2))) WHEN vo.stcs_polygon(COALESCE("obs"."s_region", "obs"."s_region")) IS NOT NULL THEN degrees(degrees(area(vo.stcs_polygon(COALESCE("obs"."s_region", "obs"."s_region"))))) ELSE CASE WHEN spoint(long(center(vo.stcs_rest(COALESCE("obs"."s_region", "obs"."s_region")))) + pi(), -lat(center(vo.stcs_rest(COALESCE("obs"."s_region", "obs"."s_region"))))) IS NOT NULL THEN degrees(degrees(4 * pi() * power(sin((pi() - radius(vo.stcs_rest(COALESCE("obs"."s_region", "obs"."s_region")))) / 2), 2))) END END AS "area" FROM "sky"."obs" AS "obs"

-- a query as a value
SELECT obs_id, (SELECT MAX(energy_min) FROM sky.hea) AS high FROM sky.obs WHERE s_ra = (SELECT MAX(s_ra) FROM sky.obs) ORDER BY high
--
SELECT "obs"."obs_id", (SELECT max("hea"."energy_min") AS "max" FROM "sky"."hea" AS "hea") AS "high" FROM "sky"."obs" AS "obs" WHERE ("obs"."s_ra" = (SELECT max("obs_2"."s_ra") AS "max" FROM "sky"."obs" AS "obs_2")) ORDER BY 2

-- a correlated query as a value, grouped by
SELECT (SELECT MAX(h.energy_min) FROM sky.hea AS h WHERE h.obs_id = o.obs_id) AS e, COUNT(*) FROM sky.obs AS o GROUP BY e
--
SELECT (SELECT max("h"."energy_min") AS "max" FROM "sky"."hea" AS "h" WHERE ("h"."obs_id" = "o"."obs_id")) AS "e", count(*) AS "count" FROM "sky"."obs" AS "o" GROUP BY (SELECT max("h"."energy_min") AS "max" FROM "sky"."hea" AS "h" WHERE ("h"."obs_id" = "o"."obs_id"))

-- an aggregate of a correlated query
SELECT MAX((SELECT MAX(h.energy_min) FROM sky.hea AS h WHERE h.obs_id = o.obs_id)) AS e FROM sky.obs AS o
--
SELECT max((SELECT max("h"."energy_min") AS "max" FROM "sky"."hea" AS "h" WHERE ("h"."obs_id" = "o"."obs_id"))) AS "e" FROM "sky"."obs" AS "o"

-- a union as a value, and NULL
SELECT 1 + ((SELECT MAX(energy_min) FROM sky.hea) UNION (SELECT MAX(energy_min) FROM sky.hea)), COALESCE((SELECT TOP 1 NULL FROM sky.hea), 'x') FROM sky.obs
--
SELECT (1 + ((SELECT max("hea"."energy_min") AS "max" FROM "sky"."hea" AS "hea") UNION (SELECT max("hea_2"."energy_min") AS "max" FROM "sky"."hea" AS "hea_2"))) AS "col1", COALESCE((SELECT NULL::text AS "col1" FROM "sky"."hea" AS "hea_3" LIMIT 1), $1::text) AS "coalesce" FROM "sky"."obs" AS "obs"
-- $1 = 'x'

-- a point from a query
SELECT DISTANCE((SELECT TOP 1 pos FROM tap_upload.t1), POINT(1, 2)) FROM sky.obs
--
SELECT degrees((SELECT "t1"."pos" FROM "tap_upload"."t1" AS "t1" LIMIT 1) <-> spoint(radians(1.0::float8), radians(2.0::float8))) AS "distance" FROM "sky"."obs" AS "obs"

-- LIKE with an escape character
SELECT obs_id FROM sky.obs WHERE target LIKE 'Source!_%' ESCAPE '!' AND target NOT ILIKE 'a\%' ESCAPE '\' AND target LIKE 'b''''' ESCAPE ''''
--
SELECT "obs"."obs_id" FROM "sky"."obs" AS "obs" WHERE (("obs"."target" LIKE $1::text ESCAPE $2::text) AND ("obs"."target" NOT ILIKE $3::text ESCAPE $4::text) AND ("obs"."target" LIKE $5::text ESCAPE $6::text))
-- $1 = 'Source!_%'
-- $2 = '!'
-- $3 = 'a\\%'
-- $4 = '\\'
-- $5 = "b''"
-- $6 = "'"

-- a set operator with DISTINCT
SELECT obs_id FROM sky.obs UNION DISTINCT SELECT obs_id FROM sky.hea
--
(SELECT "obs"."obs_id" FROM "sky"."obs" AS "obs") UNION (SELECT "hea"."obs_id" FROM "sky"."hea" AS "hea")
