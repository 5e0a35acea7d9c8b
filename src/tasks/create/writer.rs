//! Segments on their way into the store: hashed, compressed, written once.

use super::buffers::Buffers;
use crate::core::codec::{self, Compressor};
use crate::core::keys;
use crate::core::manifest::{Codec, Segment};
use crate::core::segmenter::{RawSegment, SEGMENT_BYTES};
use crate::core::stored::Stored;
use crate::error::{Code, Error, Result};
use crate::ports::store::{Put, Store};
use crate::tasks::segments::blocking;
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Memory kept for the next segment; one that held a huge row is given back.
const KEPT_CAPACITY: usize = SEGMENT_BYTES + SEGMENT_BYTES / 2;

/// Memory for the segments of a row or more, until the last of them is stored.
pub type Room = Arc<OwnedSemaphorePermit>;

pub struct Writer {
    store: Store,
    codec: Codec,
    key: [u8; 32],
    /// Segments of the parent backup, which need not be compressed or written again.
    known: HashMap<String, Segment>,
    texts: Buffers,
    outputs: Buffers,
    compressors: Mutex<Vec<Compressor>>,
    /// Bounds the segments in memory; a permit is [`SEGMENT_BYTES`].
    permits: Arc<Semaphore>,
    at_once: usize,
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
            texts: Buffers::up_to(KEPT_CAPACITY),
            outputs: Buffers::up_to(KEPT_CAPACITY),
            compressors: Mutex::default(),
            permits: Arc::new(Semaphore::new(at_once)),
            at_once,
            new_bytes: AtomicU64::new(0),
        }
    }

    /// Bytes that were not in the store before.
    pub fn new_bytes(&self) -> u64 {
        self.new_bytes.load(Ordering::Relaxed)
    }

    /// Waits until this much text may be in memory; what is more than all of the room has it alone.
    pub async fn room(&self, bytes: usize) -> Result<Room> {
        let permits = bytes.div_ceil(SEGMENT_BYTES).clamp(1, self.at_once);
        let permits = u32::try_from(permits).unwrap_or(u32::MAX);
        let room = self.permits.clone().acquire_many_owned(permits).await;
        room.map(Arc::new)
            .map_err(|e| Error::new(Code::Internal, "the writer is gone").source(e))
    }

    /// An empty buffer, with memory of an earlier segment where there is one.
    pub fn buffer(&self) -> Vec<u8> {
        let kept = self.texts.take();
        kept.unwrap_or_else(|| Vec::with_capacity(SEGMENT_BYTES + SEGMENT_BYTES / 16))
    }

    pub async fn write(self: Arc<Self>, raw: RawSegment) -> Result<Segment> {
        let (rows, raw_bytes, row_hash_sum) = (
            raw.rows,
            raw.text.len() as u64,
            raw.row_hash_sum.to_string(),
        );
        let (id, stored) = match self.clone().pack(raw.text).await? {
            Packed::New { id, stored } => (id, stored),
            Packed::Known { segment, text } => {
                let key = keys::segment(&segment.id, self.codec);
                if self.store.keeps(&key, &segment.stored()).await? {
                    self.texts.give_back(text);
                    return Ok(segment);
                }
                tracing::warn!(
                    key,
                    "a segment of the last backup is gone or damaged; writing it again"
                );
                let stored = self.clone().compress(text).await?;
                (segment.id, stored)
            }
        };
        let kept = Stored::of(&stored);
        let segment = Segment {
            rows,
            raw_bytes,
            stored_bytes: kept.bytes,
            stored_hash: kept.hash,
            stored_crc32: kept.crc32,
            row_hash_sum,
            id,
        };
        self.put(segment, stored).await
    }

    /// What the last backup holds is not compressed: its text is kept for the case that the store lost it.
    async fn pack(self: Arc<Self>, text: Vec<u8>) -> Result<Packed> {
        blocking(move || {
            let id = blake3::keyed_hash(&self.key, &text).to_hex().to_string();
            Ok(match self.known.get(&id) {
                Some(segment) => Packed::Known {
                    segment: segment.clone(),
                    text,
                },
                None => Packed::New {
                    id,
                    stored: self.compressed(text)?,
                },
            })
        })
        .await
    }

    async fn compress(self: Arc<Self>, text: Vec<u8>) -> Result<Bytes> {
        blocking(move || self.compressed(text)).await
    }

    fn compressed(&self, text: Vec<u8>) -> Result<Bytes> {
        let kept = lock(&self.compressors).pop();
        let mut compressor = kept.map_or_else(|| Compressor::new(self.codec), Ok)?;
        let stored = compressor.compress(&text, self.outputs.take().unwrap_or_default())?;
        lock(&self.compressors).push(compressor);
        self.texts.give_back(text);
        Ok(self.outputs.lend(stored))
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
        let stored = match self.store.get(key).await {
            Ok(stored) => stored,
            Err(e) if matches!(e.code, Code::ObjectDamaged | Code::ObjectMissing) => {
                return Ok(None);
            }
            Err(e) => return Err(e),
        };
        let (codec, store_key, wanted) = (self.codec, self.key, segment.clone());
        let check = move || {
            let raw = codec::decompress(codec, &stored, wanted.raw_bytes).ok()?;
            let same = blake3::keyed_hash(&store_key, &raw).to_hex().as_str() == wanted.id;
            let kept = Stored::of(&stored);
            same.then_some(Segment {
                stored_bytes: kept.bytes,
                stored_hash: kept.hash,
                stored_crc32: kept.crc32,
                ..wanted
            })
        };
        blocking(move || Ok(check())).await
    }
}

enum Packed {
    Known { segment: Segment, text: Vec<u8> },
    New { id: String, stored: Bytes },
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
