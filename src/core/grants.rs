//! A target's default privileges act on everything that is made there. A backup says itself who may what, so its grants
//! start from objects as they are where nobody has set any defaults: what was closed does not come back open.

use super::ddl::{Entry, Kind};
use super::ident::{dollars, literal};
use std::collections::BTreeSet;

const DATABASE_OWNER: &str = "pg_database_owner";

/// Statements around those that make objects, in one session whose `search_path` is empty.
pub struct Defaults {
    /// Notes what is there and so not made.
    pub before: String,
    /// Takes back what defaults have given to what was made, and gives what they have taken.
    pub after: String,
}

/// For the objects that these entries make. Overloads of a function are told apart by being there before or not.
pub fn without_defaults<'e>(made: impl IntoIterator<Item = &'e Entry>) -> Defaults {
    let names: BTreeSet<(String, String)> = made.into_iter().filter_map(grantable).collect();
    let list = |part: fn(&(String, String)) -> &str| {
        let each: Vec<String> = names.iter().map(|n| literal(part(n))).collect();
        format!("ARRAY[{}]::text[]", each.join(", "))
    };
    let named = NAMED
        .replace("$schemas", &list(|n| &n.0))
        .replace("$names", &list(|n| &n.1));
    let run = |body: &str| format!("DO {};\n", dollars(&among(&named, body)));
    Defaults {
        before: run(BEFORE),
        after: run(AFTER),
    }
}

/// For whoever restores by hand: the query for what is there, whose answer is to be `rovodev.there`, and what follows the
/// making.
pub fn by_hand() -> [String; 2] {
    let after = format!("DO {};", dollars(&among(ALL, AFTER)));
    [format!("{};", among(ALL, THERE)), after]
}

fn among(candidates: &str, sql: &str) -> String {
    let objects = OBJECTS.replace("$candidates", candidates);
    sql.replace("$there", THERE).replace("$objects", &objects)
}

/// The PL/pgSQL that runs a statement on grants of this entry. Who has the right to grant on schema `public` from its owner,
/// as `postgres` on Supabase, would grant in his own name, beside what the owner has granted.
pub fn run(entry: &Entry, statement: &str) -> String {
    let execute = format!("EXECUTE {};\n", dollars(statement));
    match entry.owner.as_deref() {
        Some(DATABASE_OWNER) => format!(
            "IF pg_catalog.pg_has_role('{DATABASE_OWNER}', 'MEMBER') THEN\n  SET LOCAL ROLE {DATABASE_OWNER};\nEND IF;\n{execute}RESET ROLE;\n"
        ),
        _ => execute,
    }
}

/// Its schema and its name; a schema has no other.
fn grantable(entry: &Entry) -> Option<(String, String)> {
    match entry.kind {
        Kind::Schema => Some((entry.name.clone(), String::new())),
        Kind::Type
        | Kind::Function
        | Kind::Table
        | Kind::ForeignTable
        | Kind::View
        | Kind::MaterializedView
        | Kind::Sequence => entry.makes().map(|name| (name.schema, name.name)),
        _ => None,
    }
}

const NAMED: &str = "SELECT n.oid, x.name FROM unnest($schemas, $names) AS x(schema, name)
        JOIN pg_catalog.pg_namespace n ON n.nspname = x.schema";

const ALL: &str = "SELECT relnamespace, relname FROM pg_catalog.pg_class UNION SELECT pronamespace, proname FROM pg_catalog.pg_proc
      UNION SELECT typnamespace, typname FROM pg_catalog.pg_type UNION SELECT oid, '' FROM pg_catalog.pg_namespace";

const OBJECTS: &str = "\
made(schema, name) AS (
      $candidates
    ), object(id, name, acl, plain) AS (
      SELECT 'SCHEMA ' || n.oid, 'SCHEMA ' || n.oid::pg_catalog.regnamespace, n.nspacl, pg_catalog.acldefault('n', n.nspowner)
        FROM made m JOIN pg_catalog.pg_namespace n ON n.oid = m.schema AND m.name = ''
      UNION ALL
      SELECT 'TABLE ' || c.oid, CASE c.relkind WHEN 'S' THEN 'SEQUENCE ' ELSE 'TABLE ' END || c.oid::pg_catalog.regclass, c.relacl,
             pg_catalog.acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::\"char\", c.relowner)
        FROM made m JOIN pg_catalog.pg_class c ON c.relnamespace = m.schema AND c.relname = m.name
       WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
      UNION ALL
      SELECT 'ROUTINE ' || p.oid, 'ROUTINE ' || p.oid::pg_catalog.regprocedure, p.proacl, pg_catalog.acldefault('f', p.proowner)
        FROM made m JOIN pg_catalog.pg_proc p ON p.pronamespace = m.schema AND p.proname = m.name
      UNION ALL
      SELECT 'TYPE ' || t.oid, 'TYPE ' || pg_catalog.format_type(t.oid, NULL), t.typacl, pg_catalog.acldefault('T', t.typowner)
        FROM made m JOIN pg_catalog.pg_type t ON t.typnamespace = m.schema AND t.typname = m.name
    )";

const THERE: &str = "WITH $objects
    SELECT coalesce(pg_catalog.array_agg(id), '{}')::text FROM object";

const BEFORE: &str = "
BEGIN
  PERFORM pg_catalog.set_config('rovodev.there', ($there), false);
END
";

/// A second turn finds nothing to do, or says what the first could not.
const AFTER: &str = "
DECLARE
  turn int;
  step text;
BEGIN
  FOR turn IN 1..2 LOOP FOR step IN
    WITH $objects, own AS (
      SELECT * FROM object WHERE acl IS NOT NULL AND id <> ALL (pg_catalog.current_setting('rovodev.there')::text[])
    ), held AS (
      SELECT o.name, a.grantee, a.privilege_type, a.is_grantable, p.grantee IS NOT NULL AS is_plain
        FROM own o CROSS JOIN LATERAL pg_catalog.aclexplode(o.acl) a
        LEFT JOIN LATERAL pg_catalog.aclexplode(o.plain) p USING (grantee, privilege_type, is_grantable)
    ), lacking AS (
      SELECT o.name, p.grantee, p.privilege_type FROM own o CROSS JOIN LATERAL pg_catalog.aclexplode(o.plain) p
       WHERE NOT EXISTS (SELECT FROM pg_catalog.aclexplode(o.acl) a
             WHERE (a.grantee, a.privilege_type, a.is_grantable) = (p.grantee, p.privilege_type, p.is_grantable))
    ), steps AS (
      SELECT 1 AS nth, pg_catalog.format('REVOKE %s ON %s FROM', privilege_type, name) AS what, grantee FROM held WHERE NOT is_plain
      UNION ALL
      SELECT 2, pg_catalog.format('GRANT %s ON %s TO', privilege_type, name), grantee FROM lacking
    )
    SELECT what || ' ' || CASE grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(grantee)) END
      FROM steps ORDER BY nth
  LOOP
    IF turn = 2 THEN
      RAISE EXCEPTION 'default privileges of the database cannot be taken back from what is restored: % has no effect', step;
    END IF;
    EXECUTE step;
  END LOOP; END LOOP;
END
";
