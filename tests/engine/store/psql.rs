//! PostgreSQL's own tools, as a person without Rovodev would use them.

use crate::pg_dump::Database;
use rovodev::core::manifest::{BackupType, Codec, Manifest, Selection, Trigger};
use rovodev::error::Result;
use rovodev::ports::postgres::DatabaseUrl;
use rovodev::tasks::Context;
use rovodev::tasks::create::{self, CreateRequest};
use rovodev::tasks::open_store::OpenedStore;
use std::path::{Path, PathBuf};
use std::process::Command;

const EVERYTHING: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/engine/restore_database/everything.sql"
);

/// The folder of the tests' server's programs in front of the others.
pub fn path() -> String {
    let own = std::env::var("ROVODEV_TEST_PG_BIN").unwrap_or_default();
    let rest = std::env::var("PATH").unwrap();
    format!("{own}:{rest}")
}

/// Runs a command in a shell and returns what it printed.
pub fn shell(folder: &Path, script: &str, arguments: &[&str]) -> String {
    let mut command = Command::new("bash");
    command
        .current_dir(folder)
        .env("PATH", path())
        .args(["-o", "pipefail", "-c", script, "test"])
        .args(arguments);
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {errors}");
    String::from_utf8(output.stdout).unwrap() + &errors
}

/// A database with every kind of object in it.
pub async fn everything() -> Database {
    let database = Database::create("store").await;
    let session = database.session().await;
    for role in ["anon", "authenticated"] {
        // Another test may be making it at this moment.
        let sql = format!(
            "DO $$ BEGIN CREATE ROLE {role}; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
        );
        session.batch("making a role", &sql).await.unwrap();
    }
    let psql = "psql -Xq -v ON_ERROR_STOP=1 -d \"$1\" -f \"$2\" > /dev/null";
    shell(
        &std::env::temp_dir(),
        psql,
        &[&address(&database), EVERYTHING],
    );
    database
}

/// For `libpq`'s programs.
pub fn address(database: &Database) -> String {
    let server = std::env::var("ROVODEV_TEST_SUPERUSER_URL").unwrap();
    let (server, _) = server.rsplit_once('/').unwrap();
    format!("{server}/{}", database.url.database())
}

pub async fn back_up(url: &DatabaseUrl, to: &OpenedStore, codec: Codec) -> Result<Manifest> {
    let request = CreateRequest {
        id: None,
        database: Some(url.clone()),
        kind: BackupType::Full,
        trigger: Trigger::Manual,
        codec,
        name: None,
        tenant: super::sample::TENANT.into(),
        selection: Selection::default(),
        project: PathBuf::from("/nonexistent"),
        pg_dump: std::env::var_os("PG_DUMP").map(PathBuf::from),
        readers: 2,
        yield_after: create::YIELD_AFTER,
    };
    create::create(&Context::default(), to, &request).await
}

/// Everything in a database as `pg_dump` writes it, but for what a restore changes by design: rows of
/// `auth` are not part of a backup, so keys into it are not validated.
pub fn dumped(url: &str) -> String {
    let folder = std::env::temp_dir();
    let dump = shell(
        &folder,
        "pg_dump --exclude-table-data='auth.*' \"$1\"",
        &[url],
    );
    let lines = dump
        .lines()
        .filter(|l| !l.starts_with("\\restrict") && !l.starts_with("\\unrestrict"));
    lines
        .map(|l| l.replace(" NOT VALID;", ";") + "\n")
        .collect()
}

/// Shows the first lines that differ, not two whole dumps.
pub fn assert_same(before: &str, after: &str) {
    let differing: Vec<_> = before
        .lines()
        .zip(after.lines())
        .filter(|(a, b)| a != b)
        .take(8)
        .collect();
    assert!(before == after, "{differing:#?}");
}
