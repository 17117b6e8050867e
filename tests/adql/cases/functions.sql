-- mathematics
SELECT ABS(n_events), LOG(2), LOG10(s_ra + 1), MOD(t_min, 7), ROUND(s_ra), ROUND(s_ra, -1), TRUNCATE(s_ra), TRUNCATE(s_ra, 2), RAND(5), PI(), POWER(s_ra, 2) FROM sky.obs
--
SELECT abs(("obs"."n_events")::double precision) AS "abs", ln(2.0::float8) AS "log", log(("obs"."s_ra" + 1)) AS "log10", mod(("obs"."t_min")::text::numeric, (7.0::float8)::text::numeric)::float8 AS "mod", round(("obs"."s_ra")::text::numeric)::float8 AS "round", round(("obs"."s_ra")::text::numeric, -1)::float8 AS "round_2", trunc("obs"."s_ra") AS "truncate", trunc(("obs"."s_ra")::text::numeric, 2)::float8 AS "truncate_2", random() AS "rand", pi() AS "pi", power("obs"."s_ra", 2.0::float8) AS "power" FROM "sky"."obs" AS "obs"

-- arithmetic keeps PostgreSQL's types
SELECT n_events + calib_level, n_events / 2, em_min + em_min, em_min + 1, -s_ra, +n_bytes, n_bytes * n_events - 1 FROM sky.obs
--
SELECT ("obs"."n_events" + "obs"."calib_level") AS "col1", ("obs"."n_events" / 2) AS "col2", ("obs"."em_min" + "obs"."em_min") AS "col3", ("obs"."em_min" + 1) AS "col4", (- "obs"."s_ra") AS "col5", "obs"."n_bytes" AS "col6", (("obs"."n_bytes" * "obs"."n_events") - 1) AS "col7" FROM "sky"."obs" AS "obs"

-- text
SELECT LOWER(target) || '-' || UPPER(obs_id) FROM sky.obs
--
SELECT (lower("obs"."target") || $1::text || upper("obs"."obs_id")) AS "col1" FROM "sky"."obs" AS "obs"
-- $1 = '-'

-- casts
SELECT CAST(n_events AS VARCHAR), CAST(target AS CHAR(3)), CAST('12' AS INTEGER), CAST(s_ra AS REAL), CAST('2020-01-01' AS TIMESTAMP), CAST(released AS VARCHAR), CAST('10 -20 3' AS CIRCLE) FROM sky.obs
--
SELECT ("obs"."n_events")::text AS "col1", left("obs"."target", 3) AS "col2", ($1::text)::integer AS "col3", ("obs"."s_ra")::real AS "col4", $2::timestamp AS "col5", replace(("obs"."released")::text, ' ', 'T') AS "col6", ARRAY[10.0::float8, -20.0::float8, 3.0::float8] AS "col7" FROM "sky"."obs" AS "obs"
-- $1 = '12'
-- $2 = '2020-01-01 00:00:00'

-- COALESCE takes the wider type
SELECT COALESCE(calib_level, n_bytes), COALESCE(target, 'none') FROM sky.obs
--
SELECT COALESCE(("obs"."calib_level")::bigint, "obs"."n_bytes") AS "calib_level", COALESCE("obs"."target", $1::text) AS "target" FROM "sky"."obs" AS "obs"
-- $1 = 'none'

-- a predicate function compared with 1 is a condition, otherwise a number
SELECT ivo_nocasematch(target, 'a%') FROM sky.obs WHERE ivo_hashlist_has(target, 'x') = 1 AND ivo_interval_overlaps(t_min, t_min + 1, 1, 2) = 0 AND 1 = ivo_hasword(target, 'source')
--
SELECT ("obs"."target" ILIKE $1::text ESCAPE '')::integer AS "ivo_nocasematch" FROM "sky"."obs" AS "obs" WHERE ((position('#' in $2::text) = 0 AND lower($2::text) = ANY (string_to_array(lower("obs"."target"), '#'))) AND (("obs"."t_min" <= 2.0::float8 AND 1.0::float8 <= ("obs"."t_min" + 1) AND "obs"."t_min" <= ("obs"."t_min" + 1) AND 1.0::float8 <= 2.0::float8)::integer = 0) AND (array_remove(regexp_split_to_array(lower($3::text), '[^[:alnum:]]+'), '') <@ regexp_split_to_array(lower("obs"."target"), '[^[:alnum:]]+')))
-- $1 = 'a%'
-- $2 = 'x'
-- $3 = 'source'

-- dates and HEALPix
SELECT ivo_to_jd(released), ivo_to_mjd('1910-12-31T06:00:00'), ivo_healpix_index(5, s_ra, s_dec), ivo_healpix_index(5, POINT(s_ra, s_dec)), ivo_healpix_center(0, 6) FROM sky.obs
--
SELECT (extract(epoch FROM "obs"."released") / 86400 + 2440587.5)::float8 AS "ivo_to_jd", (extract(epoch FROM $1::timestamp) / 86400 + 40587)::float8 AS "ivo_to_mjd", healpix_nest(5, spoint(radians("obs"."s_ra"), radians("obs"."s_dec"))) AS "ivo_healpix_index", healpix_nest(5, spoint(radians("obs"."s_ra"), radians("obs"."s_dec"))) AS "ivo_healpix_index_2", CASE WHEN center_of_healpix_nest(0, (6)::bigint) IS NOT NULL THEN ARRAY[degrees(long(center_of_healpix_nest(0, (6)::bigint))), degrees(lat(center_of_healpix_nest(0, (6)::bigint)))] END AS "ivo_healpix_center" FROM "sky"."obs" AS "obs"
-- $1 = '1910-12-31 06:00:00'

-- a constant geometry in another frame is turned beforehand
SELECT obs_id FROM sky.obs WHERE CONTAINS(POINT(s_ra, s_dec), ivo_geom_transform('GALACTIC', 'ICRS', CIRCLE(0, 0, 5))) = 1
--
SELECT "obs"."obs_id" FROM "sky"."obs" AS "obs" WHERE (spoint(radians("obs"."s_ra"), radians("obs"."s_dec")) <@ scircle(spoint(radians(266.4049882865436::float8), radians(-28.936177761772015::float8)), radians(5.0::float8)))

-- other geometries are turned by PostgreSQL
SELECT COORD1(ivo_geom_transform('ICRS', 'GALACTIC', POINT(s_ra, s_dec))) AS l, ivo_geom_transform('FK5', 'ICRS', CIRCLE(s_ra, s_dec, 1)) AS c FROM sky.obs
--
SELECT degrees(long(strans_point(spoint(radians("obs"."s_ra"), radians("obs"."s_dec")), strans(4.487948751030527::float8, 1.0973190018372752::float8, 3.7163631783185256::float8, 'ZXZ')))) AS "l", CASE WHEN scircle(spoint(radians("obs"."s_ra"), radians("obs"."s_dec")), radians(1.0::float8)) IS NOT NULL THEN ARRAY["obs"."s_ra", "obs"."s_dec", 1.0::float8] END AS "c" FROM "sky"."obs" AS "obs"

-- regions in another frame
SELECT ivo_geom_transform('ICRS', 'GALACTIC', s_region) AS g FROM sky.obs WHERE CONTAINS(POINT(0, 0), ivo_geom_transform('ICRS', 'GALACTIC', s_region)) = 1
--
SELECT vo.region_text(strans_circle("obs"."region_circle", strans(4.487948751030527::float8, 1.0973190018372752::float8, 3.7163631783185256::float8, 'ZXZ')), strans_poly("obs"."region_polygon", strans(4.487948751030527::float8, 1.0973190018372752::float8, 3.7163631783185256::float8, 'ZXZ')), strans_circle("obs"."region_rest", strans(4.487948751030527::float8, 1.0973190018372752::float8, 3.7163631783185256::float8, 'ZXZ')), $1::text) AS "g" FROM "sky"."obs" AS "obs" WHERE ((spoint(radians(0.0::float8), radians(0.0::float8)) <@ strans_circle("obs"."region_circle", strans(4.487948751030527::float8, 1.0973190018372752::float8, 3.7163631783185256::float8, 'ZXZ')) OR spoint(radians(0.0::float8), radians(0.0::float8)) <@ strans_poly("obs"."region_polygon", strans(4.487948751030527::float8, 1.0973190018372752::float8, 3.7163631783185256::float8, 'ZXZ')) OR strans_circle("obs"."region_rest", strans(4.487948751030527::float8, 1.0973190018372752::float8, 3.7163631783185256::float8, 'ZXZ')) IS NOT NULL) AND (strans_circle("obs"."region_rest", strans(4.487948751030527::float8, 1.0973190018372752::float8, 3.7163631783185256::float8, 'ZXZ')) IS NULL OR (spoint(radians(0.0::float8), radians(0.0::float8)) <-> spoint(long(center(strans_circle("obs"."region_rest", strans(4.487948751030527::float8, 1.0973190018372752::float8, 3.7163631783185256::float8, 'ZXZ')))) + pi(), -lat(center(strans_circle("obs"."region_rest", strans(4.487948751030527::float8, 1.0973190018372752::float8, 3.7163631783185256::float8, 'ZXZ')))))) <= (pi() - radius(strans_circle("obs"."region_rest", strans(4.487948751030527::float8, 1.0973190018372752::float8, 3.7163631783185256::float8, 'ZXZ'))))))
-- $1 = 'GALACTIC'

-- an aggregate into bins
SELECT calib_level, ivo_histogram(n_events, -10, 1e3, 4) AS h FROM sky.obs GROUP BY calib_level
--
SELECT "obs"."calib_level", COALESCE(vo.histogram(("obs"."n_events")::double precision, -10.0::float8, 1000.0::float8, 4), array_fill(0, ARRAY[6])) AS "h" FROM "sky"."obs" AS "obs" GROUP BY "obs"."calib_level"

-- motion, random numbers and sexagesimal text
SELECT ivo_epoch_prop_pos(10, 20, NULL, n_events, 0, em_min, 2000, 2016.5) AS p, ivo_normal_random(t_min, 0.5), ivo_hms_to_degrees(target), ivo_dms_to_degrees('-00:15:00') FROM sky.obs
--
SELECT CASE WHEN vo.epoch_prop_pos(10.0::float8, 20.0::float8, (NULL)::double precision, ("obs"."n_events")::double precision, 0.0::float8, ("obs"."em_min")::double precision, 2000.0::float8, 2016.5::float8) IS NOT NULL THEN ARRAY[degrees(long(vo.epoch_prop_pos(10.0::float8, 20.0::float8, (NULL)::double precision, ("obs"."n_events")::double precision, 0.0::float8, ("obs"."em_min")::double precision, 2000.0::float8, 2016.5::float8))), degrees(lat(vo.epoch_prop_pos(10.0::float8, 20.0::float8, (NULL)::double precision, ("obs"."n_events")::double precision, 0.0::float8, ("obs"."em_min")::double precision, 2000.0::float8, 2016.5::float8)))] END AS "p", ("obs"."t_min" + 0.5::float8 * sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random())) AS "ivo_normal_random", vo.hms_to_degrees("obs"."target") AS "ivo_hms_to_degrees", vo.dms_to_degrees($1::text) AS "ivo_dms_to_degrees" FROM "sky"."obs" AS "obs"
-- $1 = '-00:15:00'

-- numbers and timestamps become text where strings are joined
SELECT obs_id || 1 || s_ra || released || NULL AS t FROM sky.obs
--
SELECT ("obs"."obs_id" || (1)::text || ("obs"."s_ra")::text || replace(("obs"."released")::text, ' ', 'T') || (NULL)::text) AS "t" FROM "sky"."obs" AS "obs"

-- IN_UNIT is one multiplication
SELECT IN_UNIT(s_ra, 'arcsec') AS a, IN_UNIT(em_min, 'nm') AS b FROM sky.obs WHERE IN_UNIT(t_min, 's') > 1
--
SELECT ("obs"."s_ra" * 3600.0::float8) AS "a", (("obs"."em_min")::double precision * 1000000000.0::float8) AS "b" FROM "sky"."obs" AS "obs" WHERE (("obs"."t_min" * 86400.0::float8) > 1)
