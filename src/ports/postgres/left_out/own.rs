//! The app's own objects in schemas that are taken for the platform's. What the platform makes there belongs to roles of
//! its own, and what extensions make to the extension.

use super::{LeftOut, told};
use crate::core::ident::QName;
use crate::core::managed;
use crate::error::Result;
use crate::ports::postgres::Session;

/// The app's roles: whoever takes the backup, and others that are neither the platform's nor superusers.
const ROLES: &str = "SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = current_user \
    OR NOT r.rolsuper AND r.rolname !~ '^(supabase_|pg_|pgsodium_)' AND r.rolname NOT IN ('dashboard_user', 'pgbouncer', 'pgtle_admin')";

/// Schemas to look into. The scripts of pgmq and its door, and the record of migrations, belong to the app's role too.
const SCHEMAS: &str = "SELECT n.oid, n.nspname::text AS schema FROM pg_catalog.pg_namespace n WHERE n.nspname ~ $1 \
    AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'pgmq', 'pgmq_public', 'supabase_migrations')";

/// Whether an object belongs to no other one: an extension, a table's column, a type.
fn by_itself(class: &str, oid: &str) -> String {
    format!(
        "NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.{class}'::pg_catalog.regclass \
           AND d.objid = {oid} AND d.deptype IN ('e', 'i', 'a'))"
    )
}

pub async fn tables(session: &Session, found: &mut LeftOut) -> Result<()> {
    let sql = format!(
        "SELECT s.schema, c.relname::text FROM ({SCHEMAS}) s JOIN pg_catalog.pg_class c ON c.relnamespace = s.oid \
         WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relowner IN ({ROLES}) AND {} ORDER BY 1, 2",
        by_itself("pg_class", "c.oid")
    );
    let regex = managed::not_app_regex();
    let rows = session
        .query("looking for tables of the app's", &sql, &[&regex])
        .await?;
    let names: Vec<String> = rows
        .iter()
        .map(|r| QName::new(r.get::<_, String>(0), r.get::<_, String>(1)))
        .filter(|name| managed::is_platform(&name.schema))
        .map(|name| name.to_string())
        .collect();
    if !names.is_empty() {
        found.lost.push(told(
            "own_tables_in_platform_schemas",
            format!(
                "tables of the app's roles in schemas that the platform keeps are not in the backup, neither rows nor definitions: \
                 {} (move them to a schema of the app's own)",
                names.join(", ")
            ),
        ));
    }
    Ok(())
}

/// What a project's initial script makes, in older ones as the app's own role.
const PLATFORM_FUNCTIONS: &str = "('auth.uid', 'auth.role', 'auth.email', 'auth.jwt', 'extensions.grant_pg_cron_access', \
    'extensions.grant_pg_graphql_access', 'extensions.grant_pg_net_access', 'extensions.notify_api_restart', \
    'extensions.pgrst_ddl_watch', 'extensions.pgrst_drop_watch', 'extensions.set_graphql_placeholder', \
    'graphql_public.graphql', 'pgbouncer.get_auth', 'storage.extension', 'storage.filename', 'storage.foldername', \
    'storage.search')";

/// Everything but tables. Triggers belong to whoever owns their function; those that call a function elsewhere are captured.
pub async fn objects(session: &Session, found: &mut LeftOut) -> Result<()> {
    let regex = managed::not_app_regex();
    let doing = "looking for objects of the app's";
    let rows = session.query(doing, &objects_sql(), &[&regex]).await?;
    let names: Vec<String> = rows
        .iter()
        .filter(|r| managed::is_platform(r.get(0)))
        .map(|r| r.get(1))
        .collect();
    if !names.is_empty() {
        found.lost.push(told(
            "own_objects_in_platform_schemas",
            format!(
                "objects of the app's roles in schemas that the platform keeps do not come back where a database has these \
                 schemas, nor what uses them: {} (move them to a schema of the app's own, or make them there before a restore)",
                names.join(", ")
            ),
        ));
    }
    Ok(())
}

fn objects_sql() -> String {
    format!(
        "WITH role AS ({ROLES}), place AS ({SCHEMAS}), functions AS ( \
           SELECT s.schema, p.oid, p.proname::text AS name FROM place s JOIN pg_catalog.pg_proc p ON p.pronamespace = s.oid \
            WHERE p.proowner IN (SELECT oid FROM role) AND {function} AND s.schema || '.' || p.proname NOT IN {PLATFORM_FUNCTIONS} \
         ) \
         SELECT DISTINCT schema, kind || ' ' || schema || '.' || name FROM ( \
           SELECT s.schema, CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence' \
                  ELSE 'foreign table' END AS kind, c.relname::text AS name \
             FROM place s JOIN pg_catalog.pg_class c ON c.relnamespace = s.oid \
            WHERE c.relkind IN ('v', 'm', 'S', 'f') AND c.relowner IN (SELECT oid FROM role) AND {relation} \
           UNION ALL SELECT schema, 'function', name FROM functions \
           UNION ALL \
           SELECT s.schema, 'type', t.typname::text FROM place s JOIN pg_catalog.pg_type t ON t.typnamespace = s.oid \
             LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid \
            WHERE (t.typtype IN ('d', 'e', 'r') OR c.relkind = 'c') AND t.typowner IN (SELECT oid FROM role) AND {type_} \
           UNION ALL \
           SELECT f.schema, 'trigger', c.relname || '.' || t.tgname FROM functions f \
             JOIN pg_catalog.pg_trigger t ON t.tgfoid = f.oid JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid \
             JOIN place s ON s.oid = c.relnamespace AND s.schema = f.schema WHERE NOT t.tgisinternal AND t.tgparentid = 0 \
         ) found ORDER BY 1, 2",
        function = by_itself("pg_proc", "p.oid"),
        relation = by_itself("pg_class", "c.oid"),
        type_ = by_itself("pg_type", "t.oid"),
    )
}
