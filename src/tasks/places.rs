//! From settings to the places they name.

use crate::config::{self, Settings};
use crate::error::Result;
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
