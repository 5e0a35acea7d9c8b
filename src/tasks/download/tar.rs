//! A backup as a tar: every part a file of its own, and a script for `psql` that joins them.

use super::ddl::Ddl;
use super::frames::Counted;
use super::{rows, script};
use crate::core::ident::literal;
use crate::core::manifest::{Codec, Manifest, Table, seal};
use crate::error::{Code, Error, Result};
use crate::ports::store::Store;
use crate::tasks::Context;
use crate::tasks::segments::fetch_object;
use std::fmt::Write as _;
use tar::{EntryType, Header};
use tokio::io::AsyncWrite;

const BLOCK: u64 = 512;

/// Returns the bytes written.
pub async fn write<W: AsyncWrite + Unpin>(
    ctx: &Context,
    store: &Store,
    manifest: &Manifest,
    ddl: &Ddl,
    out: &mut W,
) -> Result<u64> {
    let mut tar = Tar {
        out: Counted::new(out),
        modified: manifest.finished_at.timestamp().unsigned_abs(),
        folder: format!("rovodev-{}", manifest.id),
    };
    tar.file("manifest.json", &seal(manifest)?).await?;
    if manifest.source.is_some() {
        tar.file("restore.sql", RESTORE.as_bytes()).await?;
        tar.file("before.sql", script::before_rows(manifest, ddl).as_bytes())
            .await?;
        tar.file("rows.sql", copies(manifest).as_bytes()).await?;
        tar.file("after.sql", script::after_rows(manifest, ddl).as_bytes())
            .await?;
    }
    for file in &manifest.config {
        let content = ctx.or_cancelled(fetch_object(store, &file.object)).await?;
        tar.file(&format!("config/{}", file.path), &content).await?;
    }
    for (name, table) in row_files(manifest) {
        let size = table.segments().map(|s| s.stored_bytes).sum();
        tar.head(&name, size).await?;
        rows::write(
            ctx,
            store,
            table,
            manifest.codec,
            manifest.codec,
            &mut tar.out,
        )
        .await?;
        tar.pad(size).await?;
    }
    tar.finish().await
}

const RESTORE: &str = "\
-- Restores this backup into a database that holds none of its tables. Run it in this folder:
--   psql -X -v ON_ERROR_STOP=1 -d 'postgresql://…' -f restore.sql
\\ir before.sql
\\ir rows.sql
\\ir after.sql
";

fn copies(manifest: &Manifest) -> String {
    let unpack = match manifest.codec {
        Codec::Zstd => "zstd -dcq",
        Codec::Gzip => "gzip -dc",
        Codec::None => "cat",
    };
    let mut out = String::new();
    for (name, table) in row_files(manifest) {
        let program = literal(&format!("{unpack} {name}"));
        let _ = writeln!(
            out,
            "\\copy {} FROM PROGRAM {program}",
            script::copy_target(table)
        );
    }
    out
}

/// Tables with rows and their files, whose names start with a number since names of tables may be anything.
fn row_files(manifest: &Manifest) -> impl Iterator<Item = (String, &Table)> {
    let filled = (1..).zip(&manifest.tables).filter(|(_, t)| t.rows > 0);
    filled.map(|(i, table)| (row_file(i, table, manifest.codec), table))
}

fn row_file(number: usize, table: &Table, codec: Codec) -> String {
    let full = table.name.to_string();
    let plain = full.chars().map(|c| match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '.' | '-' => c,
        _ => '_',
    });
    let plain: String = plain.take(60).collect();
    match codec {
        Codec::Zstd => format!("rows/{number:05}-{plain}.copy.zst"),
        Codec::Gzip => format!("rows/{number:05}-{plain}.copy.gz"),
        Codec::None => format!("rows/{number:05}-{plain}.copy"),
    }
}

/// The `tar` crate writes to blocking outputs alone; its headers serve here.
struct Tar<'a, W> {
    out: Counted<'a, W>,
    /// Seconds since 1970.
    modified: u64,
    folder: String,
}

impl<W: AsyncWrite + Unpin> Tar<'_, W> {
    async fn file(&mut self, name: &str, content: &[u8]) -> Result<()> {
        let size = content.len() as u64;
        self.head(name, size).await?;
        self.out.write(content).await?;
        self.pad(size).await
    }

    async fn head(&mut self, name: &str, size: u64) -> Result<()> {
        let mut header = Header::new_ustar();
        let path = format!("{}/{name}", self.folder);
        header.set_path(&path).map_err(|e| {
            Error::new(Code::Internal, format!("{path} cannot be named in a tar")).source(e)
        })?;
        header.set_entry_type(EntryType::Regular);
        header.set_size(size);
        header.set_mode(0o600);
        header.set_mtime(self.modified);
        header.set_cksum();
        self.out.write(header.as_bytes()).await
    }

    /// Fills up the last block of a file.
    async fn pad(&mut self, size: u64) -> Result<()> {
        let rest = usize::try_from(size.next_multiple_of(BLOCK) - size).unwrap_or_default();
        self.out.write(&[0; BLOCK as usize][..rest]).await
    }

    async fn finish(mut self) -> Result<u64> {
        self.out.write(&[0; 2 * BLOCK as usize]).await?;
        self.out.finish().await
    }
}
