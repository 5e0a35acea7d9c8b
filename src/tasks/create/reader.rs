//! One connection that reads rows in the backup's snapshot.

use super::reads::{Queue, Read};
use super::selected::Sized;
use super::snapshot::{LockBudget, lock_statement};
use super::writer::{Room, Writer};
use crate::core::fingerprint::Fingerprint;
use crate::core::ident::{QName, literal};
use crate::core::manifest::Segment;
use crate::core::segmenter::{RawSegment, SEGMENT_BYTES, Segmenter};
use crate::error::{Code, During, Error, Result};
use crate::ports::postgres::{DatabaseUrl, Identity, Purpose, Session, sqlstate};
use crate::tasks::Context;
use futures_util::pin_mut;
use std::sync::Arc;
use tokio::task::JoinSet;
use tokio_postgres::CopyOutStream;
use tokio_postgres::error::SqlState;

/// Reads of at most this many heap blocks (1 MiB) are asked for ahead, so that many small tables do not
/// cost a round trip each.
const SMALL_BLOCKS: u32 = 128;
const AHEAD: usize = 8;
/// With a scarce lock table, locks on indexes are given back after this many reads.
const READS_PER_SAVEPOINT: usize = 64;

pub struct Reader {
    session: Arc<Session>,
    pub backend: i32,
    pub locks: LockBudget,
}

/// What one reader found, in no order.
#[derive(Debug, Default)]
pub struct Found {
    /// Table, range, place within the range, segment.
    pub segments: Vec<(usize, usize, usize, Segment)>,
    /// Table, range, fingerprint.
    pub fingerprints: Vec<(usize, usize, Fingerprint)>,
}

/// What all readers share.
pub struct Shared {
    pub ctx: Context,
    pub tables: Vec<Sized>,
    pub writer: Arc<Writer>,
    pub row_seed: u64,
}

impl Reader {
    /// Joins the snapshot and locks `tables` without waiting: a reader that queued behind waiting DDL
    /// would have the app queue behind both.
    pub async fn join(
        url: &DatabaseUrl,
        identity: &Identity,
        snapshot: &str,
        tables: &[&QName],
        locks: LockBudget,
    ) -> Result<Self> {
        let session = Session::connect_same(url, Purpose::Read, identity).await?;
        let begin = format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT {}; {}; SAVEPOINT reads",
            literal(snapshot),
            lock_statement(tables.iter().copied(), "NOWAIT")
        );
        session.batch("joining the snapshot", &begin).await?;
        let row = session
            .query_one("joining the snapshot", "SELECT pg_backend_pid()", &[])
            .await?;
        Ok(Self {
            session: Arc::new(session),
            backend: row.get(0),
            locks,
        })
    }

    /// Reads until the queue is empty.
    pub async fn run(self, queue: Queue, shared: Arc<Shared>) -> Result<Found> {
        let session = self.session.clone();
        let cancel = shared.ctx.cancel.clone();
        session
            .cancellable(&cancel, self.read_all(queue, &shared))
            .await
    }

    async fn read_all(&self, queue: Queue, shared: &Arc<Shared>) -> Result<Found> {
        let mut found = Found::default();
        let mut asked: JoinSet<Result<(Read, CopyOutStream)>> = JoinSet::new();
        let mut writes = JoinSet::new();
        let mut done = 0;
        loop {
            if asked.is_empty() {
                if self.locks == LockBudget::Scarce && done >= READS_PER_SAVEPOINT {
                    self.session
                        .batch("giving locks back", "ROLLBACK TO reads")
                        .await?;
                    done = 0;
                }
                let Some(read) = queue.take() else { break };
                self.ask(read, shared, &mut asked);
            }
            while asked.len() < AHEAD && done + asked.len() < READS_PER_SAVEPOINT {
                let Some(small) = queue.take_small(SMALL_BLOCKS) else {
                    break;
                };
                self.ask(small, shared, &mut asked);
            }
            // Answers come in the server's order, whichever task waits for them: the one that is ready is
            // the one whose rows come next.
            let answer = self.session.answered("reading rows", asked.join_next());
            if let Some(answer) = answer.await? {
                let (read, rows) = joined(answer)?;
                self.copy(&read, rows, shared, &mut writes, &mut found)
                    .await?;
                done += 1;
            }
        }
        while let Some(written) = writes.join_next().await {
            found.segments.push(joined(written)?);
        }
        Ok(found)
    }

    fn ask(&self, read: Read, shared: &Shared, asked: &mut JoinSet<Result<(Read, CopyOutStream)>>) {
        let session = self.session.clone();
        let doing = format!("reading {}", shared.tables[read.table].listed.name);
        asked.spawn(async move {
            let rows = session.copy_out(&doing, &read.sql()).await?;
            Ok((read, rows))
        });
    }

    async fn copy(
        &self,
        read: &Read,
        rows: CopyOutStream,
        shared: &Arc<Shared>,
        writes: &mut JoinSet<Result<(usize, usize, usize, Segment)>>,
        found: &mut Found,
    ) -> Result<()> {
        let name = shared.tables[read.table].listed.name.to_string();
        let mut segmenter = Segmenter::new(
            read.cut.clone(),
            shared.row_seed,
            SEGMENT_BYTES,
            shared.writer.buffer(),
        );
        pin_mut!(rows);
        let (doing, buffer) = (format!("reading {name}"), || shared.writer.buffer());
        loop {
            let row = self.session.next_row(&doing, &mut rows).await;
            let Some(row) = row.map_err(|e| unreadable(&name, e))? else {
                break;
            };
            // Of a huge row there is one copy until its room in memory is granted, and nothing is read behind it.
            let (mut _held, mut room) = (None, None);
            if row.len() > SEGMENT_BYTES {
                _held = Some(self.session.hold_back());
                room = Some(shared.writer.room(row.len()).await?);
            }
            let closed = segmenter.push(&row, buffer).during(&name)?;
            drop(row);
            for segment in closed.into_iter().chain(segmenter.take_full(buffer)) {
                let room = match &room {
                    Some(room) => room.clone(),
                    None => shared.writer.room(segment.text.len()).await?,
                };
                write(read.table, &name, segment, room, shared, writes);
                while let Some(written) = writes.try_join_next() {
                    found.segments.push(joined(written)?);
                }
            }
        }
        let (last, fingerprints) = segmenter.finish();
        if let Some(segment) = last {
            let room = shared.writer.room(segment.text.len()).await?;
            write(read.table, &name, segment, room, shared, writes);
        }
        found.fingerprints.extend(
            fingerprints
                .into_iter()
                .map(|(range, f)| (read.table, range, f)),
        );
        Ok(())
    }
}

/// Hands a segment to the store, which gives its room in memory back.
fn write(
    table: usize,
    name: &str,
    raw: RawSegment,
    room: Room,
    shared: &Arc<Shared>,
    writes: &mut JoinSet<Result<(usize, usize, usize, Segment)>>,
) {
    let (shared, name) = (shared.clone(), name.to_string());
    writes.spawn(async move {
        let _room = room;
        let (range, order) = (raw.range, raw.order);
        let segment = shared.writer.clone().write(raw).await?;
        shared
            .ctx
            .progress
            .add(&name, segment.rows, segment.raw_bytes);
        Ok((table, range, order, segment))
    });
}

fn joined<T>(answer: std::result::Result<Result<T>, tokio::task::JoinError>) -> Result<T> {
    answer.map_err(|e| Error::new(Code::Internal, "a task of the backup stopped").source(e))?
}

/// Postgres cannot write a row of more than a gigabyte of text as one message.
fn unreadable(table: &str, error: Error) -> Error {
    let too_large = matches!(sqlstate(&error), Some(&SqlState::PROGRAM_LIMIT_EXCEEDED))
        || error.message.contains("enlarge string buffer")
        || error.message.contains("invalid memory alloc request size");
    if !too_large {
        return error;
    }
    Error::new(Code::RowTooLarge, format!("{table} holds a row of more than a gigabyte of text"))
        .hint("Move its large values into Storage or split them, or leave the table out (--table, --schema).")
        .source(error)
}
