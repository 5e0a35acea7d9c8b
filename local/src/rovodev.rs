//! Runs the real `rovodev` against a local stack.

use crate::error::{Context, Result, message};
use crate::postgres::Postgres;
use crate::s3::{self, S3};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

const BUCKET: &str = "backups";
const TIME_LIMIT: Duration = Duration::from_secs(600);

/// The command line that was built beside this program, with its settings.
#[derive(Debug)]
pub(crate) struct Rovodev {
    program: PathBuf,
    /// Where it runs: a folder without an `.env` of somebody else.
    folder: PathBuf,
    settings: Vec<(&'static str, String)>,
}

impl Rovodev {
    /// Makes the bucket, and settings for the database `postgres` as its owner.
    pub fn new(postgres: &Postgres, s3: &S3, store_key: &str, folder: &Path) -> Result<Rovodev> {
        s3.create_bucket(BUCKET)?;
        let here = std::env::current_exe().context("cannot find this program's own folder")?;
        let credentials = s3.credentials();
        let settings = vec![
            ("DATABASE_URL", postgres.owner_url("postgres")),
            ("BACKUP_STORE", format!("s3://{BUCKET}/demo")),
            ("S3_ENDPOINT", s3.endpoint()),
            ("AWS_ACCESS_KEY_ID", credentials.key.clone()),
            ("AWS_SECRET_ACCESS_KEY", credentials.secret.clone()),
            ("AWS_REGION", s3::REGION.to_string()),
            ("STORE_KEY", store_key.to_string()),
            (
                "PG_DUMP",
                postgres.binaries().pg_dump().display().to_string(),
            ),
        ];
        Ok(Rovodev {
            program: here.with_file_name("rovodev"),
            folder: folder.to_path_buf(),
            settings,
        })
    }

    pub fn settings(&self) -> &[(&'static str, String)] {
        &self.settings
    }

    /// Runs one command to its end and returns what it printed; its progress goes to our stderr.
    pub async fn run(&self, arguments: &[&str]) -> Result<String> {
        if !self.program.is_file() {
            return Err(message(format!(
                "{} is missing; build it with `cargo build --workspace`",
                self.program.display()
            )));
        }
        let shown = format!("rovodev {}", arguments.join(" "));
        let child = Command::new(&self.program)
            .args(arguments)
            .current_dir(&self.folder)
            .envs(self.settings.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context(format!("cannot start {shown}"))?;
        let output = tokio::time::timeout(TIME_LIMIT, child.wait_with_output())
            .await
            .map_err(|_| message(format!("{shown} took more than {TIME_LIMIT:?}")))?
            .context(format!("lost {shown}"))?;
        let printed = String::from_utf8_lossy(&output.stdout).trim().to_string();
        match output.status.success() {
            true => Ok(printed),
            false => Err(message(format!(
                "{shown} ended with {}\n{printed}",
                output.status
            ))),
        }
    }
}
