//! The distinct objects of some backups, and the check of one.

use super::objects;
use crate::core::keys;
use crate::core::manifest::{Codec, Manifest, Object, Segment};
use crate::core::row_hash::RowHashSum;
use crate::error::{Code, Error, Result};
use crate::tasks::open_store::ReadableStore;
use crate::tasks::segments::{fetch_object, fetch_rows};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What backups refer to, each object once however many share it.
#[derive(Default)]
pub struct Contents(BTreeMap<(String, String), Item>);

pub struct Item {
    pub key: String,
    /// A table or a file that it belongs to, for people.
    pub what: Arc<str>,
    kind: Kind,
}

enum Kind {
    Rows(Codec, Segment),
    Other(Object),
}

impl Contents {
    pub fn add(&mut self, manifest: &Manifest) {
        for table in &manifest.tables {
            let what: Arc<str> = table.name.to_string().into();
            for segment in table.segments() {
                let key = keys::segment(&segment.id, manifest.codec);
                let kind = Kind::Rows(manifest.codec, segment.clone());
                self.insert(key, &segment.stored_hash, what.clone(), kind);
            }
        }
        for (what, object) in objects(manifest) {
            let kind = Kind::Other(object.clone());
            self.insert(object.key.clone(), &object.stored_hash, what.into(), kind);
        }
    }

    fn insert(&mut self, key: String, hash: &str, what: Arc<str>, kind: Kind) {
        self.0
            .entry((key.clone(), hash.to_string()))
            .or_insert(Item { key, what, kind });
    }

    pub fn raw_bytes(&self) -> u64 {
        self.0.values().map(Item::raw_bytes).sum()
    }

    pub fn into_items(self) -> impl Iterator<Item = Item> {
        self.0.into_values()
    }
}

impl Item {
    pub fn rows(&self) -> u64 {
        match &self.kind {
            Kind::Rows(_, segment) => segment.rows,
            Kind::Other(_) => 0,
        }
    }

    pub fn raw_bytes(&self) -> u64 {
        match &self.kind {
            Kind::Rows(_, segment) => segment.raw_bytes,
            Kind::Other(object) => object.raw_bytes,
        }
    }

    pub fn stored_bytes(&self) -> u64 {
        match &self.kind {
            Kind::Rows(_, segment) => segment.stored_bytes,
            Kind::Other(object) => object.stored_bytes,
        }
    }
}

/// Length, hash and decompression of any object; with the keys also what a segment's rows say.
pub async fn verify(store: &ReadableStore, item: &Item) -> Result<()> {
    let (codec, segment) = match &item.kind {
        Kind::Other(object) => return fetch_object(&store.store, object).await.map(|_| ()),
        Kind::Rows(codec, segment) => (*codec, segment.clone()),
    };
    let rows = fetch_rows(&store.store, codec, &segment).await?;
    let (key, keys) = (item.key.clone(), store.keys.clone());
    let compare = move || match keys {
        Some(keys) => compare(&rows, &segment, &keys.segment_key, keys.row_seed, &key),
        None => Ok(()),
    };
    tokio::task::spawn_blocking(compare)
        .await
        .map_err(|e| Error::new(Code::Internal, "a check stopped").source(e))?
}

fn compare(rows: &[u8], told: &Segment, key: &[u8; 32], seed: u64, name: &str) -> Result<()> {
    let wrong = |what: &str| {
        Err(Error::new(
            Code::ObjectDamaged,
            format!("{name}: {what} differ from the manifest"),
        ))
    };
    let mut sum = RowHashSum::default();
    let mut count = 0;
    for row in rows.split_inclusive(|b| *b == b'\n') {
        sum.add(row, seed);
        count += 1;
    }
    if blake3::keyed_hash(key, rows).to_hex().as_str() != told.id {
        return wrong("its rows");
    }
    if count != told.rows {
        return wrong("the numbers of its rows");
    }
    if RowHashSum::parse(&told.row_hash_sum) != Some(sum) {
        return wrong("the sums of its rows");
    }
    Ok(())
}
