//! A backup as one file that needs nothing of ours to be restored.

mod csv;
mod ddl;
mod definitions;
mod frames;
mod layout;
mod script;
mod sql;
mod tar;
mod tolerant;

pub use layout::Layout;

use super::Context;
use super::segments::explained;
use crate::core::ident::QName;
use crate::core::manifest::{Codec, Manifest};
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

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    Backup(DownloadFormat),
    /// The rows of one table, for spreadsheets.
    Csv(QName),
}

/// How much of a backup its reader may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    Whole,
    /// Nothing but rows: no definitions, no configuration, nothing about the database as a whole.
    RowsAlone,
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

impl Content {
    /// The ending of a file's name.
    pub fn suffix(&self) -> &'static str {
        match self {
            Self::Backup(format) => format.suffix(),
            Self::Csv(_) => "csv",
        }
    }

    pub fn media_type(&self) -> &'static str {
        match self {
            Self::Backup(DownloadFormat::SqlZst) => "application/zstd",
            Self::Backup(DownloadFormat::SqlGz) => "application/gzip",
            Self::Backup(DownloadFormat::Tar) => "application/x-tar",
            Self::Csv(_) => "text/csv; charset=utf-8",
        }
    }

    /// A name that every file system takes: the backup's, and the table's where it is one.
    pub fn file_name(&self, backup: &str) -> String {
        let name = match self {
            Self::Backup(_) => backup.to_string(),
            Self::Csv(table) => format!("{backup}_{table}"),
        };
        let plain = |c: char| match c.is_ascii_alphanumeric() || "-_.".contains(c) {
            true => c,
            false => '_',
        };
        let name: String = name.chars().map(plain).take(150).collect();
        format!("{}.{}", name.trim_start_matches('.'), self.suffix())
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
    let content = Content::Backup(format);
    let layout = layout(ctx, store, manifest, &content, Extent::Whole).await?;
    let bytes = layout.write(ctx, store, manifest, None, out).await?;
    Ok(Downloaded {
        bytes,
        rows_only: manifest.source.is_some() && layout.rows_only(),
    })
}

/// What the file will consist of. Reads the definitions, and no rows yet.
///
/// # Errors
/// [`Code::Usage`] where the backup cannot be had in this form; [`Code::NothingSelected`] where it has no such table.
pub async fn layout(
    ctx: &Context,
    store: &Store,
    manifest: &Manifest,
    content: &Content,
    extent: Extent,
) -> Result<Layout> {
    let laid = ctx.or_cancelled(lay_out(store, manifest, content, extent));
    laid.await.map_err(|e| explained(e, manifest, None))
}

async fn lay_out(
    store: &Store,
    manifest: &Manifest,
    content: &Content,
    extent: Extent,
) -> Result<Layout> {
    let codec = match content {
        Content::Csv(table) => return csv::layout(manifest, table),
        Content::Backup(DownloadFormat::Tar) => None,
        Content::Backup(DownloadFormat::SqlZst) => Some(Codec::Zstd),
        Content::Backup(DownloadFormat::SqlGz) => Some(Codec::Gzip),
    };
    if codec.is_some() && manifest.source.is_none() {
        return Err(Error::new(
            Code::Usage,
            "this backup holds configuration alone, which is no SQL",
        )
        .hint("Download it as tar."));
    }
    let ddl = match extent {
        Extent::Whole => Ddl::fetch(store, manifest).await?,
        Extent::RowsAlone => Ddl::none(manifest),
    };
    match codec {
        Some(codec) => sql::layout(manifest, &ddl, codec).await,
        None => tar::layout(manifest, &ddl),
    }
}
