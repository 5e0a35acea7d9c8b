//! What a check found.

use super::objects;
use crate::core::keys;
use crate::core::manifest::Manifest;
use crate::error::Error;
use serde::Serialize;
use uuid::Uuid;

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckReport {
    /// Backups whose manifest is whole.
    pub backups: u64,
    /// Distinct objects that were read, and their stored bytes.
    pub objects: u64,
    pub bytes: u64,
    /// Whether ids and row sums were compared too, which needs the store's key.
    pub rows_compared: bool,
    /// Why the `STORE_KEY` that is set is not the store's.
    pub wrong_key: Option<String>,
    pub problems: Vec<Problem>,
}

impl CheckReport {
    pub fn is_good(&self) -> bool {
        self.problems.is_empty()
    }

    /// Whether some damage is of rows that the next backup writes again where the database still has them.
    pub fn heals(&self) -> bool {
        self.problems.iter().any(|p| p.heals)
    }

    pub(super) fn manifest(&mut self, tenant: &str, id: Uuid, error: &Error) {
        let mut problem = Problem::new(keys::manifest(tenant, id), error);
        problem.backups.push(id);
        problem.backup_names.push(id.to_string());
        self.problems.push(problem);
    }
}

/// One object that is gone or not what was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    pub key: String,
    /// As [`crate::error::Code::as_str`].
    pub code: &'static str,
    pub message: String,
    /// What the code means, without any address.
    #[serde(skip)]
    pub meaning: &'static str,
    /// Tables (`schema.name`) and files that are incomplete without it.
    pub concerns: Vec<String>,
    pub backups: Vec<Uuid>,
    /// What people call them; the id where the manifest cannot be read.
    pub backup_names: Vec<String>,
    /// Whether the next backup writes it again, provided that the database still has the rows.
    pub heals: bool,
}

impl Problem {
    pub(super) fn new(key: String, error: &Error) -> Self {
        Self {
            heals: key.starts_with(keys::SEGMENTS),
            key,
            code: error.code.as_str(),
            message: error.to_string(),
            meaning: error.code.meaning(),
            concerns: Vec::new(),
            backups: Vec::new(),
            backup_names: Vec::new(),
        }
    }

    /// Notes what of this backup refers to the object.
    pub(super) fn concerns(&mut self, manifest: &Manifest) {
        let tables = manifest.tables.iter().filter(|t| {
            t.segments()
                .any(|s| keys::segment(&s.id, manifest.codec) == self.key)
        });
        let tables = tables.map(|t| t.name.to_string());
        let files = objects(manifest)
            .filter(|(_, o)| o.key == self.key)
            .map(|(what, _)| what);
        let found: Vec<String> = tables.chain(files).collect();
        if found.is_empty() {
            return;
        }
        self.backups.push(manifest.id);
        self.backup_names.push(manifest.name.clone());
        for what in found {
            if !self.concerns.contains(&what) {
                self.concerns.push(what);
            }
        }
    }
}
