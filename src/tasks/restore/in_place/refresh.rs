//! Materialized views over what changed are refreshed once the rows are committed.

use super::operations;
use super::work::{Work, beside};
use crate::core::ident::QName;
use crate::core::manifest::Warning;
use crate::core::progress::Stage;
use crate::error::Result;
use crate::ports::postgres::{DatabaseUrl, Session};
use crate::tasks::Context;
use uuid::Uuid;

/// Populated materialized views that read one of the tables (`$1`), through other views or not, in the order in
/// which they can be refreshed; and whether readers can go on meanwhile.
const VIEWS: &str = "WITH RECURSIVE reads AS ( \
     SELECT DISTINCT r.ev_class AS view, d.refobjid AS source FROM pg_rewrite r \
     JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass \
     WHERE d.refobjid <> r.ev_class), \
   above(view, level) AS ( \
     SELECT view, 1 FROM reads WHERE source = ANY($1) \
     UNION SELECT reads.view, above.level + 1 FROM above JOIN reads ON reads.source = above.view WHERE above.level < 100) \
   SELECT n.nspname::text, c.relname::text, EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique \
       AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL), max(above.level) \
   FROM above JOIN pg_class c ON c.oid = above.view AND c.relkind = 'm' AND c.relispopulated \
   JOIN pg_namespace n ON n.oid = c.relnamespace GROUP BY 1, 2, 3 ORDER BY 4, 1, 2";

/// Tables (`$1`) with all their partitions.
const TREES: &str = "SELECT coalesce(array_agg(DISTINCT t), '{}') FROM unnest($1::oid[]) AS root, \
     LATERAL (SELECT root AS t UNION SELECT relid::oid FROM pg_partition_tree(root)) AS tree";

/// A view that cannot be refreshed is a warning: the rows are restored.
pub async fn refresh(ctx: &Context, work: &Work, changed: &[i32]) -> Vec<Warning> {
    ctx.progress.stage(Stage::Refresh, 0);
    match refresh_all(work, changed).await {
        Ok(warnings) => warnings,
        Err(e) => vec![failed(&format!(
            "materialized views were not refreshed: {e}"
        ))],
    }
}

async fn refresh_all(work: &Work, changed: &[i32]) -> Result<Vec<Warning>> {
    refresh_above(&work.session, &tables(work, changed)).await
}

/// What readers of materialized views will wait for, where rows of these units change: one without a unique index is
/// refreshed under a lock against them.
pub async fn locks(work: &Work, changed: &[i32]) -> Result<Vec<String>> {
    let doing = "listing materialized views";
    let oids = tables(work, changed);
    let rows = work.session.query(doing, VIEWS, &[&oids]).await?;
    let alone = rows.iter().filter(|row| !row.get::<_, bool>(2));
    let told = alone.map(|row| {
        let view = QName::new(row.get::<_, String>(0), row.get::<_, String>(1));
        format!(
            "ACCESS EXCLUSIVE on materialized view {view} while it is refreshed after the merge, for it has no unique index: \
             its readers wait"
        )
    });
    Ok(told.collect())
}

fn tables(work: &Work, changed: &[i32]) -> Vec<u32> {
    let units = work.merged().filter(|(_, u)| changed.contains(&u.number));
    units
        .flat_map(|(i, _)| work.targets[i].files.keys().copied())
        .collect()
}

/// The same for an operation whose process may have died between its commit and the refresh: what it changed stands in
/// its record.
pub async fn refresh_after(target: &DatabaseUrl, operation: Uuid) -> Result<Vec<Warning>> {
    let session = beside(target).await?;
    let units = operations::units(&session, operation).await?;
    let roots: Vec<u32> = units.iter().map(|u| u.oid).collect();
    let tables = session
        .query_one("reading what a restore changed", TREES, &[&roots])
        .await?
        .get::<_, Vec<u32>>(0);
    refresh_above(&session, &tables).await
}

async fn refresh_above(session: &Session, tables: &[u32]) -> Result<Vec<Warning>> {
    let rows = session
        .query("listing materialized views", VIEWS, &[&tables])
        .await?;
    session.follow_database().await?;
    let mut warnings = Vec::new();
    for row in rows {
        let view = QName::new(row.get::<_, String>(0), row.get::<_, String>(1));
        let how = if row.get(2) { "CONCURRENTLY " } else { "" };
        let sql = format!("REFRESH MATERIALIZED VIEW {how}{}", view.sql());
        if let Err(e) = session.batch(&format!("refreshing {view}"), &sql).await {
            warnings.push(failed(&format!(
                "materialized view {view} was not refreshed: {e}"
            )));
        }
    }
    Ok(warnings)
}

fn failed(message: &str) -> Warning {
    Warning {
        code: "refresh_failed".into(),
        message: message.to_string(),
    }
}
