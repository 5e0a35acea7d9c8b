//! The demo app: an AI call centre with two tenants, 1,145 calls and 102 call events.

use crate::error::{Context, Result};
use std::collections::BTreeMap;
use tokio_postgres::Client;

const SCHEMA: &str = include_str!("../sql/demo/schema.sql");
const DATA: &str = include_str!("../sql/demo/data.sql");
const DAMAGE: &str = include_str!("../sql/demo/damage.sql");

/// What a table holds: its rows, counted, and a hash that is the same for the same rows in any order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableContents {
    pub rows: i64,
    pub hash: String,
}

/// The app's tables and materialized views by name, and what they hold.
pub type Contents = BTreeMap<String, TableContents>;

/// Creates the app as the owner, whole or not at all; returns false if it was there already.
pub async fn seed(owner: &mut Client) -> Result<bool> {
    let doing = "cannot seed the demo app";
    let there = owner
        .query_one("SELECT to_regclass('public.calls') IS NOT NULL", &[])
        .await
        .context(doing)?;
    if there.get(0) {
        return Ok(false);
    }
    let transaction = owner.transaction().await.context(doing)?;
    for part in [SCHEMA, DATA] {
        transaction.batch_execute(part).await.context(doing)?;
    }
    transaction.commit().await.context(doing)?;
    owner.batch_execute("ANALYZE").await.context(doing)?;
    Ok(true)
}

/// Deletes, garbles and adds rows all over the app.
pub async fn damage(owner: &mut Client) -> Result<()> {
    let doing = "cannot damage the demo app";
    let transaction = owner.transaction().await.context(doing)?;
    transaction.batch_execute(DAMAGE).await.context(doing)?;
    transaction.commit().await.context(doing)
}

/// Counts and hashes every table and materialized view of schema `public`, in one snapshot. Rovodev's catalog is not
/// the app's.
pub async fn contents(owner: &mut Client) -> Result<Contents> {
    let doing = "cannot read the demo app";
    let transaction = owner
        .build_transaction()
        .read_only(true)
        .isolation_level(tokio_postgres::IsolationLevel::RepeatableRead)
        .start()
        .await
        .context(doing)?;
    // Floats in full, whatever the server's default.
    let settings = "SET LOCAL extra_float_digits = 3; SET LOCAL TimeZone = 'UTC'";
    transaction.batch_execute(settings).await.context(doing)?;
    let relations = transaction
        .query(
            "SELECT relname, oid::regclass::text FROM pg_class \
             WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'm') \
             AND coalesce(obj_description(oid, 'pg_class'), '') NOT LIKE 'rovodev:catalog%' ORDER BY 1",
            &[],
        )
        .await
        .context(doing)?;
    let mut contents = Contents::new();
    for relation in relations {
        let name: String = relation.get(0);
        let quoted: String = relation.get(1);
        let query = format!(
            "SELECT count(*), md5(coalesce(string_agg(hash, '' ORDER BY hash), '')) \
             FROM (SELECT md5(t::text) AS hash FROM {quoted} AS t) AS hashed"
        );
        let row = transaction.query_one(&query, &[]).await.context(doing)?;
        contents.insert(
            name,
            TableContents {
                rows: row.get(0),
                hash: row.get(1),
            },
        );
    }
    transaction.rollback().await.context(doing)?;
    Ok(contents)
}
