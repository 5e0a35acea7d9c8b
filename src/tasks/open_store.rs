//! Opening a store: what format it has, and the keys to write into it.

use super::Context;
use crate::core::format::{Format, StoreKeys};
use crate::core::manifest::Codec;
use crate::core::{grants, keys};
use crate::error::{Code, During, Error, Result};
use crate::ports::store::{Put, Store};
use bytes::Bytes;
use chrono::Utc;
use uuid::Uuid;

const RECOVERY: &str = include_str!("open_store/RECOVERY.md");

/// A store that backups can be written into.
#[derive(Clone)]
pub struct OpenedStore {
    pub store: Store,
    pub format: Format,
    /// Key of the BLAKE3 that makes segment ids.
    pub segment_key: [u8; 32],
    /// Seed of the row hashes.
    pub row_seed: u64,
}

/// A store that is only read from.
pub struct ReadableStore {
    pub store: Store,
    pub format: Format,
    /// Absent without the right `STORE_KEY`; everything but the check of ids and row sums works without.
    pub keys: Option<StoreKeys>,
    /// Why `keys` are absent although a `STORE_KEY` is set.
    pub wrong_key: Option<Error>,
}

/// Opens a store for writing; `create` makes it where there is none.
///
/// `store_key` must be the one that the store was made with, or absent if it was made without:
/// [`Code::StoreKeyMismatch`]. A store of a newer format is refused: [`Code::FormatTooNew`].
pub async fn open(
    ctx: &Context,
    store: &Store,
    store_key: Option<&str>,
    create: bool,
) -> Result<OpenedStore> {
    ctx.or_cancelled(open_or_create(store, store_key, create))
        .await
}

/// Opens a store for reading and restoring, which need no key.
pub async fn open_to_read(
    ctx: &Context,
    store: &Store,
    store_key: Option<&str>,
) -> Result<ReadableStore> {
    ctx.or_cancelled(async {
        let format = read(store).await?.ok_or_else(|| no_store(store))?;
        Ok(readable(store, format, store_key))
    })
    .await
}

/// The same where a first backup is still to come: `None`, with nothing to read.
pub async fn open_if_any(
    ctx: &Context,
    store: &Store,
    store_key: Option<&str>,
) -> Result<Option<ReadableStore>> {
    ctx.or_cancelled(async {
        if !store.is_there().await? {
            return Ok(None);
        }
        match read(store).await? {
            Some(format) => Ok(Some(readable(store, format, store_key))),
            None => Ok(of_backups(store)
                .await?
                .map(|format| readable(store, format, store_key))),
        }
    })
    .await
}

fn readable(store: &Store, format: Format, store_key: Option<&str>) -> ReadableStore {
    let (keys, wrong) = match format.keys(store_key) {
        Ok(keys) => (Some(keys), None),
        Err(wrong) => (None, store_key.map(|_| wrong)),
    };
    ReadableStore {
        store: store.clone(),
        format,
        keys,
        wrong_key: wrong,
    }
}

/// Whether backups can be written with this key: it is the one of the store, or long enough for one that is to come.
pub async fn fitting_key(store: &Store, store_key: Option<&str>) -> Result<()> {
    let format = match read(store).await {
        Err(e) if e.code == Code::StoreMissing => None,
        found => found?,
    };
    match format {
        Some(format) => format.keys(store_key).map(drop),
        None => Format::new(Uuid::nil(), Utc::now(), Codec::Zstd, store_key).map(drop),
    }
}

async fn open_or_create(
    store: &Store,
    store_key: Option<&str>,
    create: bool,
) -> Result<OpenedStore> {
    if create {
        store.create().await?;
    }
    let format = match read(store).await? {
        Some(format) => format,
        None if create => make(store, store_key).await?,
        None => return Err(no_store(store)),
    };
    let keys = format.keys(store_key).during(store.describe())?;
    Ok(OpenedStore {
        store: store.clone(),
        format,
        segment_key: keys.segment_key,
        row_seed: keys.row_seed,
    })
}

async fn read(store: &Store) -> Result<Option<Format>> {
    match store.get(keys::FORMAT).await {
        Ok(bytes) => Format::parse(&bytes).during(store.describe()).map(Some),
        Err(e) if e.code == Code::ObjectMissing => Ok(None),
        Err(e) => Err(e),
    }
}

/// Writes `RECOVERY.md` first, so that a store that has a format also says how to leave us.
async fn make(store: &Store, store_key: Option<&str>) -> Result<Format> {
    if let Some(format) = of_backups(store).await? {
        return Ok(format);
    }
    let format = Format::new(Uuid::new_v4(), Utc::now(), Codec::Zstd, store_key)?;
    store.put_new(keys::RECOVERY, recovery()).await?;
    match store
        .put_new(keys::FORMAT, format.to_json()?.into())
        .await?
    {
        Put::Written => Ok(format),
        // Somebody else made the store at the same moment.
        Put::Existed => read(store).await?.ok_or_else(|| no_store(store)),
    }
}

/// How to restore by hand, with the SQL that a restore runs too.
fn recovery() -> Bytes {
    let [there, after] = grants::by_hand();
    let text = RECOVERY.replace("@what is there@", &there);
    text.replace("@what defaults grant@", &after).into()
}

/// Where no format was seen: that of the backups that came meanwhile, for they come after it; none where there are
/// none either. A new store id beside old backups would orphan their segments' ids.
async fn of_backups(store: &Store) -> Result<Option<Format>> {
    if store.list(keys::BACKUPS).await?.is_empty() {
        return Ok(None);
    }
    let gone = || {
        Error::new(
            Code::ObjectMissing,
            format!(
                "{} holds backups, but its {} is gone",
                store.describe(),
                keys::FORMAT
            ),
        )
        .hint("Put format.json back from a copy of the store, or choose an empty place.")
    };
    read(store).await?.ok_or_else(gone).map(Some)
}

fn no_store(store: &Store) -> Error {
    Error::new(
        Code::StoreMissing,
        format!(
            "{} holds no backups yet (it has no {})",
            store.describe(),
            keys::FORMAT
        ),
    )
    .hint("Check the place, or make the store with `rovodev init` or a first backup.")
}
