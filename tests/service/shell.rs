//! The command line, run beside a project as an operator runs it.

use crate::stack::{CRON_SECRET, Running};
use serde_json::Value;
use std::process::{Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// A folder to run in, and the settings that every run gets.
pub struct Shell {
    folder: TempDir,
    settings: Vec<(&'static str, String)>,
}

/// What a run said.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
    /// Of `out`.
    pub bytes: Vec<u8>,
}

impl Said {
    /// The one object of a run with `--json`.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
}

impl Shell {
    /// With everything that the project's functions know.
    pub fn beside(running: &Running) -> Self {
        let (postgres, s3) = (&running.stack.postgres, &running.stack.s3);
        let (keys, credentials) = (running.project.keys(), s3.credentials());
        let settings = vec![
            ("DATABASE_URL", postgres.owner_url("postgres")),
            ("BACKUP_STORE", "s3://backups".into()),
            ("STORE_KEY", "ab".repeat(32)),
            ("AWS_ACCESS_KEY_ID", credentials.key.clone()),
            ("AWS_SECRET_ACCESS_KEY", credentials.secret.clone()),
            ("S3_ENDPOINT", s3.endpoint()),
            ("SUPABASE_URL", running.project.url()),
            ("SUPABASE_PUBLISHABLE_KEY", keys.publishable.clone()),
            ("SUPABASE_SECRET_KEY", keys.secret.clone()),
            ("CRON_SECRET", CRON_SECRET.into()),
            (
                "PG_DUMP",
                postgres.binaries().pg_dump().display().to_string(),
            ),
            ("USER", "olivia".into()),
        ];
        Self {
            folder: tempfile::tempdir().unwrap(),
            settings,
        }
    }

    /// With an address and a token alone, as in CI.
    pub fn afar(url: &str, token: &str) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            settings: vec![("ROVODEV_API", url.into()), ("ROVODEV_TOKEN", token.into())],
        }
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.settings.retain(|(known, _)| *known != name);
        self.settings.push((name, value.into()));
        self
    }

    pub fn write(&self, file: &str, text: &str) {
        std::fs::write(self.folder.path().join(file), text).unwrap();
    }

    pub fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(file)).unwrap()
    }

    pub fn bytes(&self, file: &str) -> Vec<u8> {
        std::fs::read(self.folder.path().join(file)).unwrap()
    }

    /// The names of all files, in order.
    pub fn files(&self) -> Vec<String> {
        let each = std::fs::read_dir(self.folder.path()).unwrap();
        let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
        let mut names: Vec<String> = each.map(|e| name(e).into_string().unwrap()).collect();
        names.sort();
        names
    }

    pub fn start(&self, arguments: &[&str]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_rovodev"))
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .envs(self.settings.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    }

    pub async fn run(&self, arguments: &[&str]) -> Said {
        said(self.start(arguments)).await
    }
}

pub async fn said(child: Child) -> Said {
    let limit = Duration::from_secs(120);
    let output: Output = tokio::time::timeout(limit, child.wait_with_output())
        .await
        .expect("the command line hangs")
        .unwrap();
    Said {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8(output.stderr).unwrap(),
        bytes: output.stdout,
    }
}

/// Sends a signal by its name.
pub async fn signal(child: &Child, name: &str) {
    let id = child.id().unwrap().to_string();
    let sent = Command::new("kill").args([name, &id]).status().await;
    assert!(sent.unwrap().success());
}
