//! What the stack of `bin/dev` remembers from one start to the next, passwords among it.

use crate::error::{Context, Result, at, message};
use crate::postgres::Passwords;
use crate::project::ProjectKeys;
use crate::s3::Credentials;
use serde::{Deserialize, Serialize};
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use uuid::Uuid;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DevState {
    /// The major that made the data folder; another one cannot read it.
    pub postgres_major: Option<u32>,
    pub passwords: Passwords,
    pub s3: Credentials,
    pub store_key: String,
    pub project: ProjectKeys,
    pub cron_secret: String,
}

impl DevState {
    pub fn fresh() -> Result<DevState> {
        Ok(DevState {
            postgres_major: None,
            passwords: Passwords::random(),
            s3: Credentials::random(),
            store_key: random_key(),
            project: ProjectKeys::random()?,
            cron_secret: random_key(),
        })
    }

    /// Reads `state.json` in `folder`, or begins anew where there is none.
    pub fn load(folder: &Path) -> Result<DevState> {
        let file = folder.join("state.json");
        match fs::read_to_string(&file) {
            Ok(text) => serde_json::from_str(&text).map_err(|error| {
                message(format!(
                    "{} is damaged ({error}); remove the folder {} to begin anew",
                    file.display(),
                    folder.display()
                ))
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => DevState::fresh(),
            Err(error) => Err(error).context(at("read", &file)),
        }
    }

    /// Writes `state.json`, readable by us alone, whole or not at all.
    pub fn save(&self, folder: &Path) -> Result<()> {
        let file = folder.join("state.json");
        let fresh = folder.join("state.json.new");
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| message(format!("cannot write the state down: {error}")))?;
        let mut written = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&fresh)
            .context(at("write", &fresh))?;
        written
            .write_all(text.as_bytes())
            .context(at("write", &fresh))?;
        fs::rename(&fresh, &file).context(at("write", &file))
    }
}

/// 32 bytes in hexadecimal.
fn random_key() -> String {
    let half = || Uuid::new_v4().simple().to_string();
    half() + &half()
}
