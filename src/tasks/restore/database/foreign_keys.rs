//! Foreign keys: added at once without a look at the rows, then checked on all connections.

use super::content::Content;
use super::post_data::ForeignKey;
use super::steps::{self, IfRefused, Warnings};
use super::writers::{Job, Lock, Writers};
use crate::core::ident::QName;
use crate::core::manifest::Table;
use crate::core::progress::Stage;
use crate::core::{ident, loaded, managed};
use crate::error::{Code, Error, Result};
use crate::ports::postgres::{Session, sqlstate};
use crate::tasks::Context;
use tokio_postgres::error::SqlState;

/// Broken references that are named; the count tells the rest.
const NAMED: i64 = 3;

pub async fn build(
    ctx: &Context,
    writers: &Writers,
    coordinator: &Session,
    keys: Vec<ForeignKey>,
    content: &Content<'_>,
    warnings: &Warnings,
) -> Result<()> {
    ctx.progress.stage(Stage::ForeignKeys, 0);
    let steps: Vec<_> = keys.iter().map(|k| k.step.clone()).collect();
    steps::run(ctx, coordinator, &steps, warnings).await?;
    let jobs = keys
        .into_iter()
        .filter(|k| k.validate_later)
        .map(|key| Job {
            locks: vec![(key.table.clone(), Lock::Exclusive)],
            work: key,
        });
    let work = async |ctx: &Context, session: &Session, key: ForeignKey| {
        let sql = format!(
            "ALTER TABLE ONLY {} VALIDATE CONSTRAINT {}",
            key.table.sql(),
            ident::quote(&key.constraint)
        );
        let doing = format!(
            "checking foreign key {:?} of table {}",
            key.constraint, key.table
        );
        let checked = session
            .cancellable(&ctx.cancel, session.batch(&doing, &sql))
            .await;
        match checked {
            Err(e) if sqlstate(&e) == Some(&SqlState::FOREIGN_KEY_VIOLATION) => {
                broken(session, &key, content, warnings).await
            }
            // It was not made, which is told.
            Err(e) if steps::is_missing(&e) || key.step.if_refused == IfRefused::Tell => Ok(()),
            done => done,
        }
    };
    writers.run(ctx, jobs.collect(), work).await
}

/// Looks at the keys of tables that were there before: they did not act while the rows came in.
pub async fn check(
    ctx: &Context,
    session: &Session,
    content: &Content<'_>,
    warnings: &Warnings,
) -> Result<()> {
    ctx.progress.stage(Stage::ForeignKeys, 0);
    let doing = "listing the foreign keys of the filled tables";
    let tables: Vec<String> = content.tables().map(|t| t.name.sql()).collect();
    let keys = session
        .query(doing, loaded::FOREIGN_KEYS, &[&tables])
        .await?;
    for key in &keys {
        ctx.check()?;
        let name = |at: usize| QName::new(key.get::<_, String>(at), key.get::<_, String>(at + 1));
        let (child, parent) = (name(0), name(3));
        let Some(told) = describe(session, &child, key.get(2), &parent).await? else {
            continue;
        };
        if managed::is_app(&parent.schema) {
            let hint = way_out(&child, &parent, content);
            return Err(Error::new(Code::ConstraintViolated, told).hint(hint));
        }
        warnings.add("missing_parent", told);
    }
    Ok(())
}

/// Rows of the platform's tables (`auth.users`) stay where they are: a key to them is kept for new rows and told.
async fn broken(
    session: &Session,
    key: &ForeignKey,
    content: &Content<'_>,
    warnings: &Warnings,
) -> Result<()> {
    let Some(told) = describe(session, &key.table, &key.constraint, &key.references).await? else {
        // MATCH FULL, or a parent with children of its own: the server says no, and which rows it means is not known.
        let (table, constraint) = (&key.table, &key.constraint);
        let message = format!(
            "the foreign key {constraint:?} of {table} does not hold for all rows, as in the source; it stays NOT VALID and holds for new rows alone"
        );
        warnings.add("missing_parent", message);
        return Ok(());
    };
    if managed::is_app(&key.references.schema) {
        let hint = way_out(&key.table, &key.references, content);
        return Err(Error::new(Code::ConstraintViolated, told).hint(hint));
    }
    let message = format!("{told}; the constraint stays NOT VALID and holds for new rows alone");
    warnings.add("missing_parent", message);
    Ok(())
}

fn way_out(child: &QName, parent: &QName, content: &Content<'_>) -> String {
    let holds = |t: &Table| t.name == *parent || t.partition_root.as_ref() == Some(parent);
    if !content.tables().any(holds) {
        return format!(
            "The restore brings no rows of {parent}. Choose that table too, or put these rows into it first."
        );
    }
    format!(
        "The source held these rows in spite of the key, which was switched off for them: mend them there and back \
         up again, or choose the tables to restore without {child}."
    )
}

/// Rows that break a key, with examples; none where there are none.
async fn describe(
    session: &Session,
    child: &QName,
    constraint: &str,
    parent: &QName,
) -> Result<Option<String>> {
    let doing = "naming rows that break a foreign key";
    let sql = "SELECT pg_catalog.string_agg(pg_catalog.format('c.%1$I = p.%2$I', a.attname, b.attname), ' AND ' ORDER BY x.i),
                      pg_catalog.string_agg(pg_catalog.format('c.%I IS NOT NULL', a.attname), ' AND ' ORDER BY x.i),
                      pg_catalog.string_agg(pg_catalog.format('c.%I::text', a.attname), ', ' ORDER BY x.i),
                      pg_catalog.string_agg(a.attname, ', ' ORDER BY x.i)
                 FROM pg_catalog.pg_constraint k
                 CROSS JOIN LATERAL unnest(k.conkey, k.confkey) WITH ORDINALITY AS x(mine, theirs, i)
                 JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = x.mine
                 JOIN pg_catalog.pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = x.theirs
                WHERE k.conrelid = $1::text::pg_catalog.regclass AND k.conname = $2";
    let row = session
        .query_one(doing, sql, &[&child.sql(), &constraint])
        .await?;
    let (pairs, set, values, columns): (&str, &str, &str, &str) =
        (row.get(0), row.get(1), row.get(2), row.get(3));
    let orphans = format!(
        "FROM ONLY {} c WHERE {set} AND NOT EXISTS (SELECT FROM {} p WHERE {pairs})",
        child.sql(),
        parent.sql()
    );
    let count = format!("SELECT count(*) {orphans}");
    let count: i64 = session.query_one(doing, &count, &[]).await?.get(0);
    if count == 0 {
        return Ok(None);
    }
    let sample =
        format!("SELECT DISTINCT pg_catalog.concat_ws(', ', {values}) {orphans} LIMIT {NAMED}");
    let sample = session.query(doing, &sample, &[]).await?;
    let sample: Vec<String> = sample
        .iter()
        .map(|r| format!("({})", r.get::<_, String>(0)))
        .collect();
    Ok(Some(format!(
        "{count} rows of table {child} refer by {constraint:?} to rows of {parent} that do not exist: ({columns}) = {}{}",
        sample.join(", "),
        if count > NAMED { ", …" } else { "" }
    )))
}
