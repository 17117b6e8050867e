-- star expands the published columns in their order
SELECT TOP 5 * FROM tap_upload.T1
--
SELECT "t1"."ra", "t1"."dec", "t1"."r", CASE WHEN "t1"."pos" IS NOT NULL THEN ARRAY[degrees(long("t1"."pos")), degrees(lat("t1"."pos"))] END AS "pos", (SELECT array_agg(round(degrees(v[1]::float8)::numeric, 12)::float8 ORDER BY i) FROM regexp_matches(("t1"."patch")::text, '[-+0-9.e]+', 'g') WITH ORDINALITY AS m(v, i)) AS "patch", "t1"."words" FROM "tap_upload"."t1" AS "t1" LIMIT 5

-- hidden columns stay hidden in a star of a joined table
SELECT h.*, o.obs_id FROM sky.hea AS h, sky.obs AS o
--
SELECT "h"."obs_id", "h"."energy_min", "o"."obs_id" AS "obs_id_2" FROM "sky"."hea" AS "h", "sky"."obs" AS "o"

-- schema.table.* and a column by schema and table
SELECT sky.hea.*, sky.hea.energy_min FROM sky.hea
--
SELECT "hea"."obs_id", "hea"."energy_min", "hea"."energy_min" AS "energy_min_2" FROM "sky"."hea" AS "hea"

-- identifiers in any case, delimited ones exactly
SELECT S_RA, o."Mixed", "size" AS "Weird ""Name""" FROM Sky.OBS AS o
--
SELECT "o"."s_ra", "o"."Mixed", "o"."size" AS "Weird ""Name""" FROM "sky"."obs" AS "o"

-- an unqualified table that is unique among the schemas
SELECT energy_min FROM hea
--
SELECT "hea"."energy_min" FROM "sky"."hea" AS "hea"

-- a computed column
SELECT access_url FROM sky.obs
--
SELECT ('https://here/' || "obs"."obs_id") AS "access_url" FROM "sky"."obs" AS "obs"

-- TOP goes behind DISTINCT
SELECT DISTINCT TOP 4 target FROM sky.obs ORDER BY target DESC
--
SELECT DISTINCT "obs"."target" FROM "sky"."obs" AS "obs" ORDER BY 1 DESC LIMIT 4

-- ordering by position, alias, expression and column
SELECT obs_id AS i, s_ra FROM sky.obs ORDER BY 2, i DESC, s_ra + s_dec ASC, t_min
--
SELECT "obs"."obs_id" AS "i", "obs"."s_ra" FROM "sky"."obs" AS "obs" ORDER BY 2, 1 DESC, ("obs"."s_ra" + "obs"."s_dec"), "obs"."t_min"

-- OFFSET, a comment, and a semicolon
SELECT obs_id FROM sky.obs -- all of them
ORDER BY obs_id OFFSET 10;
--
SELECT "obs"."obs_id" FROM "sky"."obs" AS "obs" ORDER BY 1 OFFSET 10

-- generated names and names used twice
SELECT a.obs_id, b.obs_id, a.s_ra + 1, COUNT(*), COUNT(*) FROM sky.obs AS a, sky.hea AS b GROUP BY a.obs_id, b.obs_id, a.s_ra
--
SELECT "a"."obs_id", "b"."obs_id" AS "obs_id_2", ("a"."s_ra" + 1) AS "col3", count(*) AS "count", count(*) AS "count_2" FROM "sky"."obs" AS "a", "sky"."hea" AS "b" GROUP BY "a"."obs_id", "b"."obs_id", "a"."s_ra"

-- numbers are rendered from their values, strings are bound once
SELECT 007, 1e+12, .5, 1.e-7, 2147483648, -2147483648, 'it''s', 'it''s', NULL FROM hea
--
SELECT 7 AS "col1", 1000000000000.0::float8 AS "col2", 0.5::float8 AS "col3", 1e-07::float8 AS "col4", 2147483648::bigint AS "col5", -2147483648::bigint AS "col6", $1::text AS "col7", $1::text AS "col8", NULL::text AS "col9" FROM "sky"."hea" AS "hea"
-- $1 = "it's"

-- a string over two lines, and numbers that touch words
SELECT 'ab' -- and
 'cd', 89x FROM sky.hea ORDER BY 1desc
--
SELECT $1::text AS "col1", 89 AS "x" FROM "sky"."hea" AS "hea" ORDER BY 1 DESC
-- $1 = 'abcd'

-- a derived table
SELECT q.n FROM (SELECT COUNT(*) AS n FROM sky.hea) AS q
--
SELECT "q"."n" FROM (SELECT count(*) AS "n" FROM "sky"."hea" AS "hea") AS "q"

-- a derived table carries the shapes of its regions along
SELECT obs_id FROM (SELECT * FROM sky.obs WHERE n_events > 3) AS q WHERE 1 = CONTAINS(POINT(1, 2), q.s_region)
--
SELECT "q"."obs_id" FROM (SELECT "obs"."obs_id", "obs"."s_ra", "obs"."s_dec", "obs"."s_region", "obs"."t_min", "obs"."calib_level", "obs"."n_events", "obs"."n_bytes", "obs"."em_min", "obs"."released", "obs"."target", ('https://here/' || "obs"."obs_id") AS "access_url", "obs"."Mixed", "obs"."size", "obs"."region_circle" AS "s_region:circle", "obs"."region_polygon" AS "s_region:polygon", "obs"."region_rest" AS "s_region:cap" FROM "sky"."obs" AS "obs" WHERE ("obs"."n_events" > 3)) AS "q" WHERE ((spoint(radians(1.0::float8), radians(2.0::float8)) <@ "q"."s_region:circle" OR spoint(radians(1.0::float8), radians(2.0::float8)) <@ "q"."s_region:polygon" OR "q"."s_region:cap" IS NOT NULL) AND ("q"."s_region:cap" IS NULL OR (spoint(radians(1.0::float8), radians(2.0::float8)) <-> spoint(long(center("q"."s_region:cap")) + pi(), -lat(center("q"."s_region:cap")))) <= (pi() - radius("q"."s_region:cap"))))

-- common tables
WITH a AS (SELECT obs_id FROM sky.hea), b AS (SELECT obs_id AS other FROM a) SELECT * FROM a JOIN b ON a.obs_id = b.other
--
WITH "a" AS (SELECT "hea"."obs_id" FROM "sky"."hea" AS "hea"), "b" AS (SELECT "a_2"."obs_id" AS "other" FROM "a" AS "a_2") SELECT "a_3"."obs_id", "b_2"."other" FROM ("a" AS "a_3" INNER JOIN "b" AS "b_2" ON ("a_3"."obs_id" = "b_2"."other"))
