//! Rows: COPY from the stored segments, on all connections, the largest first.

use super::content::Content;
use super::writers::{Job, Writers};
use crate::core::ident;
use crate::core::manifest::{Codec, Segment, Table};
use crate::core::progress::Stage;
use crate::error::{Code, During, Error, Result};
use crate::ports::postgres::Session;
use crate::ports::store::Store;
use crate::tasks::Context;
use crate::tasks::restore::copy_in::CopyIn;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// From here on the round trips of a transaction cost less than writing the rows frozen saves: no hint bits to
/// write later, nothing left for the first vacuum.
const FREEZE_FROM: u64 = 4 << 20;
/// A table that would keep one connection busy long after the others is cut into pieces of about this much text.
/// Only then: pieces cannot be written frozen, and foreign keys to frozen rows are checked five times as fast.
const PIECE_BYTES: u64 = 64 << 20;

struct Piece<'a> {
    table: &'a Table,
    segments: Vec<&'a Segment>,
    /// The table is empty and nobody else writes to it.
    whole: bool,
}

/// Loads every chosen table and proves that each received as many rows as the backup holds.
/// `new_tables`: this restore made them, so that they can be written frozen.
pub async fn load(
    ctx: &Context,
    writers: &Writers,
    store: &Store,
    content: &Content<'_>,
    count: usize,
    new_tables: bool,
) -> Result<u64> {
    ctx.progress.stage(Stage::Rows, content.raw_bytes());
    let codec = content.backup.codec;
    let loaded: Mutex<BTreeMap<u32, u64>> = Mutex::new(BTreeMap::new());
    let jobs = pieces(content, count, new_tables)
        .into_iter()
        .map(|work| Job {
            work,
            locks: Vec::new(),
        });
    let work = async |ctx: &Context, session: &Session, piece: Piece<'_>| {
        let copied = copy(ctx, session, store, codec, &piece);
        let rows = session
            .cancellable(&ctx.cancel, copied)
            .await
            .during(format!("table {}", piece.table.name))?;
        let mut loaded = loaded.lock().unwrap_or_else(PoisonError::into_inner);
        *loaded.entry(piece.table.oid).or_default() += rows;
        Ok(())
    };
    writers.run(ctx, jobs.collect(), work).await?;
    let loaded = loaded.into_inner().unwrap_or_else(PoisonError::into_inner);
    for table in content.tables() {
        let rows = loaded.get(&table.oid).copied().unwrap_or(0);
        if rows != table.rows {
            return Err(Error::new(
                Code::ObjectDamaged,
                format!(
                    "table {} received {rows} rows where the backup counts {}",
                    table.name, table.rows
                ),
            ));
        }
    }
    Ok(loaded.values().sum())
}

fn pieces<'a>(content: &Content<'a>, writers: usize, new_tables: bool) -> Vec<Piece<'a>> {
    let fair_share = content.raw_bytes() / writers.max(1) as u64;
    let mut all = Vec::new();
    for table in content.tables().filter(|t| t.rows > 0) {
        let segments: Vec<_> = table.segments().collect();
        if table.raw_bytes <= PIECE_BYTES.max(fair_share / 2 * 3) {
            let whole = new_tables;
            all.push(Piece {
                table,
                segments,
                whole,
            });
            continue;
        }
        let mut bytes = 0;
        let groups = segments.chunk_by(|a, _| {
            bytes += a.raw_bytes;
            let same = bytes < PIECE_BYTES;
            if !same {
                bytes = 0;
            }
            same
        });
        all.extend(groups.map(|group| Piece {
            table,
            segments: group.to_vec(),
            whole: false,
        }));
    }
    let size = |p: &Piece| p.segments.iter().map(|s| s.raw_bytes).sum::<u64>();
    all.sort_by_key(|p| std::cmp::Reverse(size(p)));
    all
}

async fn copy(
    ctx: &Context,
    session: &Session,
    store: &Store,
    codec: Codec,
    piece: &Piece<'_>,
) -> Result<u64> {
    let table = &piece.table.name;
    let freeze = piece.whole && piece.table.raw_bytes >= FREEZE_FROM;
    if freeze {
        let sql = format!("BEGIN; TRUNCATE ONLY {}", table.sql());
        session.batch("starting to write", &sql).await?;
    }
    let rows = stream_in(ctx, session, store, codec, piece, freeze).await?;
    if freeze {
        session.batch("committing rows", "COMMIT").await?;
    }
    Ok(rows)
}

async fn stream_in(
    ctx: &Context,
    session: &Session,
    store: &Store,
    codec: Codec,
    piece: &Piece<'_>,
    freeze: bool,
) -> Result<u64> {
    let rows = CopyIn {
        session,
        doing: "writing rows",
        sql: &copy_statement(piece.table),
        freeze,
        label: &piece.table.name.to_string(),
    };
    rows.write(ctx, store, codec, &piece.segments).await
}

fn copy_statement(table: &Table) -> String {
    let columns = ident::list(table.columns.iter().map(|c| c.name.as_str()));
    let columns = match table.columns.is_empty() {
        true => String::new(),
        false => format!(" ({columns})"),
    };
    format!("COPY {}{columns} FROM STDIN", table.name.sql())
}
