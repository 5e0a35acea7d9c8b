//! Staging: the backup's rows in unlogged tables, loaded in committed chunks by several connections.

use super::work::Work;
use crate::core::counted::counted;
use crate::core::manifest::{Manifest, Segment, Table};
use crate::core::merge::{Unit, names, stage};
use crate::core::progress::Stage;
use crate::error::{Code, Error, Result};
use crate::ports::postgres::Session;
use crate::ports::store::Store;
use crate::tasks::Context;
use crate::tasks::restore::copy_in::CopyIn;
use futures_util::future;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use uuid::Uuid;

/// Text of one COPY and one commit.
const CHUNK_BYTES: u64 = 64 << 20;
/// Definitions sent in one round trip.
const DEFINITIONS: usize = 200;
/// Times that a connection may break during one chunk.
const TRIES: usize = 3;

struct Chunk<'a> {
    unit: usize,
    number: i32,
    table: &'a Table,
    segments: Vec<&'a Segment>,
    rows: u64,
}

/// What a staging schema must have been made for to be taken over.
pub fn stamp(backup: &Manifest, units: &[Unit]) -> Result<String> {
    let units = serde_json::to_vec(units)
        .map_err(|e| Error::new(Code::Internal, "the units could not be written").source(e))?;
    Ok(format!(
        "rovodev restore of {} into {}",
        backup.id,
        blake3::hash(&units).to_hex()
    ))
}

/// The operation of an interrupted restore of the same backup into the same tables, whose staging can be used.
pub async fn interrupted(session: &Session, stamp: &str) -> Result<Option<Uuid>> {
    let rows = session
        .query(
            "looking for an interrupted restore",
            // One that was committed and only not cleaned up is done.
            "SELECT n.nspname::text FROM pg_namespace n WHERE obj_description(n.oid, 'pg_namespace') = $1 \
             AND NOT EXISTS (SELECT FROM pg_namespace u WHERE u.nspname = replace(n.nspname, 'staging_', 'undo_'))",
            &[&stamp],
        )
        .await?;
    Ok(rows
        .iter()
        .find_map(|r| names::operation_of(r.get(0), crate::core::managed::STAGING)))
}

/// Creates the schema and its tables.
pub async fn create(work: &Work, stamp: &str) -> Result<()> {
    let doing = "creating the staging schema";
    work.session
        .batch(
            doing,
            &format!("BEGIN; {}", stage::create_schema(&work.names, stamp)),
        )
        .await?;
    for some in work.units.chunks(DEFINITIONS) {
        let all: Vec<_> = some
            .iter()
            .map(|u| stage::create_table(&work.names, u))
            .collect();
        work.session.batch(doing, &all.join("; ")).await?;
    }
    work.session.batch(doing, "COMMIT").await
}

/// Loads whatever is not loaded yet, and proves that staging holds what the manifest says.
pub async fn load(ctx: &Context, store: &Store, work: &Work) -> Result<()> {
    load_chunks(ctx, store, work).await?;
    let lost = lost(work).await?;
    if lost.is_empty() {
        return Ok(());
    }
    ctx.progress
        .notice("The database lost staged rows; staging them again.");
    for unit in lost {
        work.session
            .batch(
                "emptying staging",
                &stage::reset(&work.names, &work.units[unit]),
            )
            .await?;
    }
    load_chunks(ctx, store, work).await?;
    verify(work).await
}

/// Fails where staging is not what the manifest says.
pub async fn verify(work: &Work) -> Result<()> {
    let lost = lost(work).await?;
    let Some(first) = lost.first() else {
        return Ok(());
    };
    Err(Error::new(
        Code::StagingChanged,
        format!(
            "what is staged for {} is not what was planned (the first is {})",
            counted(lost.len() as u64, "table"),
            work.units[*first].table
        ),
    )
    .retry(true))
}

async fn lost(work: &Work) -> Result<Vec<usize>> {
    let mut lost = Vec::new();
    for (base, some) in work.units.chunks(DEFINITIONS).enumerate() {
        let sql = stage::counts(&work.names, &some.iter().collect::<Vec<_>>());
        let counts: HashMap<i32, i64> = work
            .session
            .query("counting staged rows", &sql, &[])
            .await?
            .iter()
            .map(|r| (r.get(0), r.get(1)))
            .collect();
        for (at, unit) in some.iter().enumerate() {
            let index = base * DEFINITIONS + at;
            let staged = counts.get(&unit.number).map_or(0, |c| c.unsigned_abs());
            if staged != work.source_rows(index) {
                lost.push(index);
            }
        }
    }
    Ok(lost)
}

async fn load_chunks(ctx: &Context, store: &Store, work: &Work) -> Result<()> {
    let done: HashMap<(i32, i32), i64> = work
        .session
        .query(
            "reading staged chunks",
            &format!("SELECT unit, chunk, rows FROM {}", work.names.chunks()),
            &[],
        )
        .await?
        .iter()
        .map(|r| ((r.get(0), r.get(1)), r.get(2)))
        .collect();
    let todo: Vec<Chunk> = (0..work.units.len())
        .flat_map(|unit| chunks(unit, &work.sources[unit]))
        .filter(|c| !done.contains_key(&(work.units[c.unit].number, c.number)))
        .collect();
    let bytes = todo
        .iter()
        .flat_map(|c| &c.segments)
        .map(|s| s.raw_bytes)
        .sum();
    ctx.progress.stage(Stage::Stage, bytes);
    let next = AtomicUsize::new(0);
    let writers = work.writers.clamp(1, todo.len().max(1));
    future::try_join_all((0..writers).map(|_| write(ctx, store, work, &todo, &next))).await?;
    Ok(())
}

/// Cut the same way every time, so that an interrupted restore goes on where it stopped.
fn chunks(unit: usize, tables: &[Table]) -> Vec<Chunk<'_>> {
    let mut chunks: Vec<Chunk> = Vec::new();
    for table in tables {
        let mut open = u64::MAX;
        for segment in table.segments() {
            if open >= CHUNK_BYTES {
                let number = i32::try_from(chunks.len()).unwrap_or(i32::MAX);
                chunks.push(Chunk {
                    unit,
                    number,
                    table,
                    segments: Vec::new(),
                    rows: 0,
                });
                open = 0;
            }
            if let Some(chunk) = chunks.last_mut() {
                chunk.segments.push(segment);
                chunk.rows += segment.rows;
                open += segment.raw_bytes;
            }
        }
    }
    chunks
}

async fn write(
    ctx: &Context,
    store: &Store,
    work: &Work,
    todo: &[Chunk<'_>],
    next: &AtomicUsize,
) -> Result<()> {
    let mut session = work.writer().await?;
    loop {
        let Some(chunk) = todo.get(next.fetch_add(1, Ordering::Relaxed)) else {
            return Ok(());
        };
        let mut tries = 0;
        loop {
            let copied = session
                .cancellable(&ctx.cancel, copy(ctx, store, work, &session, chunk))
                .await;
            match copied {
                Err(e) if e.code == Code::ConnectionLost && tries < TRIES => {
                    tries += 1;
                    ctx.progress
                        .notice("The database connection broke; connecting again.");
                    session = work.writer().await?;
                    if is_staged(work, &session, chunk).await? {
                        break;
                    }
                }
                other => {
                    other?;
                    break;
                }
            }
        }
    }
}

/// Whether the commit before the connection broke went through.
async fn is_staged(work: &Work, session: &Session, chunk: &Chunk<'_>) -> Result<bool> {
    let sql = format!(
        "SELECT 1 FROM {} WHERE unit = $1 AND chunk = $2",
        work.names.chunks()
    );
    let unit = &work.units[chunk.unit];
    let rows = session
        .query(
            "reading staged chunks",
            &sql,
            &[&unit.number, &chunk.number],
        )
        .await?;
    Ok(!rows.is_empty())
}

async fn copy(
    ctx: &Context,
    store: &Store,
    work: &Work,
    session: &Session,
    chunk: &Chunk<'_>,
) -> Result<()> {
    let unit = &work.units[chunk.unit];
    let doing = format!("staging rows of {}", unit.table);
    let columns = chunk.table.columns.iter().map(|c| c.name.as_str());
    session.batch(&doing, "BEGIN").await?;
    let sql = stage::copy(&work.names, unit, columns);
    let rows = CopyIn {
        session,
        doing: &doing,
        sql: &sql,
        freeze: false,
        label: &chunk.table.name.to_string(),
    };
    let staged = rows.write(ctx, store, work.codec, &chunk.segments).await?;
    if staged != chunk.rows {
        return Err(Error::new(
            Code::ObjectDamaged,
            format!(
                "{doing}: the number of rows in the segments is {staged} where the manifest says {}",
                chunk.rows
            ),
        ));
    }
    let note = format!(
        "INSERT INTO {} VALUES ({}, {}, {staged}); COMMIT",
        work.names.chunks(),
        unit.number,
        chunk.number
    );
    session.batch(&doing, &note).await?;
    room_left(work, session).await
}

/// Stops before the disk is full, where somebody told how much there is.
async fn room_left(work: &Work, session: &Session) -> Result<()> {
    let Some(room) = work.room else { return Ok(()) };
    let used = staged_bytes(work, session).await?;
    if used <= room {
        return Ok(());
    }
    Err(super::room::refused(used, room))
}

/// Bytes of the staging schema on disk.
pub async fn staged_bytes(work: &Work, session: &Session) -> Result<u64> {
    let row = session
        .query_one(
            "measuring staging",
            "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c \
             JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relkind = 'r'",
            &[&work.names.staging_schema()],
        )
        .await?;
    Ok(row.get::<_, i64>(0).unsigned_abs())
}
