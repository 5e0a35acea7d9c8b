//! A backup as one compressed script for `psql`.

use super::ddl::Ddl;
use super::frames::{Counted, frame};
use super::{rows, script};
use crate::core::manifest::{Codec, Manifest};
use crate::error::Result;
use crate::ports::store::Store;
use crate::tasks::Context;
use tokio::io::AsyncWrite;

/// Returns the bytes written.
pub async fn write<W: AsyncWrite + Unpin>(
    ctx: &Context,
    store: &Store,
    manifest: &Manifest,
    ddl: &Ddl,
    codec: Codec,
    out: &mut W,
) -> Result<u64> {
    let mut out = Counted::new(out);
    out.write(&frame(codec, script::before_rows(manifest, ddl)).await?)
        .await?;
    let end = frame(codec, "\\.\n\n").await?;
    for table in manifest.tables.iter().filter(|t| t.rows > 0) {
        let copy = format!("COPY {} FROM stdin;\n", script::copy_target(table));
        out.write(&frame(codec, copy).await?).await?;
        rows::write(ctx, store, table, manifest.codec, codec, &mut out).await?;
        out.write(&end).await?;
    }
    out.write(&frame(codec, script::after_rows(manifest, ddl)).await?)
        .await?;
    out.finish().await
}
