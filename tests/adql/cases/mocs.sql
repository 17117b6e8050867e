-- the MOC of a circle, a polygon and a region
SELECT MOC(8, CIRCLE(s_ra, s_dec, 2)), MOC(6, POLYGON(1, 2, 3, 2, 3, 5)) AS p, MOC(9, s_region) AS r, MOC(3, MOC(5, pos)) AS m FROM sky.obs, tap_upload.t1
--
SELECT (vo.moc_disc(8, spoint(radians("obs"."s_ra"), radians("obs"."s_dec")), radians(2.0::float8)))::text AS "moc", (vo.moc(6, $1::spoly))::text AS "p", (CASE WHEN "obs"."region_circle" IS NOT NULL THEN vo.moc(9, "obs"."region_circle") WHEN "obs"."region_polygon" IS NOT NULL THEN vo.moc(9, "obs"."region_polygon") ELSE vo.moc_disc(9, spoint(long(center("obs"."region_rest")) + pi(), -lat(center("obs"."region_rest"))), (pi() - radius("obs"."region_rest"))) END)::text AS "r", (vo.moc(3, vo.moc(5, "t1"."pos")))::text AS "m" FROM "sky"."obs" AS "obs", "tap_upload"."t1" AS "t1"
-- $1 = '{(1.0d,2.0d),(3.0d,2.0d),(3.0d,5.0d)}'

-- a literal MOC, with the circle about it that an index serves
SELECT obs_id FROM sky.obs WHERE CONTAINS(POINT(s_ra, s_dec), MOC('6/8130-8139')) = 1
--
SELECT "obs"."obs_id" FROM "sky"."obs" AS "obs" WHERE (spoint(radians("obs"."s_ra"), radians("obs"."s_dec")) <@ scircle(spoint(radians(134.63182139780776::float8), radians(81.06780437365485::float8)), radians(2.746227646563635::float8)) AND spoint(radians("obs"."s_ra"), radians("obs"."s_dec")) <@ $1::text::smoc)
-- $1 = '6/8130-8139'

-- a wide MOC and its complement
SELECT obs_id FROM sky.obs WHERE 1 = CONTAINS(POINT(s_ra, s_dec), REGION('0/0-5')) AND INTERSECTS(s_region, vo_moc_complement(MOC('0/0-5'))) = 0
--
SELECT "obs"."obs_id" FROM "sky"."obs" AS "obs" WHERE ((spoint(radians("obs"."s_ra"), radians("obs"."s_dec")) <@ $1::text::smoc) AND ((CASE WHEN "obs"."region_circle" IS NOT NULL THEN vo.moc_fine("obs"."region_circle") && vo.moc_minus('0/0-11'::smoc, $1::text::smoc) WHEN "obs"."region_polygon" IS NOT NULL THEN vo.moc_fine("obs"."region_polygon") && vo.moc_minus('0/0-11'::smoc, $1::text::smoc) ELSE vo.moc_fine(spoint(long(center("obs"."region_rest")) + pi(), -lat(center("obs"."region_rest"))), (pi() - radius("obs"."region_rest"))) && vo.moc_minus('0/0-11'::smoc, $1::text::smoc) END)::integer = 0))
-- $1 = '0/0-5'

-- union, intersection and difference
SELECT gavo_mocunion(MOC('3/1'), MOC('3/2')), gavo_mocintersect(MOC('3/1'), MOC('3/2')), vo_moc_minus(MOC('3/1'), MOC('3/2')) FROM sky.hea
--
SELECT (($1::text::smoc | $2::text::smoc))::text AS "gavo_mocunion", (($1::text::smoc & $2::text::smoc))::text AS "gavo_mocintersect", (vo.moc_minus($1::text::smoc, $2::text::smoc))::text AS "vo_moc_minus" FROM "sky"."hea" AS "hea"
-- $1 = '3/1'
-- $2 = '3/2'

-- MOCs of a group and their measures
SELECT calib_level, vo_moc_union_agg(MOC(6, s_region)) AS moc, vo_moc_sky_fraction(vo_moc_union_agg(MOC(6, s_region))) AS share FROM sky.obs GROUP BY calib_level
--
SELECT "obs"."calib_level", (sum(CASE WHEN "obs"."region_circle" IS NOT NULL THEN vo.moc(6, "obs"."region_circle") WHEN "obs"."region_polygon" IS NOT NULL THEN vo.moc(6, "obs"."region_polygon") ELSE vo.moc_disc(6, spoint(long(center("obs"."region_rest")) + pi(), -lat(center("obs"."region_rest"))), (pi() - radius("obs"."region_rest"))) END))::text AS "moc", (area(sum(CASE WHEN "obs"."region_circle" IS NOT NULL THEN vo.moc(6, "obs"."region_circle") WHEN "obs"."region_polygon" IS NOT NULL THEN vo.moc(6, "obs"."region_polygon") ELSE vo.moc_disc(6, spoint(long(center("obs"."region_rest")) + pi(), -lat(center("obs"."region_rest"))), (pi() - radius("obs"."region_rest"))) END)) / (4 * pi())) AS "share" FROM "sky"."obs" AS "obs" GROUP BY "obs"."calib_level"

-- what one shape covers of another
SELECT vo_moc_coverage(s_region, CIRCLE(1, 2, 3)), AREA(MOC('3/1')), vo_moc_order(MOC('3/1 9/')) FROM sky.obs
--
SELECT (area(CASE WHEN "obs"."region_circle" IS NOT NULL THEN vo.moc_fine("obs"."region_circle") WHEN "obs"."region_polygon" IS NOT NULL THEN vo.moc_fine("obs"."region_polygon") ELSE vo.moc_fine(spoint(long(center("obs"."region_rest")) + pi(), -lat(center("obs"."region_rest"))), (pi() - radius("obs"."region_rest"))) END & vo.moc_fine(spoint(radians(1.0::float8), radians(2.0::float8)), radians(3.0::float8))) / nullif(area(CASE WHEN "obs"."region_circle" IS NOT NULL THEN vo.moc_fine("obs"."region_circle") WHEN "obs"."region_polygon" IS NOT NULL THEN vo.moc_fine("obs"."region_polygon") ELSE vo.moc_fine(spoint(long(center("obs"."region_rest")) + pi(), -lat(center("obs"."region_rest"))), (pi() - radius("obs"."region_rest"))) END), 0)) AS "vo_moc_coverage", degrees(degrees(area($1::text::smoc))) AS "area", max_order($2::text::smoc) AS "vo_moc_order" FROM "sky"."obs" AS "obs"
-- $1 = '3/1'
-- $2 = '3/1 9/'

-- a circle of more than 90 degrees and a MOC
SELECT obs_id FROM sky.obs WHERE 1 = CONTAINS(MOC(5, s_region), CIRCLE(10, 20, 120))
--
SELECT "obs"."obs_id" FROM "sky"."obs" AS "obs" WHERE (CASE WHEN "obs"."region_circle" IS NOT NULL THEN vo.moc(5, "obs"."region_circle") WHEN "obs"."region_polygon" IS NOT NULL THEN vo.moc(5, "obs"."region_polygon") ELSE vo.moc_disc(5, spoint(long(center("obs"."region_rest")) + pi(), -lat(center("obs"."region_rest"))), (pi() - radius("obs"."region_rest"))) END <@ vo.moc_fine(spoint(radians(10.0::float8), radians(20.0::float8)), radians(120.0::float8)))

-- a MOC as a column of a subquery, and as text
SELECT CAST(m AS VARCHAR) FROM (SELECT MOC(4, s_region) AS m FROM sky.obs) AS q WHERE INTERSECTS(m, CIRCLE(1, 2, 3)) = 1
--
SELECT ("q"."m")::text AS "col1" FROM (SELECT CASE WHEN "obs"."region_circle" IS NOT NULL THEN vo.moc(4, "obs"."region_circle") WHEN "obs"."region_polygon" IS NOT NULL THEN vo.moc(4, "obs"."region_polygon") ELSE vo.moc_disc(4, spoint(long(center("obs"."region_rest")) + pi(), -lat(center("obs"."region_rest"))), (pi() - radius("obs"."region_rest"))) END AS "m" FROM "sky"."obs" AS "obs") AS "q" WHERE ("q"."m" && vo.moc_fine(spoint(radians(1.0::float8), radians(2.0::float8)), radians(3.0::float8)))

-- time MOCs, literal and computed
SELECT vo_tmoc_duration('31/5-7 9'), vo_tmoc_overlaps('31/5-7 9', t_min, t_min + 1), vo_tmoc_covers('31/' || calib_level, '61/1') FROM sky.obs
--
SELECT vo.tmoc_seconds($1::int8multirange) AS "vo_tmoc_duration", ($1::int8multirange && vo.tmoc_range("obs"."t_min", ("obs"."t_min" + 1)))::integer AS "vo_tmoc_overlaps", (vo.tmoc_ranges(($2::text || ("obs"."calib_level")::text)) @> $3::int8multirange)::integer AS "vo_tmoc_covers" FROM "sky"."obs" AS "obs"
-- $1 = '{[5368709120,8589934592),[9663676416,10737418240)}'
-- $2 = '31/'
-- $3 = '{[1,2)}'

-- time MOCs combined
SELECT vo_tmoc_union('31/5', 't30/3'), vo_tmoc_intersect('31/5', '30/2') FROM sky.obs WHERE vo_tmoc_overlaps('31/5', '30/2') = 1
--
SELECT vo.tmoc_text($1::int8multirange + $2::int8multirange) AS "vo_tmoc_union", vo.tmoc_text($1::int8multirange * $3::int8multirange) AS "vo_tmoc_intersect" FROM "sky"."obs" AS "obs" WHERE ($1::int8multirange && $3::int8multirange)
-- $1 = '{[5368709120,6442450944)}'
-- $2 = '{[6442450944,8589934592)}'
-- $3 = '{[4294967296,6442450944)}'
