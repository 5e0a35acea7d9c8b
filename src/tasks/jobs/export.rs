//! Making a download ready beforehand, as one object of the store.

use super::{Job, Workshop};
use crate::core::manifest::Manifest;
use crate::error::{Code, Error, Result};
use crate::tasks::cataloged::content;
use crate::tasks::download::{self, Extent, Layout};
use crate::tasks::{Context, backups};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde_json::{Map, Value};
use tokio::io::{AsyncReadExt, DuplexStream};

/// Bytes between the one who makes the file and the one who stores it.
const BETWEEN: usize = 1 << 20;

pub async fn run(ctx: &Context, workshop: &Workshop, job: &Job) -> Result<Map<String, Value>> {
    let export = job
        .export
        .as_ref()
        .ok_or_else(|| Error::new(Code::Internal, "an export without its row"))?;
    let content = content(&export.format, export.table_name.as_ref())
        .ok_or_else(|| Error::new(Code::Internal, "an export of an unknown format"))?;
    let store = &workshop.store;
    let manifest = backups::read(store, &job.tenant.slug, job.backup.id).await?;
    let extent = match (&job.tenant.scope_column, &manifest.selection.scope) {
        (None, _) => Extent::Whole,
        (Some(_), Some(_)) => Extent::RowsAlone,
        (Some(_), None) => {
            let message = "the backup holds more than this tenant's rows";
            return Err(Error::new(Code::PermissionDenied, message));
        }
    };
    let layout = download::layout(ctx, store, &manifest, &content, extent).await?;
    // Of attempts before this one, which were killed.
    store.abandon(&export.store_key).await?;
    let size = stored(ctx, workshop, &manifest, &layout, &export.store_key).await?;
    let mut fields = Map::new();
    fields.insert("size_bytes".into(), size.into());
    Ok(fields)
}

/// The one half makes the file, the other stores it; whichever fails ends both.
async fn stored(
    ctx: &Context,
    workshop: &Workshop,
    manifest: &Manifest,
    layout: &Layout,
    key: &str,
) -> Result<u64> {
    let store = &workshop.store;
    let expected = layout.length(manifest);
    let expected = expected.unwrap_or(manifest.totals.raw_bytes);
    let (mut ours, theirs) = tokio::io::duplex(BETWEEN);
    let (made, maker_ended) = tokio::sync::oneshot::channel();
    let make = async move {
        let written = layout.write(ctx, store, manifest, None, &mut ours).await;
        // Told before the reader sees the end: a part must not be stored as the whole.
        let _ = made.send(written.map(drop));
        drop(ours);
    };
    let store_it = store.put_stream(key, pieces(theirs, maker_ended).boxed(), expected);
    let (stored, ()) = tokio::join!(store_it, make);
    stored
}

type MakerEnded = tokio::sync::oneshot::Receiver<Result<()>>;

/// What the maker wrote, and at its end how the maker fared.
fn pieces(
    reader: DuplexStream,
    ended: MakerEnded,
) -> impl futures_util::Stream<Item = Result<Bytes>> + Send {
    let lost = |e: &dyn std::fmt::Display| {
        Error::new(Code::Internal, format!("the file's maker went away: {e}"))
    };
    stream::try_unfold(Some((reader, ended)), move |state| async move {
        let Some((mut reader, ended)) = state else {
            return Ok(None);
        };
        let mut piece = Vec::with_capacity(BETWEEN);
        match reader.read_buf(&mut piece).await.map_err(|e| lost(&e))? {
            0 => match ended.await.map_err(|e| lost(&e))? {
                Ok(()) => Ok(None),
                Err(error) => Err(error),
            },
            _ => Ok(Some((Bytes::from(piece), Some((reader, ended))))),
        }
    })
}
