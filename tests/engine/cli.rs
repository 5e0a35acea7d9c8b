//! The real command line, run as people and scripts run it.

mod asking;
mod bars;
mod beginning;
mod examples;
mod exits;
mod help;
mod hints;
mod init;
mod init_asks;
mod large_row;
mod listing;
mod orphans;
mod places;
mod reading;
mod restoring;
mod safety;
mod screen;
mod secrets;
mod status;
mod stopping;
mod stores;
mod tenants;
mod terminal;
mod undo_dates;
mod usage;
mod widths;

use crate::pg_dump::Database;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// A folder to run in, and the settings that every run gets.
pub struct Shell {
    pub folder: TempDir,
    settings: Vec<(String, String)>,
}

/// What a run said.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Shell {
    /// Without any setting.
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            settings: Vec::new(),
        }
    }

    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let built = Path::new(env!("CARGO_BIN_EXE_rovodev")).parent().unwrap();
        let mut command = Command::new(program);
        command
            .current_dir(self.folder.path())
            .env_clear()
            .env(
                "PATH",
                format!("{}:{}", built.display(), crate::store::psql::path()),
            )
            .envs(std::env::var_os("PG_DUMP").map(|p| ("PG_DUMP", p)))
            .envs(self.settings.iter().cloned())
            .stdin(Stdio::null());
        command
    }

    pub fn rovodev(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_rovodev"));
        command.args(arguments);
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Said {
        self.rovodev(arguments).output().unwrap().into()
    }

    /// Runs with `--json`: stdout must be exactly one object.
    pub fn json(&self, arguments: &[&str]) -> (i32, Value) {
        let said = self.run(&[arguments, &["--json"]].concat());
        assert_eq!(said.out.trim_end().lines().count(), 1, "{said:?}");
        let value: Value = serde_json::from_str(&said.out).unwrap();
        assert!(value.is_object(), "{value}");
        (said.code, value)
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// The address of a test's database, with its password.
pub fn url(database: &Database) -> String {
    let server = std::env::var("ROVODEV_TEST_SUPERUSER_URL").unwrap();
    let mut url = url::Url::parse(&server).unwrap();
    url.set_path(database.url.database());
    url.into()
}

/// A small app: calls of two tenants, and events that refer to them.
pub async fn app() -> Database {
    let database = Database::create("cli").await;
    let sql = "CREATE TABLE calls (id int PRIMARY KEY, tenant_id int NOT NULL, note text, \
                   created_at timestamptz NOT NULL DEFAULT '2025-01-01'); \
               CREATE TABLE call_events (id int PRIMARY KEY, call_id int NOT NULL REFERENCES calls); \
               INSERT INTO calls SELECT g, g % 2, 'note ' || g FROM generate_series(1, 1145) g; \
               INSERT INTO call_events SELECT g, 1000 + g FROM generate_series(1, 102) g; ANALYZE";
    database
        .session()
        .await
        .batch("seeding", sql)
        .await
        .unwrap();
    database
}

/// A sum over everything in the app.
pub async fn contents(database: &Database) -> String {
    let sql = "SELECT (SELECT md5(string_agg(c::text, ',' ORDER BY id)) FROM public.calls c) || \
               (SELECT md5(string_agg(e::text, ',' ORDER BY id)) FROM public.call_events e)";
    let session = database.session().await;
    session.query_one("reading", sql, &[]).await.unwrap().get(0)
}
