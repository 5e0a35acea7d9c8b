//! A backup as one file that needs nothing of ours to be restored.

mod ddl;
mod frames;
mod rows;
mod script;
mod sql;
mod tar;

use super::Context;
use super::segments::explained;
use crate::core::manifest::{Codec, Manifest};
use crate::core::progress::Stage;
use crate::error::{Code, Error, Result};
use crate::ports::store::Store;
use ddl::Ddl;
use tokio::io::AsyncWrite;

/// What the file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DownloadFormat {
    /// A script for `psql`, compressed by zstd.
    SqlZst,
    /// A script for `psql`, compressed by gzip.
    SqlGz,
    /// Everything the backup holds: the manifest, definitions, rows per table, configuration, and a
    /// `restore.sql` for `psql`.
    Tar,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Downloaded {
    pub bytes: u64,
    /// The backup has no table definitions: the script fills tables that exist.
    pub rows_only: bool,
}

impl DownloadFormat {
    pub const ALL: [Self; 3] = [Self::SqlZst, Self::SqlGz, Self::Tar];

    /// The ending of a file's name.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::SqlZst => "sql.zst",
            Self::SqlGz => "sql.gz",
            Self::Tar => "tar",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|f| f.suffix() == text)
    }
}

/// Writes a backup to `out` in constant memory. What is stored in the file's own codec is copied, not
/// compressed again; every object's length and hash are checked on the way.
///
/// A failure leaves an incomplete file: the script's last line, or the tar's end, is missing then.
pub async fn download<W: AsyncWrite + Unpin + Send>(
    ctx: &Context,
    store: &Store,
    manifest: &Manifest,
    format: DownloadFormat,
    out: &mut W,
) -> Result<Downloaded> {
    let written = write(ctx, store, manifest, format, out).await;
    written.map_err(|e| explained(e, manifest, None))
}

async fn write<W: AsyncWrite + Unpin + Send>(
    ctx: &Context,
    store: &Store,
    manifest: &Manifest,
    format: DownloadFormat,
    out: &mut W,
) -> Result<Downloaded> {
    let codec = match format {
        DownloadFormat::SqlZst => Codec::Zstd,
        DownloadFormat::SqlGz => Codec::Gzip,
        DownloadFormat::Tar => return write_tar(ctx, store, manifest, out).await,
    };
    if manifest.source.is_none() {
        return Err(Error::new(
            Code::Usage,
            "this backup holds configuration alone, which is no SQL",
        )
        .hint("Download it as tar."));
    }
    let ddl = ctx.or_cancelled(Ddl::fetch(store, manifest)).await?;
    ctx.progress.stage(Stage::Rows, manifest.totals.raw_bytes);
    let bytes = sql::write(ctx, store, manifest, &ddl, codec, out).await?;
    Ok(Downloaded {
        bytes,
        rows_only: !ddl.is_whole(),
    })
}

async fn write_tar<W: AsyncWrite + Unpin + Send>(
    ctx: &Context,
    store: &Store,
    manifest: &Manifest,
    out: &mut W,
) -> Result<Downloaded> {
    let ddl = ctx.or_cancelled(Ddl::fetch(store, manifest)).await?;
    ctx.progress.stage(Stage::Rows, manifest.totals.raw_bytes);
    let bytes = tar::write(ctx, store, manifest, &ddl, out).await?;
    Ok(Downloaded {
        bytes,
        rows_only: manifest.source.is_some() && !ddl.is_whole(),
    })
}
