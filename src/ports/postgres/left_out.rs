//! What a database has and a backup of it does not hold. Asked in the backup's snapshot, so it takes no locks and
//! reads the catalogs alone: an error would end the snapshot.

mod own;

use super::Session;
use crate::core::managed;
use crate::core::manifest::Warning;
use crate::error::Result;

/// Told apart by who would miss it after a restore into another database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Of the app: nobody makes it again, so a backup that lacks it is one with warnings.
    pub lost: Vec<Warning>,
    /// The platform's own or secret by nature, found in every project: named, and no more.
    pub notes: Vec<Warning>,
}

/// Whether a table may hold rows. A table that was never analysed counts as one that does.
const MAY_HOLD: &str = "(c.reltuples <> 0 OR pg_catalog.pg_stat_get_live_tuples(c.oid) > 0)";

/// `held`: tables of the platform whose rows the backup holds.
pub async fn find(session: &Session, held: &[String]) -> Result<LeftOut> {
    let mut found = LeftOut::default();
    queues(session, &mut found).await?;
    subscriptions(session, &mut found).await?;
    own::tables(session, &mut found).await?;
    own::objects(session, &mut found).await?;
    platform_rows(session, held, &mut found).await?;
    Ok(found)
}

/// Queues of pgmq are tables of its schema, which the extension keeps.
async fn queues(session: &Session, found: &mut LeftOut) -> Result<()> {
    let sql = format!(
        "SELECT pg_catalog.substr(c.relname, 3), pg_catalog.bool_or({MAY_HOLD}) \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = 'pgmq' AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname ~ '^[qa]_' \
           AND pg_catalog.substr(c.relname, 3) <> ALL ($1) \
         GROUP BY 1 ORDER BY 1"
    );
    let rows = session
        .query("looking for queues", &sql, &[&managed::CATALOG_QUEUES])
        .await?;
    let named = |filled: bool| {
        let those = rows.iter().filter(|r| r.get::<_, bool>(1) == filled);
        those.map(|r| r.get::<_, String>(0)).collect::<Vec<_>>()
    };
    let (filled, empty) = (named(true), named(false));
    if !filled.is_empty() {
        found.lost.push(told(
            "queue_messages",
            format!(
                "queues of pgmq are not in the backup, nor the messages in them and in their archives: {} \
                 (elsewhere, make them again with pgmq.create)",
                filled.join(", ")
            ),
        ));
    }
    if !empty.is_empty() {
        found.notes.push(told(
            "empty_queues",
            format!(
                "empty queues of pgmq are not in the backup: {} (elsewhere, make them again with pgmq.create)",
                empty.join(", ")
            ),
        ));
    }
    Ok(())
}

/// Their text holds a password, so `pg_dump` is told to leave them out.
async fn subscriptions(session: &Session, found: &mut LeftOut) -> Result<()> {
    let readable = "SELECT pg_catalog.has_column_privilege('pg_catalog.pg_subscription', 'subname', 'SELECT') \
                    AND pg_catalog.has_column_privilege('pg_catalog.pg_subscription', 'subdbid', 'SELECT')";
    let doing = "looking for subscriptions";
    if !session
        .query_one(doing, readable, &[])
        .await?
        .get::<_, bool>(0)
    {
        return Ok(());
    }
    let sql = "SELECT s.subname::text FROM pg_catalog.pg_subscription s \
               JOIN pg_catalog.pg_database d ON d.oid = s.subdbid \
               WHERE d.datname = pg_catalog.current_database() ORDER BY 1";
    let rows = session.query(doing, sql, &[]).await?;
    let names: Vec<String> = rows.iter().map(|r| r.get(0)).collect();
    if !names.is_empty() {
        found.lost.push(told(
            "subscriptions",
            format!(
                "subscriptions are not in the backup, since their text holds passwords: {} \
                 (elsewhere, make them again with CREATE SUBSCRIPTION)",
                names.join(", ")
            ),
        ));
    }
    Ok(())
}

/// Users, stored files' records and the like. Scheduled jobs and secrets are told of by the extras.
async fn platform_rows(session: &Session, held: &[String], found: &mut LeftOut) -> Result<()> {
    let sql = format!(
        "SELECT n.nspname::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname ~ $1 AND n.nspname NOT IN ('cron', 'pgmq', 'vault') AND c.relkind = 'r' AND {MAY_HOLD} \
           AND n.nspname || '.' || c.relname <> ALL ($2) \
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass \
                            AND d.objid = c.oid AND d.deptype = 'e') \
         GROUP BY 1 ORDER BY 1"
    );
    let regex = managed::not_app_regex();
    let rows = session
        .query("looking at the platform's tables", &sql, &[&regex, &held])
        .await?;
    let schemas: Vec<String> = rows
        .iter()
        .map(|r| r.get(0))
        .filter(|schema: &String| managed::is_platform(schema))
        .collect();
    if !schemas.is_empty() {
        found.notes.push(told(
            "platform_rows",
            format!(
                "{} of the platform's schemas are not in the backup (users, records of stored files): {}",
                if held.is_empty() { "rows" } else { "other rows" },
                schemas.join(", ")
            ),
        ));
    }
    Ok(())
}

fn told(code: &str, message: String) -> Warning {
    Warning {
        code: code.into(),
        message,
    }
}
