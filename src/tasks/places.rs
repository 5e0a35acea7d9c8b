//! From settings to the places they name.

use crate::config::{self, Origin, Settings};
use crate::error::{Code, Error, Result};
use crate::ports::postgres::DatabaseUrl;
use crate::ports::store::{S3Settings, Store};

/// The source, by `DATABASE_URL`.
pub fn source(settings: &Settings) -> Result<DatabaseUrl> {
    DatabaseUrl::parse(settings.require(&config::DATABASE_URL)?)
}

/// The store, by `BACKUP_STORE` and the settings of S3. Reaches for nothing yet.
pub fn store(settings: &Settings) -> Result<Store> {
    Store::open(settings.require(&config::BACKUP_STORE)?, &s3(settings))
}

/// The store that functions, workers and operators of one catalog share. The default will not do: it is a folder of whoever
/// asks, where nobody else finds what the catalog says is there. Nor will any folder where Vercel runs us.
pub fn shared_store(settings: &Settings) -> Result<Store> {
    if settings.origin(&config::BACKUP_STORE) == Some(Origin::Default) {
        return Err(Error::new(
            Code::Config,
            "BACKUP_STORE is not set; beside a catalog the store has no default",
        )
        .hint("Set BACKUP_STORE to s3://BUCKET/PREFIX, the same for functions, workers and operators."));
    }
    let store = store(settings)?;
    if matches!(store, Store::Dir(_)) && std::env::var_os("VERCEL_ENV").is_some() {
        return Err(Error::new(
            Code::Config,
            "BACKUP_STORE names a directory, and the disk of a function goes with it",
        )
        .hint("Set BACKUP_STORE to s3://BUCKET/PREFIX."));
    }
    Ok(store)
}

pub fn s3(settings: &Settings) -> S3Settings {
    let owned = |variable| settings.get(variable).map(str::to_string);
    S3Settings {
        endpoint: owned(&config::S3_ENDPOINT),
        path_style: owned(&config::S3_FORCE_PATH_STYLE),
        region: owned(&config::AWS_REGION),
        access_key: owned(&config::AWS_ACCESS_KEY_ID),
        secret_key: owned(&config::AWS_SECRET_ACCESS_KEY),
        session_token: owned(&config::AWS_SESSION_TOKEN),
    }
}
