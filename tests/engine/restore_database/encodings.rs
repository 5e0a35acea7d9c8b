//! Databases without an encoding, whose text is any bytes: exact where the target has none either, told where it has.

use super::support::{Source, one, request, tables};
use crate::pg_dump::Database;
use crate::support::assert_told;
use rovodev::core::manifest::Manifest;
use rovodev::core::restore_plan::Mode;
use rovodev::error::Code;
use rovodev::tasks::Context;
use rovodev::tasks::download::{DownloadFormat, download};
use rovodev::tasks::restore::in_place;
use std::process::{Command, Stdio};

/// Latin-1, bytes that are no text anywhere, and what COPY escapes.
const ROWS: &str = "CREATE TABLE t (id int PRIMARY KEY, x text); CREATE INDEX ON t (x);
    INSERT INTO t VALUES (1, 'caf' || convert_from('\\xe9', 'SQL_ASCII')), (2, convert_from('\\xff80c30a5c09', 'SQL_ASCII')), (3, 'plain')";
const BYTES: &str = "SELECT string_agg(id || '=' || encode(convert_to(x, 'SQL_ASCII'), 'hex'), ' ' ORDER BY id) FROM t";
const EXACT: &str = "1=636166e9 2=ff80c30a5c09 3=706c61696e";

async fn bytes(database: &Database) -> String {
    one(&database.session().await, BYTES).await
}

async fn source() -> Source {
    Source::of(
        Database::create_without_encoding("restoredb_source").await,
        ROWS,
    )
    .await
}

#[tokio::test]
async fn bytes_come_back_as_they_were() {
    let source = source().await;
    let backup = source.back_up().await;
    assert_eq!(backup.warnings, []);
    let target = Database::create_without_encoding("restoredb_target").await;
    let wanted = request(&backup, &target.url);
    let plan = source.plan(&wanted).await.unwrap();
    assert!(plan.warnings.iter().all(|w| w.code != "encoding"));
    source.restore(&wanted).await.unwrap();
    assert_eq!(bytes(&target).await, EXACT);
    target.drop().await;

    let session = source.database.session().await;
    let change = "UPDATE t SET x = 'new' WHERE id < 3; DELETE FROM t WHERE id = 3; \
                  INSERT INTO t VALUES (4, convert_from('\\xe4', 'SQL_ASCII'))";
    session.batch("changing rows", change).await.unwrap();
    let changed = bytes(&source.database).await;
    let mut here = request(&backup, &source.database.url);
    here.mode = Mode::Exact;
    let ctx = Context::default();
    let prepared = in_place::prepare(&ctx, &source.opened.store, &here, None).await;
    let done = prepared.unwrap().apply(&ctx).await.unwrap();
    assert_eq!(bytes(&source.database).await, EXACT);
    in_place::undo(
        &ctx,
        &here.target,
        in_place::UndoRequest::of(done.operation),
    )
    .await
    .unwrap();
    assert_eq!(bytes(&source.database).await, changed);
    drop(session);
    source.database.drop().await;
}

#[tokio::test]
async fn a_download_has_the_bytes() {
    let source = source().await;
    let backup = source.back_up().await;
    let target = Database::create_without_encoding("restoredb_target").await;
    load(&source, &backup, &target).await;
    assert_eq!(bytes(&target).await, EXACT);
    target.drop().await;
    source.database.drop().await;
}

/// By psql, as a person would.
async fn load(source: &Source, backup: &Manifest, target: &Database) {
    let path = source.folder.path().join("all.sql.zst");
    let mut file = Vec::new();
    let ctx = Context::default();
    let store = &source.opened.store;
    download(&ctx, store, backup, DownloadFormat::SqlZst, &mut file)
        .await
        .unwrap();
    std::fs::write(&path, zstd::decode_all(&file[..]).unwrap()).unwrap();
    let mut psql = Command::new("psql");
    psql.args(["-Xq", "-v", "ON_ERROR_STOP=1", "-f"]).arg(&path);
    psql.env("PATH", crate::store::psql::path())
        .envs(target.url.libpq_environment());
    let output = psql.stdout(Stdio::null()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
}

#[tokio::test]
async fn bytes_that_a_target_cannot_hold_are_told() {
    let source = source().await;
    let backup = source.back_up().await;
    let target = Database::create("restoredb_target").await;
    let wanted = request(&backup, &target.url);
    let plan = source.plan(&wanted).await.unwrap();
    let told = plan.warnings.iter().find(|w| w.code == "encoding");
    assert!(told.expect("told beforehand").message.contains("SQL_ASCII"));
    let error = source.restore(&wanted).await.unwrap_err();
    let parts = [
        "table public.t",
        "ENCODING 'SQL_ASCII'",
        "as empty as before",
    ];
    assert_told(&error, Code::InvalidEncoding, &parts);
    target.drop().await;
    source.database.drop().await;
}

#[tokio::test]
async fn text_of_an_encoding_goes_into_a_database_without_one_as_utf_8() {
    let source = Source::new(
        "CREATE TABLE t (id int PRIMARY KEY, x text); INSERT INTO t VALUES (1, 'caf\u{e9}')",
    )
    .await;
    let backup = source.back_up().await;
    let target = Database::create_without_encoding("restoredb_target").await;
    source
        .restore(&request(&backup, &target.url))
        .await
        .unwrap();
    assert_eq!(bytes(&target).await, "1=636166c3a9");
    target.drop().await;
    source.database.drop().await;
}

/// A plan names rows for people, whatever their bytes.
#[tokio::test]
async fn rows_without_an_encoding_can_be_named() {
    let sql = "CREATE TABLE p (k text PRIMARY KEY); INSERT INTO p VALUES ('caf' || convert_from('\\xe9', 'SQL_ASCII'));
        CREATE TABLE c (k text PRIMARY KEY REFERENCES p); INSERT INTO c SELECT k FROM p";
    let database = Database::create_without_encoding("restoredb_source").await;
    let source = Source::of(database, sql).await;
    let backup = source.back_up().await;
    let session = source.database.session().await;
    session.batch("emptying", "TRUNCATE p, c").await.unwrap();
    drop(session);
    let mut here = request(&backup, &source.database.url);
    here.choice.selection = tables(&[("public", "c")]);
    let ctx = Context::default();
    let plan = in_place::plan(&ctx, &source.opened.store, &here)
        .await
        .unwrap();
    let broken = &plan.broken_references[0];
    assert!(broken.examples[0].contains("k=caf\\351"), "{broken}");
    source.database.drop().await;
}
