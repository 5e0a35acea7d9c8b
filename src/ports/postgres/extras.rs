//! Reads what a pg_dump of the app's schemas loses. Runs in the backup's snapshot, so nothing here may fail on a
//! missing right or relation: an error would end the snapshot.

mod sql;

use super::Session;
use crate::core::extras::{Extras, Item};
use crate::core::ident::{self, QName};
use crate::core::managed;
use crate::error::Result;

/// Rows of one configuration table that are kept at most; such tables hold a handful.
const CONFIGURATION_ROWS: i64 = 10_000;

/// Everything but [`Extras::managed`], whose text comes from pg_dump. The session must have an empty
/// `search_path`, so that names come out qualified. The second list names rows of the app that were not captured.
pub async fn capture(session: &Session) -> Result<(Extras, Vec<String>)> {
    let memberships_to = if session.identity.version >= 150_000 {
        sql::PUBLICATIONS
    } else {
        sql::PUBLICATIONS_BEFORE_15
    };
    let mut extras = Extras {
        roles: items(session, "roles", &sql::roles(), false, true).await?,
        memberships: items(
            session,
            "role memberships",
            &sql::memberships(session.identity.version),
            false,
            true,
        )
        .await?,
        triggers: items(session, "triggers", sql::TRIGGERS, true, true).await?,
        policies: items(session, "policies", sql::POLICIES, true, true).await?,
        publications: items(session, "publications", memberships_to, true, true).await?,
        database_settings: settings(session, Scope::Database).await?,
        role_settings_here: settings(session, Scope::RoleHere).await?,
        role_settings: settings(session, Scope::Role).await?,
        ..Extras::default()
    };
    secrets(session, &mut extras).await?;
    let mut lost = Vec::new();
    cron_jobs(session, &mut extras, &mut lost).await?;
    configuration_tables(session, &mut extras, &mut lost).await?;
    extras.left_out.extend(lost.iter().cloned());
    Ok((extras, lost))
}

/// The managed schemas that the app's objects refer to, directly or through another managed schema: by foreign
/// keys, defaults, policies, views, types, triggers, and by name in the bodies of functions.
pub async fn referenced_managed_schemas(session: &Session) -> Result<Vec<String>> {
    let doing = "finding the managed schemas that the app refers to";
    let rows = session
        .query(
            doing,
            sql::REFERENCED,
            &[
                &managed::not_app_regex(),
                &format!("{}%", managed::CATALOG_MARKER),
            ],
        )
        .await?;
    let names = rows.iter().map(|row| row.get::<_, String>(0));
    Ok(names.filter(|name| managed::is_platform(name)).collect())
}

#[derive(Clone, Copy)]
enum Scope {
    Database,
    RoleHere,
    Role,
}

async fn settings(session: &Session, scope: Scope) -> Result<Vec<Item>> {
    let sql = match scope {
        Scope::Database => sql::settings("d.oid", "0", "ALTER DATABASE %I"),
        Scope::RoleHere => sql::settings("d.oid", "r.oid", "ALTER ROLE %2$I IN DATABASE %1$I"),
        Scope::Role => sql::settings("0", "r.oid", "ALTER ROLE %2$I"),
    };
    items(session, "settings", &sql, false, true).await
}

/// Runs a query of (name, statement), with the regular expression of schemas that are not the app's where it is asked for.
async fn items(
    session: &Session,
    what: &str,
    sql: &str,
    by_schema: bool,
    optional: bool,
) -> Result<Vec<Item>> {
    let doing = format!("reading {what}");
    let regex = managed::not_app_regex();
    let rows = if by_schema {
        session.query(&doing, sql, &[&regex]).await?
    } else {
        session.query(&doing, sql, &[]).await?
    };
    let item = |row: &tokio_postgres::Row| Item {
        name: row.get(0),
        sql: row.get(1),
        optional,
    };
    Ok(rows.iter().map(item).collect())
}

/// Names what is secret: settings by their name, and the entries of the vault.
async fn secrets(session: &Session, extras: &mut Extras) -> Result<()> {
    let rows = session
        .query(
            "reading the names of secret settings",
            &sql::secret_settings(),
            &[],
        )
        .await?;
    let setting = |row: &tokio_postgres::Row| format!("secret setting {}", row.get::<_, String>(0));
    extras.left_out.extend(rows.iter().map(setting));
    if readable(session, "vault.secrets").await? == Some(true) {
        let sql = "SELECT coalesce(name, id::text) FROM vault.secrets ORDER BY 1";
        for row in session.query("reading the vault's names", sql, &[]).await? {
            let name: String = row.get(0);
            extras.left_out.push(format!("vault secret {name:?}"));
        }
    }
    Ok(())
}

async fn cron_jobs(session: &Session, extras: &mut Extras, lost: &mut Vec<String>) -> Result<()> {
    match readable(session, "cron.job").await? {
        Some(true) => {
            extras.cron_jobs = items(session, "cron jobs", sql::CRON_JOBS, false, true).await?;
        }
        Some(false) => {
            lost.push("the scheduled jobs in cron.job, which the role may not read".into())
        }
        None => {}
    }
    Ok(())
}

async fn configuration_tables(
    session: &Session,
    extras: &mut Extras,
    lost: &mut Vec<String>,
) -> Result<()> {
    let doing = "reading extensions' configuration tables";
    for row in session.query(doing, sql::CONFIGURATION_TABLES, &[]).await? {
        let table = QName::new(row.get::<_, String>(0), row.get::<_, String>(1));
        let (condition, columns): (String, Vec<String>) = (row.get(2), row.get(3));
        if !row.get::<_, bool>(4) {
            lost.push(format!("rows of {table}, which the role may not read"));
            continue;
        }
        let sql = insert_statements(&table, &columns, &condition);
        let rows = session.query(doing, &sql, &[]).await?;
        if rows.len() as i64 > CONFIGURATION_ROWS {
            lost.push(format!(
                "rows of {table}, which holds over {CONFIGURATION_ROWS}"
            ));
            continue;
        }
        let statements = rows.iter().map(|row| row.get::<_, String>(0));
        let of_app = statements.filter(|sql| !is_catalogs(&table, sql));
        extras.extension_rows.extend(of_app.map(|sql| Item {
            name: format!("a row of {table}"),
            sql,
            optional: true,
        }));
    }
    Ok(())
}

/// A query that writes each row of a table as an INSERT.
fn insert_statements(table: &QName, columns: &[String], condition: &str) -> String {
    let values: Vec<_> = columns
        .iter()
        .map(|c| {
            format!(
                "pg_catalog.quote_nullable({}::pg_catalog.text)",
                ident::quote(c)
            )
        })
        .collect();
    let head = format!(
        "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES (",
        table.sql(),
        ident::list(columns.iter().map(String::as_str))
    );
    format!(
        "SELECT {} || pg_catalog.concat_ws(', ', {}) || ') ON CONFLICT DO NOTHING' FROM {} {condition} LIMIT {}",
        ident::literal(&head),
        values.join(", "),
        table.sql(),
        CONFIGURATION_ROWS + 1
    )
}

/// The extension's list of queues names the catalog's too.
fn is_catalogs(table: &QName, insert: &str) -> bool {
    let named = |queue: &&str| insert.contains(&ident::literal(queue));
    table.schema == "pgmq" && managed::CATALOG_QUEUES.iter().any(named)
}

/// Whether the role may read all of its rows; `None` where there is no such table.
async fn readable(session: &Session, table: &str) -> Result<Option<bool>> {
    let sql = "SELECT coalesce(pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT') \
               AND NOT pg_catalog.row_security_active(c.oid), false) \
               FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
               WHERE n.nspname || '.' || c.relname = $1 AND c.relkind IN ('r', 'v', 'p')";
    let rows = session
        .query("looking for a managed table", sql, &[&table])
        .await?;
    Ok(rows.first().map(|row| row.get(0)))
}
