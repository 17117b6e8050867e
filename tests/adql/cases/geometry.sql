-- a cone, spelled with CONTAINS
SELECT obs_id FROM sky.obs WHERE 1 = CONTAINS(POINT('ICRS', s_ra, s_dec), CIRCLE('ICRS', 83.63, 22.01, 2))
--
SELECT "obs"."obs_id" FROM "sky"."obs" AS "obs" WHERE (spoint(radians("obs"."s_ra"), radians("obs"."s_dec")) <@ scircle(spoint(radians(83.63::float8), radians(22.01::float8)), radians(2.0::float8)))

-- a cone, spelled with DISTANCE and a radius to calculate
SELECT obs_id FROM sky.obs WHERE DISTANCE(POINT(s_ra, s_dec), POINT(83.63, 22.01)) <= 5 / 60.
--
SELECT "obs"."obs_id" FROM "sky"."obs" AS "obs" WHERE (spoint(radians("obs"."s_ra"), radians("obs"."s_dec")) <@ scircle(spoint(radians(83.63::float8), radians(22.01::float8)), radians(0.08333333333333333::float8)))

-- a cone without its boundary, the point last
SELECT obs_id FROM sky.obs WHERE 2 > DISTANCE(83.63, 22.01, s_ra, s_dec)
--
SELECT "obs"."obs_id" FROM "sky"."obs" AS "obs" WHERE (spoint(radians("obs"."s_ra"), radians("obs"."s_dec")) <@ scircle(spoint(radians(83.63::float8), radians(22.01::float8)), radians(2.0::float8)) AND degrees(spoint(radians(83.63::float8), radians(22.01::float8)) <-> spoint(radians("obs"."s_ra"), radians("obs"."s_dec"))) < 2.0::float8)

-- outside a cone
SELECT obs_id FROM sky.obs WHERE CONTAINS(POINT(s_ra, s_dec), CIRCLE(83.63, 22.01, 2)) = 0 AND NOT DISTANCE(s_ra, s_dec, 1, 2) < 3
--
SELECT "obs"."obs_id" FROM "sky"."obs" AS "obs" WHERE (((spoint(radians("obs"."s_ra"), radians("obs"."s_dec")) <@ scircle(spoint(radians(83.63::float8), radians(22.01::float8)), radians(2.0::float8)))::integer = 0) AND (NOT ((spoint(radians("obs"."s_ra"), radians("obs"."s_dec")) <@ scircle(spoint(radians(1.0::float8), radians(2.0::float8)), radians(3.0::float8)) AND degrees(spoint(radians("obs"."s_ra"), radians("obs"."s_dec")) <-> spoint(radians(1.0::float8), radians(2.0::float8))) < 3.0::float8)::integer = 1)))

-- a circle of more than 90 degrees
SELECT obs_id FROM sky.obs WHERE CONTAINS(POINT(s_ra, s_dec), CIRCLE(10, 20, 120)) = 1 AND INTERSECTS(s_region, CIRCLE(10, 20, 120)) = 1
--
SELECT "obs"."obs_id" FROM "sky"."obs" AS "obs" WHERE (((spoint(radians("obs"."s_ra"), radians("obs"."s_dec")) <-> spoint(radians(10.0::float8), radians(20.0::float8))) <= radians(120.0::float8)) AND ((NOT ("obs"."region_circle" <@ scircle(spoint(radians(190.0::float8), radians(-20.0::float8)), radians(60.0::float8))) OR NOT ("obs"."region_polygon" <@ scircle(spoint(radians(190.0::float8), radians(-20.0::float8)), radians(60.0::float8))) OR "obs"."region_rest" IS NOT NULL) AND ("obs"."region_rest" IS NULL OR CASE WHEN "obs"."region_rest" IS NOT NULL AND scircle(spoint(radians(190.0::float8), radians(-20.0::float8)), radians(60.0::float8)) IS NOT NULL THEN TRUE END)))

-- a point in a region
SELECT obs_id FROM sky.obs WHERE CONTAINS(POINT(83.63, 22.01), s_region) = 1
--
SELECT "obs"."obs_id" FROM "sky"."obs" AS "obs" WHERE ((spoint(radians(83.63::float8), radians(22.01::float8)) <@ "obs"."region_circle" OR spoint(radians(83.63::float8), radians(22.01::float8)) <@ "obs"."region_polygon" OR "obs"."region_rest" IS NOT NULL) AND ("obs"."region_rest" IS NULL OR (spoint(radians(83.63::float8), radians(22.01::float8)) <-> spoint(long(center("obs"."region_rest")) + pi(), -lat(center("obs"."region_rest")))) <= (pi() - radius("obs"."region_rest"))))

-- a point outside a region
SELECT obs_id FROM sky.obs WHERE CONTAINS(POINT(83.63, 22.01), s_region) = 0
--
SELECT "obs"."obs_id" FROM "sky"."obs" AS "obs" WHERE ((CASE WHEN "obs"."region_circle" IS NOT NULL THEN spoint(radians(83.63::float8), radians(22.01::float8)) <@ "obs"."region_circle" WHEN "obs"."region_polygon" IS NOT NULL THEN spoint(radians(83.63::float8), radians(22.01::float8)) <@ "obs"."region_polygon" ELSE (spoint(radians(83.63::float8), radians(22.01::float8)) <-> spoint(long(center("obs"."region_rest")) + pi(), -lat(center("obs"."region_rest")))) <= (pi() - radius("obs"."region_rest")) END)::integer = 0)

-- regions that meet a polygon or a box
SELECT obs_id FROM sky.obs WHERE INTERSECTS(POLYGON(1, 2, 3, 2, 3, 5), s_region) = 1 OR 1 = INTERSECTS(s_region, BOX(10, 0, 2, 2))
--
SELECT "obs"."obs_id" FROM "sky"."obs" AS "obs" WHERE ((($1::spoly && "obs"."region_circle" OR $1::spoly && "obs"."region_polygon" OR "obs"."region_rest" IS NOT NULL) AND ("obs"."region_rest" IS NULL OR ($1::spoly <@ "obs"."region_rest") <= (radius("obs"."region_rest") = 0))) OR (("obs"."region_circle" && $2::spoly OR "obs"."region_polygon" && $2::spoly OR "obs"."region_rest" IS NOT NULL) AND ("obs"."region_rest" IS NULL OR ($2::spoly <@ "obs"."region_rest") <= (radius("obs"."region_rest") = 0))))
-- $1 = '{(1.0d,2.0d),(3.0d,2.0d),(3.0d,5.0d)}'
-- $2 = '{(11.0d,0.9998477260772488d),(9.0d,0.9998477260772488d),(9.0d,-0.9998477260772488d),(11.0d,-0.9998477260772488d)}'

-- a crossmatch with radii of its own
SELECT o.obs_id FROM tap_upload.t1 AS u JOIN sky.obs AS o ON 1 = CONTAINS(POINT(u.ra, u.dec), CIRCLE(o.s_ra, o.s_dec, u.r))
--
SELECT "o"."obs_id" FROM ("tap_upload"."t1" AS "u" INNER JOIN "sky"."obs" AS "o" ON (spoint(radians("o"."s_ra"), radians("o"."s_dec")) <@ scircle(spoint(radians("u"."ra"), radians(vo.latitude("u"."dec"))), radians("u"."r"))))

-- geometries leave as arrays in degrees
SELECT POINT(s_ra, s_dec), CIRCLE(s_ra, s_dec, 1), POLYGON(1, 2, 3, 2, 3, 5), REGION('Position ICRS 1 2') FROM sky.obs
--
SELECT CASE WHEN spoint(radians("obs"."s_ra"), radians("obs"."s_dec")) IS NOT NULL THEN ARRAY["obs"."s_ra", "obs"."s_dec"] END AS "point", CASE WHEN scircle(spoint(radians("obs"."s_ra"), radians("obs"."s_dec")), radians(1.0::float8)) IS NOT NULL THEN ARRAY["obs"."s_ra", "obs"."s_dec", 1.0::float8] END AS "circle", ARRAY[1.0::float8, 2.0::float8, 3.0::float8, 2.0::float8, 3.0::float8, 5.0::float8] AS "polygon", ARRAY[1.0::float8, 2.0::float8] AS "region" FROM "sky"."obs" AS "obs"

-- stored geometries too
SELECT pos, patch FROM tap_upload.t1
--
SELECT CASE WHEN "t1"."pos" IS NOT NULL THEN ARRAY[degrees(long("t1"."pos")), degrees(lat("t1"."pos"))] END AS "pos", (SELECT array_agg(round(degrees(v[1]::float8)::numeric, 12)::float8 ORDER BY i) FROM regexp_matches(("t1"."patch")::text, '[-+0-9.e]+', 'g') WITH ORDINALITY AS m(v, i)) AS "patch" FROM "tap_upload"."t1" AS "t1"

-- what is known of a geometry
SELECT COORD1(pos), COORD2(POINT(1, 2)), COORDSYS(pos), AREA(patch), AREA(CIRCLE(1, 2, 120)), CENTROID(patch), CENTROID(CIRCLE(pos, 3)) FROM tap_upload.t1
--
SELECT degrees(long("t1"."pos")) AS "coord1", 2.0::float8 AS "coord2", $1::text AS "coordsys", degrees(degrees(area("t1"."patch"))) AS "area", CASE WHEN spoint(radians(1.0::float8), radians(2.0::float8)) IS NOT NULL THEN degrees(degrees(4 * pi() * power(sin(radians(120.0::float8) / 2), 2))) END AS "area_2", CASE WHEN vo.spoly_centroid("t1"."patch") IS NOT NULL THEN ARRAY[degrees(long(vo.spoly_centroid("t1"."patch"))), degrees(lat(vo.spoly_centroid("t1"."patch")))] END AS "centroid", CASE WHEN "t1"."pos" IS NOT NULL THEN ARRAY[degrees(long("t1"."pos")), degrees(lat("t1"."pos"))] END AS "centroid_2" FROM "tap_upload"."t1" AS "t1"
-- $1 = 'ICRS'

-- shapes from columns
SELECT obs_id FROM sky.obs WHERE 1 = CONTAINS(POINT(1, 2), POLYGON(s_ra, 1, s_ra + 1, 1, s_ra + 1, 2)) AND 1 = CONTAINS(POINT(1, 2), BOX(s_ra, s_dec, 2, 3))
--
SELECT "obs"."obs_id" FROM "sky"."obs" AS "obs" WHERE ((spoint(radians(1.0::float8), radians(2.0::float8)) <@ ('{(' || ("obs"."s_ra")::text || 'd,' || (1.0::float8)::text || 'd),(' || (("obs"."s_ra" + 1))::text || 'd,' || (1.0::float8)::text || 'd),(' || (("obs"."s_ra" + 1))::text || 'd,' || (2.0::float8)::text || 'd)}')::spoly) AND (spoint(radians(1.0::float8), radians(2.0::float8)) <@ strans_poly(('{(' || (2.0::float8 / 2) || 'd,' || degrees(atan(tan(radians(3.0::float8 / 2)) * cos(radians(2.0::float8 / 2)))) || 'd),(-' || (2.0::float8 / 2) || 'd,' || degrees(atan(tan(radians(3.0::float8 / 2)) * cos(radians(2.0::float8 / 2)))) || 'd),(-' || (2.0::float8 / 2) || 'd,-' || degrees(atan(tan(radians(3.0::float8 / 2)) * cos(radians(2.0::float8 / 2)))) || 'd),(' || (2.0::float8 / 2) || 'd,-' || degrees(atan(tan(radians(3.0::float8 / 2)) * cos(radians(2.0::float8 / 2)))) || 'd)}')::spoly, strans(0, -lat(spoint(radians("obs"."s_ra"), radians("obs"."s_dec"))), long(spoint(radians("obs"."s_ra"), radians("obs"."s_dec"))), 'XYZ'))))

-- a circle whose radius is a column of the same table
SELECT obs_id FROM sky.obs WHERE CONTAINS(POINT(98.24, 5.81), CIRCLE(s_ra, s_dec, calib_level * 60.)) = 1
--
SELECT "obs"."obs_id" FROM "sky"."obs" AS "obs" WHERE ((spoint(radians(98.24::float8), radians(5.81::float8)) <-> spoint(radians("obs"."s_ra"), radians("obs"."s_dec"))) <= vo.disc_radius(("obs"."calib_level" * 60.0::float8)))

-- a circle with a radius of the same row leaves as an array
SELECT CIRCLE(ra, dec, r), COORD1(POINT(ra, dec)) FROM tap_upload.t1
--
SELECT CASE WHEN spoint(radians("t1"."ra"), radians(vo.latitude("t1"."dec"))) IS NOT NULL AND vo.disc_radius("t1"."r") IS NOT NULL THEN ARRAY["t1"."ra", vo.latitude("t1"."dec"), "t1"."r"] END AS "circle", CASE WHEN spoint(radians("t1"."ra"), radians(vo.latitude("t1"."dec"))) IS NOT NULL THEN "t1"."ra" END AS "coord1" FROM "tap_upload"."t1" AS "t1"
