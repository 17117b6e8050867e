-- UNION sorts by a column of the first query
SELECT obs_id FROM sky.obs UNION SELECT obs_id FROM sky.hea ORDER BY obs_id
--
SELECT "q"."obs_id" FROM ((SELECT "obs"."obs_id" FROM "sky"."obs" AS "obs") UNION (SELECT "hea"."obs_id" FROM "sky"."hea" AS "hea")) AS "q" ORDER BY 1

-- types widen
SELECT calib_level, NULL AS x FROM sky.obs UNION ALL SELECT s_ra, n_bytes FROM sky.obs
--
(SELECT ("q"."calib_level")::double precision AS "calib_level", (NULL)::bigint AS "x" FROM (SELECT "obs"."calib_level", NULL::text AS "x" FROM "sky"."obs" AS "obs") AS "q") UNION ALL (SELECT "obs_2"."s_ra", "obs_2"."n_bytes" FROM "sky"."obs" AS "obs_2")

-- INTERSECT binds tighter than EXCEPT
SELECT obs_id FROM sky.obs EXCEPT SELECT obs_id FROM other.obs INTERSECT SELECT obs_id FROM sky.hea
--
(SELECT "obs"."obs_id" FROM "sky"."obs" AS "obs") EXCEPT ((SELECT "obs_2"."obs_id" FROM "other"."obs" AS "obs_2") INTERSECT (SELECT "hea"."obs_id" FROM "sky"."hea" AS "hea"))

-- parentheses, with rows sorted and limited inside
(SELECT TOP 2 obs_id FROM sky.obs ORDER BY s_ra) UNION (SELECT obs_id FROM sky.hea ORDER BY energy_min OFFSET 3)
--
(SELECT "obs"."obs_id" FROM "sky"."obs" AS "obs" ORDER BY "obs"."s_ra" LIMIT 2) UNION (SELECT "hea"."obs_id" FROM "sky"."hea" AS "hea" ORDER BY "hea"."energy_min" OFFSET 3)

-- a union in FROM
SELECT q.i FROM ((SELECT obs_id AS i FROM sky.obs) UNION (SELECT obs_id FROM sky.hea)) AS q
--
SELECT "q"."i" FROM ((SELECT "obs"."obs_id" AS "i" FROM "sky"."obs" AS "obs") UNION (SELECT "hea"."obs_id" FROM "sky"."hea" AS "hea")) AS "q"
