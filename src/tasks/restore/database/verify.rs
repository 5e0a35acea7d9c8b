//! Every segment that a restore needs is proven to be what was written, before anything is dropped for it.

use super::content::Content;
use crate::core::manifest::Segment;
use crate::core::progress::Stage;
use crate::error::{Error, Result};
use crate::ports::store::Store;
use crate::tasks::Context;
use crate::tasks::segments::{explained, fetch_stored};
use futures_util::{StreamExt, TryStreamExt, stream};
use std::collections::HashSet;
use tokio::sync::Semaphore;

/// Segments that are fetched at the same time.
const AT_ONCE: usize = 8;
/// KiB of stored segments in memory at the same time; a larger one is fetched by itself.
const KIB_IN_MEMORY: u32 = 32 << 10;

/// Fails where a segment is missing, cut or altered, with the table to which it belongs.
pub async fn segments(ctx: &Context, store: &Store, content: &Content<'_>) -> Result<()> {
    let all = distinct(content);
    let bytes = all.iter().map(|(_, s)| s.raw_bytes).sum();
    ctx.progress.stage(Stage::Verify, bytes);
    let memory = Semaphore::new(KIB_IN_MEMORY as usize);
    let codec = content.backup.codec;
    let verify = async |(table, segment): (String, &Segment)| {
        let kib = segment.stored_bytes.div_ceil(1024);
        let kib = u32::try_from(kib).unwrap_or(u32::MAX).min(KIB_IN_MEMORY);
        // Fails only where the semaphore was closed, which nobody does.
        let _held = memory.acquire_many(kib).await;
        let found = fetch_stored(store, codec, segment).await;
        found.map_err(|e| e.during(format!("table {table}")))?;
        ctx.progress.add(&table, segment.rows, segment.raw_bytes);
        Ok::<_, Error>(())
    };
    let verified = stream::iter(all)
        .map(verify)
        .buffer_unordered(AT_ONCE)
        .try_collect::<Vec<()>>();
    let unharmed = Some("nothing was dropped and the target was not changed");
    ctx.or_cancelled(verified)
        .await
        .map_err(|e| explained(e, content.backup, unharmed))
        .map(drop)
}

/// Rows that tables share are fetched once.
fn distinct<'a>(content: &Content<'a>) -> Vec<(String, &'a Segment)> {
    let mut seen = HashSet::new();
    let tables = content.with_platform();
    let segments = tables.flat_map(|t| t.segments().map(|s| (t.name.to_string(), s)));
    segments
        .filter(|(_, s)| seen.insert((s.id.as_str(), s.stored_hash.as_str())))
        .collect()
}
