//! A backup as a tar: every part a file of its own, and a script for `psql` that joins them.

use super::ddl::Ddl;
use super::layout::{Layout, Rows};
use super::script;
use crate::core::ident::literal;
use crate::core::manifest::{Codec, Manifest, Table, seal};
use crate::error::{Code, Error, Result};
use bytes::Bytes;
use std::fmt::Write as _;
use tar::{EntryType, Header};

const BLOCK: u64 = 512;
/// Two blocks of them end a tar.
static ZEROS: [u8; 2 * BLOCK as usize] = [0; 2 * BLOCK as usize];

pub fn layout(manifest: &Manifest, ddl: &Ddl) -> Result<Layout> {
    let mut tar = Tar {
        layout: Layout::new(Rows::Frames(manifest.codec), !ddl.is_whole()),
        modified: manifest.finished_at.timestamp().unsigned_abs(),
        folder: format!("rovodev-{}", manifest.id),
    };
    if !ddl.rows_alone() {
        tar.text("manifest.json", seal(manifest)?)?;
    }
    if manifest.source.is_some() {
        tar.text("restore.sql", RESTORE)?;
        tar.text("before.sql", script::before_rows(manifest, ddl))?;
        tar.text("rows.sql", copies(manifest))?;
        tar.text("after.sql", script::after_rows(manifest, ddl))?;
    }
    for (number, file) in manifest.config.iter().enumerate() {
        if !ddl.rows_alone() {
            let size = file.object.raw_bytes;
            tar.head(&format!("config/{}", file.path), size)?;
            tar.layout.file(number);
            tar.pad(size);
        }
    }
    for (number, name, table) in row_files(manifest) {
        let size = table.segments().map(|s| s.stored_bytes).sum();
        tar.head(&name, size)?;
        tar.layout.table(number, table);
        tar.pad(size);
    }
    Ok(tar.finish())
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
    for (_, name, table) in row_files(manifest) {
        let program = literal(&format!("{unpack} {name}"));
        let target = script::copy_target(table);
        out.push_str(&script::before_copy(table));
        let _ = writeln!(out, "\\copy {target} FROM PROGRAM {program}");
        out.push_str(&script::after_copy(table));
    }
    out
}

/// Tables with rows by their numbers, and their files, whose names start with a number since names of tables may be
/// anything.
fn row_files(manifest: &Manifest) -> impl Iterator<Item = (usize, String, &Table)> {
    let filled = manifest
        .tables
        .iter()
        .enumerate()
        .filter(|(_, t)| t.rows > 0);
    filled.map(|(i, table)| (i, row_file(i + 1, table, manifest.codec), table))
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
struct Tar {
    layout: Layout,
    /// Seconds since 1970.
    modified: u64,
    folder: String,
}

impl Tar {
    fn text(&mut self, name: &str, content: impl Into<Bytes>) -> Result<()> {
        let content = content.into();
        let size = content.len() as u64;
        self.head(name, size)?;
        self.layout.text(content);
        self.pad(size);
        Ok(())
    }

    fn head(&mut self, name: &str, size: u64) -> Result<()> {
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
        self.layout.text(Bytes::copy_from_slice(header.as_bytes()));
        Ok(())
    }

    /// Fills up the last block of a file.
    fn pad(&mut self, size: u64) {
        let rest = usize::try_from(size.next_multiple_of(BLOCK) - size).unwrap_or_default();
        self.layout.text(Bytes::from_static(&ZEROS[..rest]));
    }

    fn finish(mut self) -> Layout {
        self.layout.text(Bytes::from_static(&ZEROS));
        self.layout
    }
}
