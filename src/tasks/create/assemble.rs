//! Putting a manifest together from what the readers found.

use super::CreateRequest;
use super::reader::Found;
use super::selected::Sized;
use crate::core::keys;
use crate::core::managed;
use crate::core::manifest::{Manifest, Object, Range, Source, Table, TableKind, Totals};
use crate::error::{Code, Error, Result};
use crate::ports::postgres::{Session, source as database};
use crate::ports::store::Store;
use crate::tasks::backups;
use crate::tasks::open_store::OpenedStore;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::Map;
use std::collections::{BTreeMap, BTreeSet};

/// Questions to the store at the same time.
const AT_ONCE: usize = 32;

/// How a table is cut, before its segments are known.
pub struct Shaped {
    pub range_blocks: u32,
    pub ranges: Vec<Range>,
    pub owned: bool,
}

/// The newest backup of this tenant that holds rows.
pub async fn parent(opened: &OpenedStore, request: &CreateRequest) -> Result<Option<Manifest>> {
    if request.selection.scope.is_some() {
        return Ok(None);
    }
    backups::newest_with_rows(&opened.store, &request.tenant).await
}

/// Segments of another database would never fit; range sizes of one mean nothing here.
pub fn same_database(parent: &Manifest, manifest: &Manifest) -> bool {
    match (&parent.source, &manifest.source) {
        (Some(a), Some(b)) => {
            a.system_identifier == b.system_identifier && a.database == b.database
        }
        _ => false,
    }
}

pub async fn source(session: &Session) -> Result<Source> {
    let server = database::server(session).await?;
    Ok(Source {
        server_version: server.version,
        server_version_num: session.identity.version,
        system_identifier: session.identity.system_identifier.clone(),
        timeline: server.timeline,
        postmaster_started_at: server.postmaster_started_at,
        database: session.identity.database.clone(),
        encoding: server.encoding,
        snapshot: server.snapshot,
        lsn: server.lsn,
        unknown: Map::new(),
    })
}

/// Sorts what came in no order into tables, ranges and segments, and makes sure that nothing is missing.
pub fn tables(sized: &[Sized], shaped: Vec<Shaped>, found: Vec<Found>) -> Result<Vec<Table>> {
    let mut tables: Vec<Table> = sized
        .iter()
        .zip(shaped)
        .map(|(s, shape)| table(s, shape))
        .collect();
    let mut segments: Vec<_> = Vec::new();
    for part in found {
        segments.extend(part.segments);
        for (table, range, fingerprint) in part.fingerprints {
            tables[table].ranges[range].fingerprint = Some(fingerprint.to_string());
        }
    }
    segments.sort_by_key(|(table, range, order, _)| (*table, *range, *order));
    for (table, range, order, segment) in segments {
        let table = &mut tables[table];
        let stored = &mut table.ranges[range].segments;
        if stored.len() != order {
            return Err(Error::new(
                Code::Internal,
                format!("a segment of {} is missing", table.name),
            ));
        }
        table.rows += segment.rows;
        table.raw_bytes += segment.raw_bytes;
        stored.push(segment);
    }
    Ok(tables)
}

fn table(sized: &Sized, shape: Shaped) -> Table {
    let listed = &sized.listed;
    let mut ranges = shape.ranges;
    if listed.kind == TableKind::Heap && shape.range_blocks > 0 && sized.is_surely_empty() {
        ranges
            .iter_mut()
            .for_each(|r| r.fingerprint = Some("0:0".into()));
    }
    Table {
        name: listed.name.clone(),
        kind: listed.kind,
        oid: listed.oid,
        relfilenode: listed.relfilenode,
        unlogged: listed.unlogged,
        partition_root: listed.above.last().cloned(),
        columns: listed.columns.clone(),
        primary_key: listed.primary_key.clone(),
        shape: listed.shape.clone(),
        rows: 0,
        raw_bytes: 0,
        range_blocks: shape.range_blocks,
        ranges,
        owned: shape.owned,
        platform: managed::is_platform(&listed.name.schema),
        unknown: Map::new(),
    }
}

/// All that the manifest names must be there when it says so: segments of the parent may have gone, and a
/// store may have said of a write that it was done when it was not.
pub async fn all_exist(store: &Store, manifest: &Manifest) -> Result<()> {
    let segments = manifest.tables.iter().flat_map(Table::segments);
    let segments = segments.map(|s| (keys::segment(&s.id, manifest.codec), s.stored_bytes));
    let objects = objects(manifest).map(|o| (o.key.clone(), o.stored_bytes));
    let named: BTreeMap<String, u64> = segments.chain(objects).collect();
    let check = async |(key, bytes): (String, u64)| match store.head(&key).await? {
        Some(found) if found.bytes == bytes => Ok(()),
        Some(found) => Err(gone(
            Code::ObjectDamaged,
            format!("{key} holds {} bytes instead of {bytes}", found.bytes),
        )),
        None => Err(gone(
            Code::ObjectMissing,
            format!("{key} is not in the store any more"),
        )),
    };
    stream::iter(named)
        .map(check)
        .buffer_unordered(AT_ONCE)
        .try_collect::<Vec<()>>()
        .await?;
    Ok(())
}

fn gone(code: Code, what: String) -> Error {
    Error::new(code, what)
        .hint("Run the backup again; if this repeats, run `rovodev check` on the previous one.")
        .retry(true)
}

/// Everything but segments.
fn objects(manifest: &Manifest) -> impl Iterator<Item = &Object> {
    let schema = &manifest.schema;
    [&schema.pre_data, &schema.post_data, &schema.extras]
        .into_iter()
        .flatten()
        .chain(manifest.config.iter().map(|f| &f.object))
}

/// Sums over the whole backup.
pub fn count(manifest: &mut Manifest) {
    let new_rows = manifest.totals.new_bytes;
    let mut totals = Totals {
        tables: manifest.tables.len() as u64,
        ..Totals::default()
    };
    let mut seen = BTreeSet::new();
    for table in &manifest.tables {
        totals.rows += table.rows;
        totals.raw_bytes += table.raw_bytes;
        for segment in table.segments() {
            if seen.insert(&segment.id) {
                totals.stored_bytes += segment.stored_bytes;
            }
        }
    }
    let own: u64 = objects(manifest).map(|o| o.stored_bytes).sum();
    totals.stored_bytes += own;
    totals.new_bytes = new_rows + own;
    totals.files = manifest.config.len() as u64;
    manifest.totals = totals;
}
