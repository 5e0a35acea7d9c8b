//! Segments on their way into the store: hashed, compressed, written once.

use crate::core::codec::{self, Compressor};
use crate::core::keys;
use crate::core::manifest::{Codec, Segment};
use crate::core::segmenter::{RawSegment, SEGMENT_BYTES};
use crate::error::{Code, Error, Result};
use crate::ports::store::{Put, Store};
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// Memory kept for the next segment; one that held a huge row is given back.
const KEPT_CAPACITY: usize = SEGMENT_BYTES + SEGMENT_BYTES / 2;

pub struct Writer {
    store: Store,
    codec: Codec,
    key: [u8; 32],
    /// Segments of the parent backup, which need not be compressed or written again.
    known: HashMap<String, Segment>,
    buffers: Mutex<Vec<Vec<u8>>>,
    compressors: Mutex<Vec<Compressor>>,
    /// Bounds how many segments are in memory.
    pub permits: Arc<Semaphore>,
    new_bytes: AtomicU64,
}

impl Writer {
    pub fn new(
        store: Store,
        codec: Codec,
        key: [u8; 32],
        known: HashMap<String, Segment>,
        at_once: usize,
    ) -> Self {
        Self {
            store,
            codec,
            key,
            known,
            buffers: Mutex::default(),
            compressors: Mutex::default(),
            permits: Arc::new(Semaphore::new(at_once)),
            new_bytes: AtomicU64::new(0),
        }
    }

    /// Bytes that were not in the store before.
    pub fn new_bytes(&self) -> u64 {
        self.new_bytes.load(Ordering::Relaxed)
    }

    /// An empty buffer, with memory of an earlier segment where there is one.
    pub fn buffer(&self) -> Vec<u8> {
        let kept = lock(&self.buffers).pop();
        kept.unwrap_or_else(|| Vec::with_capacity(SEGMENT_BYTES + SEGMENT_BYTES / 16))
    }

    pub async fn write(self: Arc<Self>, raw: RawSegment) -> Result<Segment> {
        let (rows, raw_bytes, row_hash_sum) = (
            raw.rows,
            raw.text.len() as u64,
            raw.row_hash_sum.to_string(),
        );
        let this = self.clone();
        let packed = tokio::task::spawn_blocking(move || this.pack(raw.text))
            .await
            .map_err(|e| Error::new(Code::Internal, "compression stopped").source(e))??;
        let (id, stored) = match packed {
            Packed::Known(segment) => return Ok(segment),
            Packed::New { id, stored } => (id, stored),
        };
        let stored_hash = blake3::hash(&stored).to_hex().to_string();
        let segment = Segment {
            rows,
            raw_bytes,
            stored_bytes: stored.len() as u64,
            stored_hash,
            row_hash_sum,
            id,
        };
        self.put(segment, stored).await
    }

    fn pack(&self, text: Vec<u8>) -> Result<Packed> {
        let id = blake3::keyed_hash(&self.key, &text).to_hex().to_string();
        let packed = match self.known.get(&id) {
            Some(segment) => Packed::Known(segment.clone()),
            None => {
                let kept = lock(&self.compressors).pop();
                let mut compressor = kept.map_or_else(|| Compressor::new(self.codec), Ok)?;
                let stored = compressor.compress(&text)?;
                lock(&self.compressors).push(compressor);
                Packed::New {
                    id,
                    stored: stored.into(),
                }
            }
        };
        if text.capacity() <= KEPT_CAPACITY {
            let mut text = text;
            text.clear();
            lock(&self.buffers).push(text);
        }
        Ok(packed)
    }

    /// An object that is there already is taken only after it proved to hold these rows.
    async fn put(&self, segment: Segment, stored: Bytes) -> Result<Segment> {
        let key = keys::segment(&segment.id, self.codec);
        let written = segment.stored_bytes;
        let segment = match self.store.put_new(&key, stored.clone()).await? {
            Put::Written => segment,
            Put::Existed if self.store.holds(&key, &stored).await? => return Ok(segment),
            Put::Existed => match self.as_stored(&key, &segment).await? {
                Some(same_rows) => return Ok(same_rows),
                None => {
                    tracing::warn!(key, "a damaged segment was in the store; writing it again");
                    self.store.put_replace(&key, stored).await?;
                    segment
                }
            },
        };
        self.new_bytes.fetch_add(written, Ordering::Relaxed);
        Ok(segment)
    }

    /// The same rows may have been compressed otherwise by another version.
    async fn as_stored(&self, key: &str, segment: &Segment) -> Result<Option<Segment>> {
        let stored = self.store.get(key).await?;
        let (codec, store_key, wanted) = (self.codec, self.key, segment.clone());
        let check = move || {
            let raw = codec::decompress(codec, &stored, wanted.raw_bytes).ok()?;
            let same = blake3::keyed_hash(&store_key, &raw).to_hex().as_str() == wanted.id;
            same.then(|| Segment {
                stored_bytes: stored.len() as u64,
                stored_hash: blake3::hash(&stored).to_hex().to_string(),
                ..wanted
            })
        };
        tokio::task::spawn_blocking(check)
            .await
            .map_err(|e| Error::new(Code::Internal, "decompression stopped").source(e))
    }
}

enum Packed {
    Known(Segment),
    New { id: String, stored: Bytes },
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
