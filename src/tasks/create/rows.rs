//! Reading a database into the store.

use super::assemble::{self, Shaped};
use super::reader::{Found, Reader, Shared};
use super::reads::{self, Queue, Read};
use super::schema::Definitions;
use super::selected::{Selected, Sized};
use super::snapshot::{self, LockBudget, Snapshot};
use super::writer::Writer;
use super::{CreateRequest, platform, schema, scope, waiters};
use crate::core::manifest::{Manifest, Range, SchemaStatus, Segment, Table, Trigger};
use crate::core::progress::Stage;
use crate::core::ranges::Share;
use crate::error::{Code, Error, Result};
use crate::ports::postgres::{DatabaseUrl, left_out, unfinished};
use crate::tasks::Context;
use crate::tasks::open_store::OpenedStore;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// Readers that cannot lock at once (DDL waits in the queue) start again, this often at most.
const JOINS: u32 = 5;

pub async fn back_up(
    ctx: &Context,
    opened: &OpenedStore,
    request: &CreateRequest,
    url: &DatabaseUrl,
    folder: &str,
    manifest: &mut Manifest,
) -> Result<()> {
    ctx.progress.stage(Stage::Connect, 0);
    let parent = ctx.or_cancelled(assemble::parent(opened, request)).await?;
    let (snapshot, readers) = ctx.or_cancelled(Box::pin(start(ctx, request, url))).await?;
    manifest.source = Some(assemble::source(&snapshot.session).await?);
    let parent = parent.filter(|p| assemble::same_database(p, manifest));
    manifest.parent = parent.as_ref().map(|p| p.id);
    let plan = plan(&snapshot, request, parent.as_ref());
    let plan = snapshot.session.cancellable(&ctx.cancel, plan).await?;
    let writer = Arc::new(Writer::new(
        opened.store.clone(),
        request.codec,
        opened.segment_key,
        known_segments(parent.as_ref(), request),
        readers.len() + 2,
    ));
    let reading = Reading {
        // A child token: when one part fails, the others stop, and what the caller holds stays as it is.
        ctx: ctx.part(),
        request,
        url,
        snapshot: &snapshot,
        plan: &plan,
        writer: &writer,
        row_seed: opened.row_seed,
    };
    let (captured, found) = reading.run(readers).await?;
    // Whoever chose a part knows that there is more.
    if request.selection.is_whole() {
        let held = platform::held(&snapshot.selected);
        let left_out = left_out::find(&snapshot.session, &held);
        let left_out = ctx.or_cancelled(left_out).await?;
        manifest.warnings.extend(left_out.lost);
        manifest.left_out = left_out.notes;
    }
    manifest.left_out.extend(platform::told(&snapshot.selected));
    // The rows are read: nothing of the snapshot is needed any more, and its locks go.
    let Snapshot {
        session, selected, ..
    } = snapshot;
    drop(session);
    manifest.tables = assemble::tables(&plan.tables, plan.shaped, found)?;
    describe(manifest, selected);
    ctx.or_cancelled(async {
        manifest.schema = match captured {
            None => {
                manifest.left_out.push(schema::rows_alone());
                schema::without(SchemaStatus::NotIncluded, None)
            }
            Some(definitions) => {
                schema::store(definitions, &opened.store, folder, manifest).await?
            }
        };
        manifest.totals.new_bytes = writer.new_bytes();
        Ok(())
    })
    .await
}

/// What the manifest says beside tables and definitions.
fn describe(manifest: &mut Manifest, selected: Selected) {
    manifest.warnings.extend(selected.warnings);
    if manifest.selection.scope.is_none() {
        manifest.sequences = selected.sequences;
    }
    manifest.materialized_views = selected.materialized_views;
    manifest.foreign_tables = selected.foreign_tables;
}

/// The snapshot and the readers in it. Readers never queue for a lock: where one cannot have it at once,
/// everything is let go and tried again.
async fn start(
    ctx: &Context,
    request: &CreateRequest,
    url: &DatabaseUrl,
) -> Result<(Snapshot, Vec<Reader>)> {
    let mut tried = 0;
    loop {
        let snapshot = snapshot::begin(ctx, request, url).await?;
        ctx.or_cancelled(unfinished::refuse(&snapshot.session))
            .await?;
        match join(request, url, &snapshot).await {
            Ok(readers) => return Ok((snapshot, readers)),
            Err(error) if error.code == Code::LockTimeout && tried < JOINS => {
                tried += 1;
                ctx.progress
                    .notice("a migration waits for a table; letting it pass first");
                drop(snapshot);
                tokio::time::sleep(Duration::from_millis(200 << tried)).await;
            }
            Err(error) => return Err(error),
        }
    }
}

async fn join(
    request: &CreateRequest,
    url: &DatabaseUrl,
    snapshot: &Snapshot,
) -> Result<Vec<Reader>> {
    let names: Vec<_> = snapshot
        .selected
        .tables
        .iter()
        .map(|t| &t.listed.name)
        .collect();
    let readers = request.readers.clamp(1, 16);
    let mut joining = Vec::new();
    for i in 0..readers {
        // With a scarce lock table each reader locks the tables that it alone reads.
        let tables: Vec<_> = match snapshot.locks {
            LockBudget::Plenty => names.clone(),
            LockBudget::Scarce => names.iter().skip(i).step_by(readers).copied().collect(),
        };
        joining.push(async move {
            Reader::join(
                url,
                &snapshot.session.identity,
                &snapshot.name,
                &tables,
                snapshot.locks,
            )
            .await
        });
    }
    futures_util::future::try_join_all(joining).await
}

/// Which tables are read, how each is cut, and by which statements.
struct Plan {
    tables: Vec<Sized>,
    shaped: Vec<Shaped>,
    reads: Vec<Read>,
    /// Where each table stands in the selection.
    places: Vec<usize>,
}

async fn plan(
    snapshot: &Snapshot,
    request: &CreateRequest,
    parent: Option<&Manifest>,
) -> Result<Plan> {
    let selected = &snapshot.selected;
    let mut plan = Plan {
        tables: Vec::new(),
        shaped: Vec::new(),
        reads: Vec::new(),
        places: Vec::new(),
    };
    if let Some(tenant) = &request.selection.scope {
        // Before a restore it is worth knowing that a tenant has no row; elsewhere it is a typo.
        let may_be_empty = request.trigger == Trigger::Safety;
        let mut found = scope::closure(&snapshot.session, selected, tenant, may_be_empty).await?;
        for (i, table) in selected.tables.iter().enumerate() {
            let Some(scoped) = found.remove(&i) else {
                continue;
            };
            let (reads, ranges) = scope::plan(plan.tables.len(), table, &scoped.rows);
            plan.reads.extend(reads);
            plan.shaped.push(Shaped {
                range_blocks: 0,
                ranges,
                owned: scoped.owned,
            });
            plan.tables.push(table.clone());
            plan.places.push(i);
        }
        return Ok(plan);
    }
    let before: HashMap<_, &Table> = parent
        .iter()
        .flat_map(|p| &p.tables)
        .map(|t| (&t.name, t))
        .collect();
    let total: u64 = selected.tables.iter().map(|t| u64::from(t.blocks)).sum();
    let share = Share::of(total, request.readers);
    for (i, table) in selected.tables.iter().enumerate() {
        let kept = before.get(&table.listed.name).map(|t| t.range_blocks);
        let (range_blocks, starts) = reads::cut(table, kept);
        plan.reads
            .extend(reads::plan(i, table, range_blocks, &starts, share));
        let range = |(k, start): (usize, &u32)| Range {
            start_block: *start,
            end_block: starts.get(k + 1).copied(),
            fingerprint: None,
            segments: Vec::new(),
        };
        let ranges = starts.iter().enumerate().map(range).collect();
        plan.shaped.push(Shaped {
            range_blocks,
            ranges,
            owned: true,
        });
        plan.tables.push(table.clone());
        plan.places.push(i);
    }
    Ok(plan)
}

/// Reading rows and definitions side by side, in one snapshot.
struct Reading<'a> {
    ctx: Context,
    request: &'a CreateRequest,
    url: &'a DatabaseUrl,
    snapshot: &'a Snapshot,
    plan: &'a Plan,
    writer: &'a Arc<Writer>,
    row_seed: u64,
}

/// Definitions and rows.
type Everything = (Option<Definitions>, Vec<Found>);

impl Reading<'_> {
    /// Ends only when every statement has stopped, so that no lock outlives it for long.
    async fn run(&self, readers: Vec<Reader>) -> Result<Everything> {
        let backends: Vec<i32> = readers
            .iter()
            .map(|r| r.backend)
            .chain([self.snapshot.backend])
            .collect();
        let mut work = Box::pin(self.work(readers));
        let limit = self.request.yield_after;
        let gave_way = tokio::select! {
            done = &mut work => return done,
            gave_way = waiters::watch(&self.ctx, &self.snapshot.session, &backends, limit) => gave_way,
        };
        self.ctx.cancel.cancel();
        let _ = work.await;
        Err(gave_way)
    }

    async fn work(&self, readers: Vec<Reader>) -> Result<Everything> {
        let total: u64 = self.plan.tables.iter().map(|t| t.bytes).sum();
        if self.snapshot.locks == LockBudget::Scarce {
            self.ctx.progress.stage(Stage::Schema, 0);
            let captured = self.definitions().await?;
            self.ctx.progress.stage(Stage::Rows, total);
            return Ok((captured, self.rows(readers).await?));
        }
        self.ctx.progress.stage(Stage::Rows, total);
        let (captured, found) = tokio::join!(
            self.stopping_others(self.definitions()),
            self.stopping_others(self.rows(readers))
        );
        match (captured, found) {
            (Ok(captured), Ok(found)) => Ok((captured, found)),
            // The part that was stopped because of the other says no more than that.
            (Err(stopped), Err(cause)) if stopped.code == Code::Cancelled => Err(cause),
            (Err(cause), _) | (_, Err(cause)) => Err(cause),
        }
    }

    async fn stopping_others<T>(&self, part: impl Future<Output = Result<T>>) -> Result<T> {
        part.await.inspect_err(|_| self.ctx.cancel.cancel())
    }

    /// None for one tenant's rows.
    async fn definitions(&self) -> Result<Option<Definitions>> {
        if self.request.selection.scope.is_some() {
            return Ok(None);
        }
        schema::capture(
            &self.snapshot.session,
            self.url,
            self.request,
            self.snapshot,
            &self.ctx.cancel,
        )
        .await
        .map(Some)
    }

    async fn rows(&self, readers: Vec<Reader>) -> Result<Vec<Found>> {
        let shared = Arc::new(Shared {
            ctx: self.ctx.clone(),
            tables: self.plan.tables.clone(),
            writer: self.writer.clone(),
            row_seed: self.row_seed,
        });
        let queues = queues(self.plan, &readers);
        let mut running = JoinSet::new();
        for (reader, queue) in readers.into_iter().zip(queues) {
            running.spawn(reader.run(queue, shared.clone()));
        }
        let mut all = Vec::new();
        while let Some(done) = running.join_next().await {
            let done =
                done.map_err(|e| Error::new(Code::Internal, "a reader stopped").source(e))?;
            match done {
                Ok(found) => all.push(found),
                Err(error) => {
                    // The other readers must not go on for hours with a backup that is lost.
                    self.ctx.cancel.cancel();
                    while running.join_next().await.is_some() {}
                    return Err(error);
                }
            }
        }
        Ok(all)
    }
}

/// Segments of the parent by id; of another codec they are other objects.
fn known_segments(parent: Option<&Manifest>, request: &CreateRequest) -> HashMap<String, Segment> {
    parent
        .filter(|p| p.codec == request.codec)
        .into_iter()
        .flat_map(|p| &p.tables)
        .flat_map(Table::segments)
        .map(|s| (s.id.clone(), s.clone()))
        .collect()
}

/// One queue for all, or with a scarce lock table one for each reader's own tables (see [`join`]).
fn queues(plan: &Plan, readers: &[Reader]) -> Vec<Queue> {
    if readers.iter().all(|r| r.locks == LockBudget::Plenty) {
        return vec![Queue::new(plan.reads.clone()); readers.len()];
    }
    let own = |i: usize| {
        plan.reads
            .iter()
            .filter(|r| plan.places[r.table] % readers.len() == i)
            .cloned()
            .collect()
    };
    (0..readers.len()).map(|i| Queue::new(own(i))).collect()
}
