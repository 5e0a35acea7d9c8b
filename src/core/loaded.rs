//! SQL for tables that were filled by a backup of rows alone, which holds no sequences and checks no keys. It runs in
//! `psql` as in a session, whatever the `search_path`.

use super::ident::{QName, literal};

/// Sequences that the tables' columns own, moved forward to where the next number is free. Never back: others may
/// have taken numbers.
pub fn advance_sequences<'a>(tables: impl IntoIterator<Item = &'a QName>) -> String {
    SEQUENCES.replace("$tables", &array(tables))
}

/// Warns of rows that refer by a validated key to rows that are not there: the key did not act on rows that came in
/// with triggers switched off.
pub fn tell_broken_references<'a>(tables: impl IntoIterator<Item = &'a QName>) -> String {
    REFERENCES.replace("$tables", &array(tables))
}

/// Validated foreign keys of tables (`$1`, as SQL): schema and name of the table, the key's name, schema and name of the
/// table to which it refers.
pub const FOREIGN_KEYS: &str = "
    SELECT n.nspname::text, c.relname::text, k.conname::text, rn.nspname::text, r.relname::text
      FROM pg_catalog.pg_constraint k
      JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_catalog.pg_class r ON r.oid = k.confrelid JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace
     WHERE k.contype = 'f' AND k.convalidated AND k.conrelid = ANY ($1::text[]::pg_catalog.regclass[])
       AND NOT r.relispartition
     ORDER BY 1, 2, 3";

fn array<'a>(tables: impl IntoIterator<Item = &'a QName>) -> String {
    let names: Vec<String> = tables.into_iter().map(|t| literal(&t.sql())).collect();
    format!("ARRAY[{}]::pg_catalog.regclass[]", names.join(", "))
}

const SEQUENCES: &str = "DO $rovodev$
DECLARE
  s record;
BEGIN
  FOR s IN
    SELECT d.objid::pg_catalog.regclass AS name, d.refobjid::pg_catalog.regclass AS owner, a.attname AS col,
           q.seqmin, q.seqmax, CASE WHEN q.seqincrement > 0 THEN 'max' ELSE 'min' END AS furthest,
           CASE WHEN q.seqincrement > 0 THEN '>' ELSE '<' END AS further
      FROM pg_catalog.pg_depend d
      JOIN pg_catalog.pg_sequence q ON q.seqrelid = d.objid
      JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
     WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
       AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype IN ('a', 'i')
       AND a.atttypid IN ('pg_catalog.int2'::pg_catalog.regtype, 'pg_catalog.int4'::pg_catalog.regtype,
                          'pg_catalog.int8'::pg_catalog.regtype)
       AND d.refobjid = ANY ($tables)
       AND pg_catalog.has_sequence_privilege(q.seqrelid, 'SELECT')
       AND pg_catalog.has_sequence_privilege(q.seqrelid, 'UPDATE')
  LOOP
    EXECUTE pg_catalog.format(
      'SELECT pg_catalog.setval(%L::pg_catalog.regclass, t.taken) FROM (SELECT pg_catalog.%s(%I)::int8 AS taken FROM %s) t, %s q
        WHERE t.taken BETWEEN %s AND %s AND (t.taken %s q.last_value OR t.taken = q.last_value AND NOT q.is_called)',
      s.name, s.furthest, s.col, s.owner, s.name, s.seqmin, s.seqmax, s.further);
  END LOOP;
END
$rovodev$;
";

const REFERENCES: &str = "DO $rovodev$
DECLARE
  k record;
  orphans bigint;
BEGIN
  FOR k IN
    SELECT c.conname AS name, c.conrelid::pg_catalog.regclass AS child, c.confrelid::pg_catalog.regclass AS parent,
           pg_catalog.string_agg(pg_catalog.format('c.%I = p.%I', a.attname, b.attname), ' AND ') AS pairs,
           pg_catalog.string_agg(pg_catalog.format('c.%I IS NOT NULL', a.attname), ' AND ') AS given
      FROM pg_catalog.pg_constraint c
      CROSS JOIN LATERAL unnest(c.conkey, c.confkey) AS x(mine, theirs)
      JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = x.mine
      JOIN pg_catalog.pg_attribute b ON b.attrelid = c.confrelid AND b.attnum = x.theirs
      JOIN pg_catalog.pg_class r ON r.oid = c.confrelid
     WHERE c.contype = 'f' AND c.convalidated AND NOT r.relispartition AND c.conrelid = ANY ($tables)
     GROUP BY c.oid, c.conname, c.conrelid, c.confrelid
  LOOP
    EXECUTE pg_catalog.format('SELECT count(*) FROM ONLY %s c WHERE %s AND NOT EXISTS (SELECT FROM %s p WHERE %s)',
      k.child, k.given, k.parent, k.pairs) INTO orphans;
    IF orphans > 0 THEN
      RAISE WARNING '% row(s) of % refer by % to rows of % that are not there', orphans, k.child, k.name, k.parent;
    END IF;
  END LOOP;
END
$rovodev$;
";
