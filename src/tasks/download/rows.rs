//! The stored rows of a table, in order.

use super::frames::{Counted, recoded};
use crate::core::manifest::{Codec, Table};
use crate::error::{Error, Result};
use crate::ports::store::Store;
use crate::tasks::Context;
use crate::tasks::segments::fetch_stored;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::io::AsyncWrite;

/// Segments fetched ahead; each is a few megabytes.
const AHEAD: usize = 4;

/// Writes a table's segments, stored in `from`, as frames of `to`.
pub async fn write<W: AsyncWrite + Unpin>(
    ctx: &Context,
    store: &Store,
    table: &Table,
    from: Codec,
    to: Codec,
    out: &mut Counted<'_, W>,
) -> Result<()> {
    let name = table.name.to_string();
    let mut frames = stream::iter(table.segments())
        .map(|segment| async move {
            let stored = fetch_stored(store, from, segment).await?;
            let frame = recoded(from, to, stored, segment.raw_bytes).await?;
            Ok::<_, Error>((segment, frame))
        })
        .buffered(AHEAD);
    while let Some((segment, frame)) = ctx.or_cancelled(frames.try_next()).await? {
        out.write(&frame).await?;
        ctx.progress.add(&name, segment.rows, segment.raw_bytes);
    }
    Ok(())
}
