//! SQL that adds rows of the platform's tables where they are missing, and changes none. It runs in `psql` as in a
//! session, whatever the `search_path`.
//!
//! The rows lie in a table of texts, as COPY writes them: the columns that both sides have, and that are not generated,
//! are known only where the target is. Supabase's own tables differ by its version.

use super::ident::{QName, literal, quote};
use super::manifest::Table;

/// The definitions of the staging table's columns.
pub fn texts(table: &Table) -> String {
    let columns = table.columns.iter();
    let texts = columns.map(|c| format!("{} text", quote(&c.name)));
    texts.collect::<Vec<_>>().join(", ")
}

/// The plpgsql statement that adds the rows of `staging` to their table. `added` is a table of the key's columns that
/// notes which ones came. A row whose parent is not there is left out, as is one of which another row has taken a unique
/// value; a WARNING counts them.
pub fn add(table: &Table, staging: &str, added: Option<&QName>) -> String {
    let key: Vec<_> = table.primary_key.iter().map(|k| quote(k)).collect();
    let (with, note) = match added {
        Some(added) => {
            let into = format!(") INSERT INTO {} SELECT * FROM added", added.sql());
            let returning = key.iter().map(|k| format!("l.{k}")).collect::<Vec<_>>();
            (
                "WITH added AS (",
                format!(" RETURNING {}{into}", returning.join(", ")),
            )
        }
        None => ("", String::new()),
    };
    ADD.replace("$table", &literal(&table.name.sql()))
        .replace("$staging", &literal(staging))
        .replace("$with", &format(with))
        .replace("$note", &format(&note))
        .replace("$absent", &literal(&count_absent(table, staging)))
}

/// Counts the staged rows that the table does not hold, by their key.
pub fn count_absent(table: &Table, staging: &str) -> String {
    let key = table.primary_key.iter().map(|k| quote(k));
    let same = key.map(|k| format!("l.{k}::text = s.{k}"));
    format!(
        "SELECT count(*) FROM {staging} s WHERE NOT EXISTS (SELECT FROM {} l WHERE {})",
        table.name.sql(),
        same.collect::<Vec<_>>().join(" AND ")
    )
}

/// Takes the noted rows away again. The session must keep triggers and foreign keys from acting.
pub fn take_back(table: &str, added: &QName, key: &[String]) -> String {
    let same = key.iter().map(|k| quote(k));
    let same = same.map(|k| format!("l.{k} = a.{k}"));
    format!(
        "DELETE FROM {table} l USING {} a WHERE {}",
        added.sql(),
        same.collect::<Vec<_>>().join(" AND ")
    )
}

/// Inside the first argument of `format`.
fn format(sql: &str) -> String {
    sql.replace('%', "%%").replace('\'', "''")
}

const ADD: &str = "DECLARE
  target pg_catalog.regclass := pg_catalog.to_regclass($table);
  staged pg_catalog.regclass := pg_catalog.to_regclass($staging);
  acting text := pg_catalog.current_setting('session_replication_role');
  names text;
  texts text;
  parents text;
  absent bigint;
BEGIN
  IF target IS NULL THEN
    RAISE EXCEPTION 'the table does not exist';
  END IF;
  IF EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = target AND NOT t.tgisinternal AND t.tgenabled IN ('A', 'R')) THEN
    RAISE EXCEPTION 'a trigger on the table would fire';
  END IF;
  IF EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = target AND NOT t.tgisinternal AND t.tgenabled = 'O') THEN
    PERFORM pg_catalog.set_config('session_replication_role', 'replica', true);
  END IF;
  SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY a.attnum),
         pg_catalog.string_agg(pg_catalog.format('s.%I::%s', a.attname, pg_catalog.format_type(a.atttypid, -1)), ', ' ORDER BY a.attnum)
    INTO names, texts
    FROM pg_catalog.pg_attribute a
    JOIN pg_catalog.pg_attribute b ON b.attrelid = staged AND b.attname = a.attname AND b.attnum > 0
   WHERE a.attrelid = target AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '';
  SELECT pg_catalog.string_agg(pg_catalog.format(' AND (%s OR EXISTS (SELECT FROM %s p WHERE %s))', k.unset, k.parent, k.pairs), '')
    INTO parents
    FROM (SELECT c.confrelid::pg_catalog.regclass AS parent,
                 pg_catalog.string_agg(pg_catalog.format('s.%I IS NULL', a.attname), ' OR ') AS unset,
                 pg_catalog.string_agg(pg_catalog.format('p.%I = s.%I::%s', r.attname, a.attname,
                   pg_catalog.format_type(a.atttypid, -1)), ' AND ') AS pairs
            FROM pg_catalog.pg_constraint c
            CROSS JOIN LATERAL unnest(c.conkey, c.confkey) AS x(mine, theirs)
            JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = x.mine
            JOIN pg_catalog.pg_attribute r ON r.attrelid = c.confrelid AND r.attnum = x.theirs
            LEFT JOIN pg_catalog.pg_attribute b ON b.attrelid = staged AND b.attname = a.attname AND b.attnum > 0
           WHERE c.contype = 'f' AND c.conparentid = 0 AND c.conrelid = target AND c.confrelid <> target
           GROUP BY c.oid, c.confrelid HAVING pg_catalog.bool_and(b.attname IS NOT NULL)) k;
  EXECUTE pg_catalog.format('$withINSERT INTO %s AS l (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM %s s WHERE true%s ON CONFLICT DO NOTHING$note',
    target, names, texts, staged, parents);
  PERFORM pg_catalog.set_config('session_replication_role', acting, true);
  EXECUTE $absent INTO absent;
  IF absent > 0 THEN
    RAISE WARNING '% row(s) of % are not restored: another row holds the same unique value, or the row to which they refer is not there', absent, target;
  END IF;
END;
";
