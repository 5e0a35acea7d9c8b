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
    pub problems: Vec<Problem>,
}

impl CheckReport {
    pub fn is_good(&self) -> bool {
        self.problems.is_empty()
    }

    pub(super) fn manifest(&mut self, tenant: &str, id: Uuid, error: &Error) {
        let mut problem = Problem::new(keys::manifest(tenant, id), error);
        problem.backups.push(id);
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
    /// Tables (`schema.name`) and files that are incomplete without it.
    pub concerns: Vec<String>,
    pub backups: Vec<Uuid>,
}

impl Problem {
    pub(super) fn new(key: String, error: &Error) -> Self {
        Self {
            key,
            code: error.code.as_str(),
            message: error.to_string(),
            concerns: Vec::new(),
            backups: Vec::new(),
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
        for what in found {
            if !self.concerns.contains(&what) {
                self.concerns.push(what);
            }
        }
    }
}
