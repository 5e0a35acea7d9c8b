//! A store in a directory: no account needed.

mod durable;
mod error;

use super::{ObjectInfo, Put};
use crate::config;
use crate::core::keys;
use crate::core::stored::Stored;
use crate::error::{Code, Error, Result};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use durable::Durable;
use error::{failed, join, not_made};
use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Objects are files below one folder; cheap to clone.
#[derive(Clone, Debug)]
pub struct Dir(Arc<Durable>);

impl Dir {
    pub(super) fn new(path: &str) -> Result<Self> {
        let shown = config::shown(path);
        // A path with a password's place in it is an address that was put here by mistake.
        if path.is_empty() || path.contains("://") || shown != path {
            return Err(
                Error::new(Code::Usage, format!("{shown:?} is no place for a store"))
                    .hint("Give a directory such as ./backups, or s3://bucket/prefix."),
            );
        }
        let root = std::path::absolute(path).map_err(|e| failed(&e, false))?;
        Ok(Self(Arc::new(Durable::new(root))))
    }

    pub(super) async fn create(&self) -> Result<()> {
        self.blocking(|d| fs::create_dir_all(d.root()).map_err(|e| not_made(d.root(), &e)))
            .await
    }

    pub(super) async fn is_there(&self) -> Result<bool> {
        self.blocking(|d| match fs::metadata(d.root()) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            _ => root_exists(d.root()).map(|()| true),
        })
        .await
    }

    pub(super) async fn could_be_made(&self) -> Result<()> {
        self.blocking(|d| {
            let there = d.root().ancestors().find(|a| a.is_dir());
            let made = tempfile::tempdir_in(there.unwrap_or(Path::new("/")));
            made.map(drop).map_err(|e| {
                let told = failed(&e, true);
                let path = d.root().display();
                let message = format!("{path} does not exist and cannot be made: {told}");
                let hint = told
                    .hint
                    .unwrap_or_else(|| "Choose another place (BACKUP_STORE).".into());
                Error::new(Code::StoreMissing, message).hint(hint)
            })
        })
        .await
    }

    pub(super) fn describe(&self) -> String {
        self.0.root().display().to_string()
    }

    pub(super) async fn put_new(&self, key: &str, body: Bytes) -> Result<Put> {
        let key = key.to_string();
        self.blocking(move |d| {
            if key.starts_with(keys::SEGMENTS) {
                return d.write_new(&key, &body);
            }
            d.flush()?;
            let put = d.write_new(&key, &body)?;
            d.flush()?;
            Ok(put)
        })
        .await
    }

    pub(super) async fn put_replace(&self, key: &str, body: Bytes) -> Result<()> {
        let key = key.to_string();
        self.blocking(move |d| {
            d.write_over(&key, &body)?;
            d.flush()
        })
        .await
    }

    pub(super) async fn put_stream(
        &self,
        key: &str,
        mut body: BoxStream<'_, Result<Bytes>>,
    ) -> Result<u64> {
        let mut file = self.blocking(Durable::unnamed_part).await?;
        let mut written = 0;
        while let Some(bytes) = body.try_next().await? {
            written += bytes.len() as u64;
            file = self
                .blocking(move |_| {
                    file.write_all(&bytes).map_err(|e| failed(&e, true))?;
                    Ok(file)
                })
                .await?;
        }
        let key = key.to_string();
        self.blocking(move |d| {
            d.name(file, &key)?;
            d.flush()
        })
        .await?;
        Ok(written)
    }

    pub(super) async fn get(&self, key: &str) -> Result<Bytes> {
        let key = key.to_string();
        self.blocking(move |d| {
            let path = d.root().join(&key);
            match read_file(&path) {
                Ok(Some(body)) => Ok(Bytes::from(body)),
                Ok(None) => Err(Error::new(
                    Code::ObjectDamaged,
                    format!("{} is no file", path.display()),
                )
                .hint("Something else was put in its place; move it away.")),
                Err(e) => Err(missing_or(d.root(), &e)),
            }
        })
        .await
    }

    pub(super) async fn holds(&self, key: &str, body: &Bytes) -> Result<bool> {
        match self.head(key).await? {
            Some(info) if info.bytes == body.len() as u64 => Ok(self.get(key).await? == body),
            _ => Ok(false),
        }
    }

    pub(super) async fn keeps(&self, key: &str, written: &Stored) -> Result<bool> {
        match self.head(key).await? {
            Some(info) if info.bytes == written.bytes => {}
            _ => return Ok(false),
        }
        let (key, written) = (key.to_string(), written.clone());
        self.blocking(move |d| match read_file(&d.root().join(&key)) {
            Ok(body) => Ok(body.is_some_and(|body| written.is(&body))),
            Err(e) if is_absent(&e) => Ok(false),
            Err(e) => Err(failed(&e, false)),
        })
        .await
    }

    pub(super) async fn head(&self, key: &str) -> Result<Option<ObjectInfo>> {
        let key = key.to_string();
        self.blocking(move |d| match fs::metadata(d.root().join(&key)) {
            Ok(meta) if meta.is_file() => Ok(Some(info(key, &meta)?)),
            Ok(_) => Ok(None),
            Err(e) if is_absent(&e) => root_exists(d.root()).map(|()| None),
            Err(e) => Err(failed(&e, false)),
        })
        .await
    }

    pub(super) async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>> {
        let prefix = prefix.to_string();
        self.blocking(move |d| {
            root_exists(d.root())?;
            let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
            let mut found = Vec::new();
            collect(d.root(), folder, &prefix, &mut found)?;
            found.sort_by(|a, b| a.key.cmp(&b.key));
            Ok(found)
        })
        .await
    }

    pub(super) async fn folders(&self, prefix: &str) -> Result<Vec<String>> {
        let folder = prefix.trim_end_matches('/').to_string();
        self.blocking(move |d| {
            root_exists(d.root())?;
            let mut found = folders(&d.root().join(folder))?;
            found.sort();
            Ok(found)
        })
        .await
    }

    pub(super) async fn delete(&self, keys: &[String]) -> Result<()> {
        let keys = keys.to_vec();
        self.blocking(move |d| d.remove(&keys)).await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Durable) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let durable = self.0.clone();
        tokio::task::spawn_blocking(move || work(&durable))
            .await
            .map_err(join)?
    }
}

/// `None` for a pipe or a device: reading it might never end.
fn read_file(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let meta = fs::metadata(path)?;
    match meta.is_file() || meta.is_dir() {
        true => fs::read(path).map(Some),
        false => Ok(None),
    }
}

/// Adds the files below `folder` whose key starts with `prefix`.
fn collect(root: &Path, folder: &str, prefix: &str, found: &mut Vec<ObjectInfo>) -> Result<()> {
    let entries = match fs::read_dir(root.join(folder)) {
        Ok(entries) => entries,
        Err(e) if is_absent(&e) => return Ok(()),
        Err(e) => return Err(failed(&e, false)),
    };
    for entry in entries {
        let entry = entry.map_err(|e| failed(&e, false))?;
        // Names that are no text or start with a dot are none of ours.
        let Some(name) = entry.file_name().to_str().map(String::from) else {
            continue;
        };
        let key = if folder.is_empty() {
            name.clone()
        } else {
            format!("{folder}/{name}")
        };
        let fits = key.starts_with(prefix) || prefix.starts_with(&format!("{key}/"));
        if name.starts_with('.') || !fits {
            continue;
        }
        match fs::metadata(entry.path()) {
            Ok(meta) if meta.is_dir() => collect(root, &key, prefix, found)?,
            Ok(meta) if meta.is_file() => found.push(info(key, &meta)?),
            Ok(_) => {}
            Err(e) if is_absent(&e) => {}
            Err(e) => return Err(failed(&e, false)),
        }
    }
    Ok(())
}

/// Told by the directory's own entries: nothing in it is opened.
fn folders(path: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(e) if is_absent(&e) => return Ok(Vec::new()),
        Err(e) => return Err(failed(&e, false)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|e| failed(&e, false))?;
        let kind = entry.file_type().map_err(|e| failed(&e, false))?;
        let is_folder = kind.is_dir() || (kind.is_symlink() && entry.path().is_dir());
        let name = entry.file_name().into_string().ok();
        found.extend(name.filter(|name| is_folder && !name.starts_with('.')));
    }
    Ok(found)
}

fn info(key: String, meta: &fs::Metadata) -> Result<ObjectInfo> {
    let modified: DateTime<Utc> = meta.modified().map_err(|e| failed(&e, false))?.into();
    Ok(ObjectInfo {
        key,
        bytes: meta.len(),
        modified,
    })
}

fn is_absent(e: &io::Error) -> bool {
    matches!(
        e.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn missing_or(root: &Path, e: &io::Error) -> Error {
    if !is_absent(e) && e.kind() != io::ErrorKind::IsADirectory {
        return failed(e, false);
    }
    match root_exists(root) {
        Ok(()) => Error::new(Code::ObjectMissing, "there is no such object"),
        Err(e) => e,
    }
}

fn root_exists(root: &Path) -> Result<()> {
    match fs::metadata(root) {
        Ok(meta) if meta.is_dir() => Ok(()),
        Ok(_) => Err(
            Error::new(Code::StoreMissing, "it is a file, not a directory")
                .hint("Choose another directory by --store or BACKUP_STORE."),
        ),
        Err(e) if e.kind() == io::ErrorKind::NotADirectory => Err(Error::new(
            Code::StoreMissing,
            "a part of the path is a file, not a directory",
        )
        .hint("Choose another directory by --store or BACKUP_STORE.")),
        Err(e) if is_absent(&e) => Err(Error::new(
            Code::StoreMissing,
            format!("the directory {} does not exist", root.display()),
        )
        .hint("Check the path; `rovodev init` or a first backup makes the directory.")),
        Err(e) => Err(failed(&e, false)),
    }
}

/// The folder that holds a key.
fn parent(root: &Path, key: &str) -> PathBuf {
    root.join(key.rsplit_once('/').map_or("", |(folder, _)| folder))
}
