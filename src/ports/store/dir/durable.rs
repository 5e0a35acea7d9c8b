//! Writing files so that no crash leaves a torn one under its name.
//!
//! A file is written elsewhere in the same file system, its data flushed, and only then given its name.
//! Flushing each file costs less than one flush of the whole file system at the end (measured: 300 files
//! of 1 MiB, four at a time, 0.17 s against 0.24 s); only folders wait, since many files share one.

use super::error::failed;
use super::{is_absent, parent, root_exists};
use crate::error::{Error, Result};
use crate::ports::store::Put;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tempfile::NamedTempFile;

/// Where files are written before they have a name; no key starts with a dot.
const UNNAMED: &str = ".tmp";
/// A writer that died this long ago does not come back for its unnamed file.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Debug)]
pub struct Durable {
    root: PathBuf,
    /// Folders with entries that a power cut could still undo.
    unflushed: Mutex<BTreeSet<PathBuf>>,
    swept: std::sync::Once,
}

impl Durable {
    pub fn new(root: PathBuf) -> Self {
        Self {
            root,
            unflushed: Mutex::default(),
            swept: std::sync::Once::new(),
        }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Writes unless a file is there; the name itself lasts from the next [`Durable::flush`] on.
    pub fn write_new(&self, key: &str, body: &[u8]) -> Result<Put> {
        let target = self.root.join(key);
        self.make_folder(key)?;
        let put = if target.try_exists().map_err(|e| failed(&e, true))? {
            Put::Existed
        } else {
            match self.unnamed(body)?.persist_noclobber(&target) {
                Ok(_) => Put::Written,
                Err(e) if e.error.kind() == ErrorKind::AlreadyExists => Put::Existed,
                Err(e) => return Err(not_named(&e.error)),
            }
        };
        // Also where the file existed: another process may not have flushed its name yet.
        self.note(key);
        Ok(put)
    }

    pub fn write_over(&self, key: &str, body: &[u8]) -> Result<()> {
        self.make_folder(key)?;
        self.unnamed(body)?
            .persist(self.root.join(key))
            .map_err(|e| not_named(&e.error))?;
        self.note(key);
        Ok(())
    }

    /// Makes every name given so far last.
    pub fn flush(&self) -> Result<()> {
        let folders = std::mem::take(&mut *self.folders());
        for folder in &folders {
            let flushed = File::open(folder).and_then(|f| f.sync_all());
            match flushed {
                Ok(()) => {}
                // Deleted meanwhile, with everything in it.
                Err(e) if is_absent(&e) => {}
                Err(e) => {
                    self.folders().extend(folders);
                    return Err(failed(&e, true));
                }
            }
        }
        Ok(())
    }

    /// Deletes files, and folders that are empty afterwards.
    pub fn remove(&self, keys: &[String]) -> Result<()> {
        root_exists(&self.root)?;
        for key in keys {
            match fs::remove_file(self.root.join(key)) {
                Ok(()) => self.note(key),
                Err(e) if is_absent(&e) => {}
                Err(e) => return Err(failed(&e, true)),
            }
        }
        self.flush()?;
        for key in keys {
            let mut folder = parent(&self.root, key);
            // Fails, as it should, on the first folder that still holds something.
            while folder != self.root && fs::remove_dir(&folder).is_ok() {
                folder.pop();
            }
        }
        Ok(())
    }

    /// Gives a file its name, in place of any other, once its data is on disk.
    pub fn name(&self, file: NamedTempFile, key: &str) -> Result<()> {
        self.make_folder(key)?;
        file.as_file().sync_data().map_err(|e| failed(&e, true))?;
        file.persist(self.root.join(key))
            .map_err(|e| not_named(&e.error))?;
        self.note(key);
        Ok(())
    }

    /// An empty file without a name of its own; vanishes when dropped.
    pub fn unnamed_part(&self) -> Result<NamedTempFile> {
        let folder = self.root.join(UNNAMED);
        fs::create_dir_all(&folder).map_err(|e| failed(&e, true))?;
        self.swept.call_once(|| sweep(&folder));
        NamedTempFile::new_in(&folder).map_err(|e| failed(&e, true))
    }

    /// A file with `body` on disk and no name of its own yet; vanishes when dropped.
    fn unnamed(&self, body: &[u8]) -> Result<NamedTempFile> {
        let mut file = self.unnamed_part()?;
        file.write_all(body).map_err(|e| failed(&e, true))?;
        file.as_file().sync_data().map_err(|e| failed(&e, true))?;
        Ok(file)
    }

    fn make_folder(&self, key: &str) -> Result<()> {
        let folder = parent(&self.root, key);
        if !folder.is_dir() {
            root_exists(&self.root)?;
            fs::create_dir_all(&folder).map_err(|e| failed(&e, true))?;
        }
        Ok(())
    }

    /// Remembers that the key's folders have to be flushed.
    fn note(&self, key: &str) {
        let mut folder = parent(&self.root, key);
        let mut unflushed = self.folders();
        while unflushed.insert(folder.clone()) && folder != self.root {
            folder.pop();
        }
    }

    fn folders(&self) -> std::sync::MutexGuard<'_, BTreeSet<PathBuf>> {
        self.unflushed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Another process may have removed the folder as empty just now; the next try makes it again.
fn not_named(e: &std::io::Error) -> Error {
    failed(e, true).retry(e.kind() == ErrorKind::NotFound)
}

/// Removes what killed writers left. Failing to is harmless: the next process tries again.
fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let age = entry
            .metadata()
            .and_then(|m| m.modified())
            .map(|at| SystemTime::now().duration_since(at).unwrap_or_default());
        if age.is_ok_and(|age| age > ABANDONED) {
            let _ = fs::remove_file(entry.path());
        }
    }
}
