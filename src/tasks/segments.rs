//! Reading stored objects back, each proven to be what was written.

use crate::core::manifest::{Codec, Manifest, Object, Segment};
use crate::core::stored::Stored;
use crate::core::{codec, keys};
use crate::error::{Code, During, Error, Result};
use crate::ports::store::Store;
use bytes::Bytes;

/// The stored (compressed) bytes of a segment, with length and hash checked.
pub async fn fetch_stored(store: &Store, codec: Codec, segment: &Segment) -> Result<Bytes> {
    let key = keys::segment(&segment.id, codec);
    checked(&key, store.get(&key).await?, &segment.stored())
}

/// The rows of a segment as COPY text.
pub async fn fetch_rows(store: &Store, codec: Codec, segment: &Segment) -> Result<Bytes> {
    let stored = fetch_stored(store, codec, segment).await?;
    unpack(
        codec,
        stored,
        segment.raw_bytes,
        keys::segment(&segment.id, codec),
    )
    .await
}

/// The content of an object other than a segment; always zstd.
pub async fn fetch_object(store: &Store, object: &Object) -> Result<Bytes> {
    let stored = store.get(&object.key).await?;
    let stored = checked(&object.key, stored, &object.stored())?;
    unpack(Codec::Zstd, stored, object.raw_bytes, object.key.clone()).await
}

/// Tells what to do where an object of `backup` turned out to be gone or altered, and what is unharmed (where the
/// caller does not say so itself). Other errors stay as they are.
pub fn explained(mut error: Error, backup: &Manifest, unharmed: Option<&str>) -> Error {
    if !matches!(error.code, Code::ObjectMissing | Code::ObjectDamaged) {
        return error;
    }
    if let Some(unharmed) = unharmed {
        error.message.push_str(&format!("; {unharmed}"));
    }
    error.hint(format!(
        "Run `rovodev check {}` to see what of this backup is missing or damaged, and choose another one (`rovodev list`).",
        backup.id
    ))
}

fn checked(key: &str, stored: Bytes, written: &Stored) -> Result<Bytes> {
    if !written.is(&stored) {
        let message = format!("{key} is not what was written");
        return Err(Error::new(Code::ObjectDamaged, message));
    }
    Ok(stored)
}

async fn unpack(codec: Codec, stored: Bytes, raw_bytes: u64, key: String) -> Result<Bytes> {
    blocking(move || {
        codec::decompress(codec, &stored, raw_bytes)
            .map(Bytes::from)
            .during(key)
    })
    .await
}

/// Compresses or decompresses where it keeps no other work waiting.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| Error::new(Code::Internal, "compression stopped").source(e))?
}
