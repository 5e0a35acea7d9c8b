//! A target's default privileges act on everything that is made there. A backup says itself who may what, so its grants
//! start from objects as they are where nobody has set any defaults: what was closed does not come back open.

use super::ddl::{Entry, Kind};
use super::ident::{QName, literal};
use std::collections::BTreeSet;

/// A block of PL/pgSQL that takes back what defaults have given to what these entries made, and gives what they have
/// taken. It needs an empty `search_path`.
pub fn without_defaults<'e>(made: impl IntoIterator<Item = &'e Entry>) -> String {
    let names: BTreeSet<QName> = made.into_iter().filter_map(grantable).collect();
    let list = |part: fn(&QName) -> &str| {
        let each: Vec<String> = names.iter().map(|n| literal(part(n))).collect();
        format!("ARRAY[{}]::text[]", each.join(", "))
    };
    BLOCK
        .replace("$schemas", &list(|n| &n.schema))
        .replace("$names", &list(|n| &n.name))
}

fn grantable(entry: &Entry) -> Option<QName> {
    let has_grants = matches!(
        entry.kind,
        Kind::Type
            | Kind::Function
            | Kind::Table
            | Kind::ForeignTable
            | Kind::View
            | Kind::MaterializedView
            | Kind::Sequence
    );
    has_grants.then(|| entry.makes()).flatten()
}

const BLOCK: &str = "DECLARE
  step text;
BEGIN
  FOR step IN
    WITH made AS (
      SELECT n.oid AS schema, x.name FROM unnest($schemas, $names) AS x(schema, name)
        JOIN pg_catalog.pg_namespace n ON n.nspname = x.schema
    ), object(name, acl, plain) AS (
      SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE ' ELSE 'TABLE ' END || c.oid::pg_catalog.regclass, c.relacl,
             pg_catalog.acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::\"char\", c.relowner)
        FROM made m JOIN pg_catalog.pg_class c ON c.relnamespace = m.schema AND c.relname = m.name
       WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
      UNION ALL
      SELECT 'ROUTINE ' || p.oid::pg_catalog.regprocedure, p.proacl, pg_catalog.acldefault('f', p.proowner)
        FROM made m JOIN pg_catalog.pg_proc p ON p.pronamespace = m.schema AND p.proname = m.name
      UNION ALL
      SELECT 'TYPE ' || pg_catalog.format_type(t.oid, NULL), t.typacl, pg_catalog.acldefault('T', t.typowner)
        FROM made m JOIN pg_catalog.pg_type t ON t.typnamespace = m.schema AND t.typname = m.name
    ), held AS (
      SELECT o.name, a.grantee, a.privilege_type, a.is_grantable, p.grantee IS NOT NULL AS is_plain
        FROM object o CROSS JOIN LATERAL pg_catalog.aclexplode(o.acl) a
        LEFT JOIN LATERAL pg_catalog.aclexplode(o.plain) p USING (grantee, privilege_type, is_grantable)
    ), lacking AS (
      SELECT o.name, p.grantee, p.privilege_type FROM object o CROSS JOIN LATERAL pg_catalog.aclexplode(o.plain) p
       WHERE o.acl IS NOT NULL AND NOT EXISTS (SELECT FROM pg_catalog.aclexplode(o.acl) a
             WHERE (a.grantee, a.privilege_type, a.is_grantable) = (p.grantee, p.privilege_type, p.is_grantable))
    ), steps AS (
      SELECT 1 AS turn, pg_catalog.format('REVOKE %s ON %s FROM', privilege_type, name) AS what, grantee FROM held WHERE NOT is_plain
      UNION ALL
      SELECT 2, pg_catalog.format('GRANT %s ON %s TO', privilege_type, name), grantee FROM lacking
    )
    SELECT what || ' ' || CASE grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(grantee)) END
      FROM steps ORDER BY turn
  LOOP
    EXECUTE step;
  END LOOP;
END;
";
