//! Where backups lie: a closed set of object stores behind one interface.
//!
//! Keys are relative to the store's prefix. Objects are immutable: [`Store::put_new`] writes once.

use crate::error::Result;
use bytes::Bytes;
use chrono::{DateTime, Utc};

/// A closed set of object stores.
#[derive(Clone, Debug)]
pub enum Store {}

/// What lies under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    pub key: String,
    pub bytes: u64,
    pub modified: DateTime<Utc>,
}

/// What became of a conditional write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    Written,
    /// An object was there before; it was left as it is.
    Existed,
}

#[allow(unused_variables)]
impl Store {
    pub async fn put_new(&self, key: &str, body: Bytes) -> Result<Put> {
        match *self {}
    }
    pub async fn get(&self, key: &str) -> Result<Bytes> {
        match *self {}
    }
}
