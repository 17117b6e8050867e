-- precedence of NOT, AND and OR
SELECT obs_id FROM sky.obs WHERE NOT s_ra > 1 AND (s_dec < 2 OR t_min <> 3) OR n_events != 4
--
SELECT "obs"."obs_id" FROM "sky"."obs" AS "obs" WHERE (((NOT ("obs"."s_ra" > 1)) AND (("obs"."s_dec" < 2) OR ("obs"."t_min" <> 3))) OR ("obs"."n_events" <> 4))

-- BETWEEN and IN
SELECT obs_id FROM sky.obs WHERE n_events NOT BETWEEN 1 AND 2.5 AND target IN ('a', 'b') AND n_events NOT IN (1, 2)
--
SELECT "obs"."obs_id" FROM "sky"."obs" AS "obs" WHERE (("obs"."n_events" NOT BETWEEN 1 AND 2.5::float8) AND ("obs"."target" IN ($1::text, $2::text)) AND ("obs"."n_events" NOT IN (1, 2)))
-- $1 = 'a'
-- $2 = 'b'

-- LIKE has no escape character
SELECT obs_id FROM sky.obs WHERE target LIKE 'Source\_%' AND NOT target NOT ILIKE 'source%'
--
SELECT "obs"."obs_id" FROM "sky"."obs" AS "obs" WHERE (("obs"."target" LIKE $1::text ESCAPE '') AND (NOT ("obs"."target" NOT ILIKE $2::text ESCAPE '')))
-- $1 = 'Source\\_%'
-- $2 = 'source%'

-- IS NULL of a column and of an expression
SELECT obs_id FROM sky.obs WHERE s_region IS NOT NULL AND s_ra + 1 IS NULL
--
SELECT "obs"."obs_id" FROM "sky"."obs" AS "obs" WHERE (("obs"."s_region" IS NOT NULL) AND (("obs"."s_ra" + 1) IS NULL))

-- timestamps are compared with strings
SELECT obs_id FROM sky.obs WHERE released < '2026-01-01T00:00:00' AND '2010-01-01' <= released AND released NOT IN ('2011-01-01 12:30Z')
--
SELECT "obs"."obs_id" FROM "sky"."obs" AS "obs" WHERE (("obs"."released" < $1::timestamp) AND ($2::timestamp <= "obs"."released") AND ("obs"."released" NOT IN ($3::timestamp)))
-- $1 = '2026-01-01 00:00:00'
-- $2 = '2010-01-01 00:00:00'
-- $3 = '2011-01-01 12:30'

-- subqueries behind IN and EXISTS, one of them correlated
SELECT obs_id FROM sky.obs AS o WHERE obs_id IN (SELECT obs_id FROM sky.hea) AND EXISTS (SELECT * FROM sky.hea AS h WHERE h.obs_id = o.obs_id AND energy_min < s_ra)
--
SELECT "o"."obs_id" FROM "sky"."obs" AS "o" WHERE (("o"."obs_id" IN (SELECT "hea"."obs_id" FROM "sky"."hea" AS "hea")) AND EXISTS (SELECT "h"."obs_id", "h"."energy_min" FROM "sky"."hea" AS "h" WHERE (("h"."obs_id" = "o"."obs_id") AND ("h"."energy_min" < "o"."s_ra"))))

-- an inner table may have the name of an outer one
SELECT obs_id FROM sky.obs WHERE t_min IN (SELECT t_min FROM other.obs WHERE calib_level = 2)
--
SELECT "obs"."obs_id" FROM "sky"."obs" AS "obs" WHERE ("obs"."t_min" IN (SELECT "obs_2"."t_min" FROM "other"."obs" AS "obs_2" WHERE ("obs"."calib_level" = 2)))
