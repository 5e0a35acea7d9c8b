//! Without a pg_dump that works the rows are kept, and it is said that the definitions are missing.

use crate::support::{Source, table};
use rovodev::core::manifest::SchemaStatus;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// A program that stands in for pg_dump.
fn script(source: &Source, name: &str, text: &str) -> PathBuf {
    let file = source.folder.path().join(name);
    std::fs::write(&file, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
    file
}

#[tokio::test]
async fn a_backup_without_a_usable_pg_dump_says_so() {
    let source = Source::new("CREATE TABLE t (a int); INSERT INTO t VALUES (1)").await;
    let version = "case \"$1\" in --version) echo 'pg_dump (PostgreSQL) 99.1'; exit;; esac;";
    let old = script(&source, "old", "echo 'pg_dump (PostgreSQL) 9.6.24'");
    let failing = script(
        &source,
        "failing",
        &format!(
            "{version} echo 'CREATE TABLE half'; echo 'pg_dump: error: out of luck' >&2; exit 1"
        ),
    );
    let killed = script(
        &source,
        "killed",
        &format!("{version} echo 'CREATE TABLE half'; kill -9 $$"),
    );
    for (file, why) in [
        ("/no/such/pg_dump".into(), "there is no such file"),
        (old, "is version 9.6.24, older than the server's"),
        (failing, "out of luck"),
        (killed, "said nothing"),
    ] {
        let manifest = source.back_up(|r| r.pg_dump = Some(file)).await.unwrap();
        assert_eq!(manifest.schema.status, SchemaStatus::Missing);
        let reason = manifest.schema.reason.clone().unwrap();
        assert!(reason.contains(why), "{reason}");
        assert!(manifest.schema.pre_data.is_none() && manifest.schema.extras.is_none());
        let warning = &manifest.warnings[0];
        assert_eq!(
            (warning.code.as_str(), manifest.warnings.len()),
            ("schema_missing", 1)
        );
        assert!(warning.message.contains(&reason), "{}", warning.message);
        assert_eq!(table(&manifest, "t").rows, 1);
    }
    source.assert_sound().await;
    source.no_sessions().await;
}
