CREATE TYPE mood AS ENUM ('sad', 'o''k', 'very "happy"');
CREATE TYPE pair AS (n numeric, t text, m mood);
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TABLE numbers (i2 int2, i4 int4, i8 int8, n numeric, f4 float4, f8 float8, m money, o oid, b bool);
INSERT INTO numbers VALUES
  (-32768, -2147483648, -9223372036854775808, 'NaN', 'NaN', 'NaN', '-92233720368547758.08', 0, true),
  (32767, 2147483647, 9223372036854775807, 'Infinity', 'Infinity', '-Infinity', '92233720368547758.07', 4294967295, false),
  (0, 0, 0, '-Infinity', '-0', '-0', 0, 1, null),
  (1, 1, 1, 1e-16383, 1e-45, 5e-324, 0.01, 2, true),
  (1, 1, 1, 1.000, 1.17549435e-38, 1.7976931348623157e308, 1, 3, true),
  (1, 1, 1, repeat('9', 1000)::numeric, 0.1, 0.1 + 0.2::float8, 1, 3, true),
  (-1, -1, -1, ('9e131071')::numeric, 3.4028235e38, -1.7976931348623157e308, -0.01, 3, false),
  (-1, -1, -1, ('-9e131071')::numeric, -3.4028235e38, 2.2250738585072014e-308, -0.01, 3, false),
  (0, 0, 0, 0, 0, 0, 0, 0, false),
  (0, 0, 0, 0.00, 0.3, 0.3, 0, 0, false),
  (null, null, null, null, null, null, null, null, null);
CREATE TABLE texts (a text, b varchar(10), c char(5), d name, e "char", f bytea, g bit(5), h bit varying);
INSERT INTO texts VALUES
  ('', '', '', '', '', '', B'00000', B''),
  (' ', ' ', 'abcde', repeat('n', 63), E'\\001', '\x', B'00001', B'0'),
  (null, null, null, null, null, null, null, null),
  (E'a\tb\nc\rd\\e\b\f\v', E'\\.', E'\\N', 'a b', 'x', '\x00ff0a09', B'10101', B'1'),
  (E'\\.', E'\n', ' a ', E'q"''', E'\\377', '\x5c2e', B'11111', repeat('01', 500)::varbit),
  (repeat('ü☃𝄞', 100000), 'ü☃𝄞', 'ü☃', 'ü☃𝄞', null, decode(repeat('ab', 5000), 'hex'), B'11111', null),
  ('\N', E'\\\\N', 'NULL', 'null', null, null, null, null);
CREATE TABLE times (a date, b time, c timetz, d timestamp, e timestamptz, f interval);
INSERT INTO times VALUES
  ('infinity', '24:00:00', '24:00:00-15:59:59', 'infinity', '-infinity', '178000000 years'),
  ('-infinity', '00:00', '00:00+15:59', '-infinity', 'infinity', '-178000000 years'),
  ('4714-11-24 BC', '23:59:59.999999', '12:00:00.000001+05:30', '4714-11-24 00:00:00 BC', '4714-11-24 00:00:00+00 BC', '-1 mon +1 day -00:00:00.000001'),
  ('5874897-12-31', '00:00:00.000001', '00:00+00', '294276-12-31 23:59:59.999999', '294276-12-31 23:59:59.999999+00', '1 year 2 mons -3 days 04:05:06.7'),
  ('2024-02-29', '1:2:3', '1:2:3-7', '2024-03-10 02:30', '2024-11-03 01:30-07', '30 days'),
  (null, null, null, null, null, '1 mon');
-- Since PostgreSQL 17.
DO $$ BEGIN IF current_setting('server_version_num')::int >= 170000 THEN INSERT INTO times (f) VALUES ('infinity'), ('-infinity'); END IF; END $$;
CREATE TABLE documents (a json, b jsonb, c xml, d tsvector, e tsquery, f uuid, g jsonpath);
INSERT INTO documents VALUES
  ('{"b": 1,  "a":"\u0041\n", "b": 2}', '{"b": 1.0, "a": "\\t"}', '<a b="c">x<!-- y --></a>', 'a:1A fat:2B,4C cat', 'a & !(b | c:*)', '00000000-0000-0000-0000-000000000000', '$.a[*] ? (@ > 1)'),
  ('null', 'null', 'text only', '', '', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '$'),
  (E'"\\\\ \\" ü "', '[]', '', null, null, null, null);
CREATE TABLE ranges (a int4range, b int8range, c numrange, d tsrange, e tstzrange, f daterange,
  g int4multirange, h nummultirange, i tstzmultirange, j int8multirange, k tsmultirange, l datemultirange);
INSERT INTO ranges VALUES
  ('empty', '(,)', '[1.0,2.00)', '[2020-01-01,infinity]', '(,2020-01-01 12:00+07)', '[2020-01-01,2020-01-31]', '{}', '{[1,2),(3,4]}', '{}',
   '{}', '{(,2020-01-01),(2020-01-02,infinity]}', '{[2020-01-01,2020-01-31],(2021-01-01,)}'),
  ('[1,10)', '[5,5]', '(NaN,)', 'empty', null, '(,infinity)', '{[1,2),[5,)}', '{(,)}', '{[2020-01-01 00:00+00,2020-01-02 00:00+00)}',
   '{[1,2),[9223372036854775806,9223372036854775807)}', '{}', '{(,)}'),
  ('[-2147483648,2147483647)', '[-9223372036854775808,9223372036854775807)', '[-Infinity,Infinity]', '[-infinity,infinity]',
   '(-infinity,infinity)', '[4714-11-24 BC,5874897-12-31)', '{[-2147483648,2147483647)}', '{[-Infinity,1.00),(1.000,Infinity]}',
   '{[-infinity,infinity]}', '{[-9223372036854775808,0),(5,)}', '{[4714-11-24 00:00:00 BC,294276-12-31 23:59:59.999999]}', '{[4714-11-24 BC,infinity)}'),
  (null, null, null, null, 'empty', null, null, null, null, null, null, '{}');
CREATE TABLE shapes (a point, b line, c lseg, d box, e path, f polygon, g circle);
INSERT INTO shapes VALUES
  ('(1e-300,NaN)', '{1,-1,0}', '[(0,0),(1,1)]', '(1,1),(0,0)', '[(0,0),(1,2)]', '((0,0),(1,2),(3,4))', '<(0.1,0.2),0.3>'),
  ('(Infinity,-Infinity)', '{0,1,-0.1}', '[(-0,0),(0,0)]', '(-1,-2),(-3,-4)', '((0,0),(1,2))', '((0,0))', '<(0,0),0>');
CREATE TABLE networks (a inet, b cidr, c macaddr, d macaddr8);
INSERT INTO networks VALUES
  ('192.168.0.1/24', '10.0.0.0/8', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05'),
  ('::ffff:1.2.3.4/128', '2001:db8::/32', 'ff:ff:ff:ff:ff:ff', '00:00:00:00:00:00:00:00'), ('::', '::/0', null, null);
-- What a value may name, so that it must be there before the rows.
CREATE FUNCTION texts_of(pair, mood[]) RETURNS text LANGUAGE sql AS $$ SELECT '' $$;
CREATE TABLE internals (a pg_lsn, b txid_snapshot, c pg_snapshot, d regclass, e regproc, f regprocedure, g regoper, h regoperator,
  i regtype, j regrole, k regnamespace, l regconfig, m regdictionary, n regcollation, o aclitem[], p xid, q xid8, r cid, s tid, t int2vector, u oidvector,
  v aclitem, w refcursor);
INSERT INTO internals VALUES
  ('0/0', '10:20:10,14', '10:20:10,14,15', 'numbers', 'pg_catalog.now', 'pg_catalog.sum(int4)', 'pg_catalog.||/', 'pg_catalog.+(int4,int4)',
   'mood', 'postgres', 'public', 'english', 'simple', '"C"', '{postgres=arwdDxt/postgres,=r/postgres}', '3', '4', '5', '(6,7)', '1 2', '3 4', 'postgres=r*w*/postgres', 'a "cursor"'),
  ('FFFFFFFF/FFFFFFFF', null, null, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '{}', '4294967295', '18446744073709551615', '4294967295', '(4294967295,65535)', '', '', '=/postgres', ''),
  ('0/1', '1:1:', '9223372036854775807:9223372036854775807:', 'pg_catalog.pg_class', 'pg_catalog.boolin', 'texts_of(pair,mood[])', 'pg_catalog.|/', 'pg_catalog.-(NONE,int4)',
   'pair[]', 'pg_read_all_data', 'pg_catalog', 'german', 'english_stem', 'ucs_basic', null, '0', '0', '0', '(0,0)', '-32768 32767', '0 4294967295', null, null);
CREATE TABLE composed (a int[], b text[][], c pair, d pair[], e mood[], f positive, g positive[], h jsonb[], i bytea[], j numeric[], k pair);
INSERT INTO composed VALUES
  ('{}', '{{a,NULL},{"NULL",""}}', '(NaN,"a,""b\\",sad)', array['(1.0,,)'::pair, null], '{sad,"o''k","very \"happy\""}', 1, '{1,2}', array['{"a": [1, "\""]}'::jsonb], array['\x00'::bytea], '{NaN,-0.00,1e100}', '(,,)'),
  ('[-1:1]={1,2,3}', '{{{{x}}}}', null, '{}', null, null, null, null, null, null, null),
  ('{NULL}', array[E'a\nb\t', '{}', ',', E'\\', '"'], '(,"",)', null, '{NULL}', 2147483647, '{}', '{}', '{}', '{}', '(1,2,sad)');
