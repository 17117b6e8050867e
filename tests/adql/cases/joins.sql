-- comma
SELECT o.obs_id FROM sky.obs AS o, sky.hea AS h WHERE o.obs_id = h.obs_id
--
SELECT "o"."obs_id" FROM "sky"."obs" AS "o", "sky"."hea" AS "h" WHERE ("o"."obs_id" = "h"."obs_id")

-- ON, with a condition that an index serves
SELECT u.words FROM tap_upload.t1 AS u JOIN sky.obs AS o ON DISTANCE(u.ra, u.dec, o.s_ra, o.s_dec) < 0.5
--
SELECT "u"."words" FROM ("tap_upload"."t1" AS "u" INNER JOIN "sky"."obs" AS "o" ON (spoint(radians("o"."s_ra"), radians("o"."s_dec")) <@ scircle(spoint(radians("u"."ra"), radians(vo.latitude("u"."dec"))), radians(0.5::float8)) AND degrees(spoint(radians("u"."ra"), radians(vo.latitude("u"."dec"))) <-> spoint(radians("o"."s_ra"), radians("o"."s_dec"))) < 0.5::float8))

-- USING merges a column
SELECT obs_id, energy_min FROM sky.obs LEFT OUTER JOIN sky.hea USING (obs_id)
--
SELECT "obs"."obs_id", "hea"."energy_min" FROM ("sky"."obs" AS "obs" LEFT JOIN "sky"."hea" AS "hea" ON ("obs"."obs_id" = "hea"."obs_id"))

-- NATURAL merges the published common columns, left first
SELECT * FROM sky.hea NATURAL JOIN other.obs
--
SELECT "hea"."obs_id", "hea"."energy_min", "obs"."t_min" FROM ("sky"."hea" AS "hea" INNER JOIN "other"."obs" AS "obs" ON ("hea"."obs_id" = "obs"."obs_id"))

-- of a right join the right column is kept
SELECT obs_id FROM sky.obs NATURAL RIGHT JOIN sky.hea
--
SELECT "hea"."obs_id" FROM ("sky"."obs" AS "obs" RIGHT JOIN "sky"."hea" AS "hea" ON ("obs"."obs_id" = "hea"."obs_id"))

-- of a full join whichever there is
SELECT obs_id FROM sky.obs FULL JOIN sky.hea USING (obs_id)
--
SELECT COALESCE("obs"."obs_id", "hea"."obs_id") AS "obs_id" FROM ("sky"."obs" AS "obs" FULL JOIN "sky"."hea" AS "hea" ON ("obs"."obs_id" = "hea"."obs_id"))

-- a joined table in parentheses
SELECT COUNT(*) FROM sky.hea AS a JOIN (sky.hea AS b JOIN sky.hea AS c ON b.obs_id = c.obs_id) ON a.obs_id = b.obs_id
--
SELECT count(*) AS "count" FROM ("sky"."hea" AS "a" INNER JOIN ("sky"."hea" AS "b" INNER JOIN "sky"."hea" AS "c" ON ("b"."obs_id" = "c"."obs_id")) ON ("a"."obs_id" = "b"."obs_id"))

-- three tables merge one column
SELECT obs_id FROM sky.hea AS a NATURAL JOIN (SELECT obs_id FROM sky.obs) AS b NATURAL JOIN (SELECT obs_id FROM other.obs) AS c
--
SELECT "a"."obs_id" FROM (("sky"."hea" AS "a" INNER JOIN (SELECT "obs"."obs_id" FROM "sky"."obs" AS "obs") AS "b" ON ("a"."obs_id" = "b"."obs_id")) INNER JOIN (SELECT "obs_2"."obs_id" FROM "other"."obs" AS "obs_2") AS "c" ON ("a"."obs_id" = "c"."obs_id"))

-- tables of one name in two schemas
SELECT sky.obs.t_min, other.obs.t_min FROM sky.obs, other.obs
--
SELECT "obs"."t_min", "obs_2"."t_min" AS "t_min_2" FROM "sky"."obs" AS "obs", "other"."obs" AS "obs_2"
