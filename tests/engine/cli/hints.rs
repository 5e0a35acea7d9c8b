//! What a newcomer runs into: each mistake is refused before anything is done, with the way out.

use super::{Shell, app, url};
use crate::pg_dump::Database;
use serde_json::Value;

async fn run(database: &Database, sql: &str) {
    let session = database.session().await;
    session.batch("changing", sql).await.unwrap();
}

fn backups(shell: &Shell) -> u64 {
    shell.json(&["list"]).1["total"].as_u64().unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[test]
fn files_go_into_a_folder_that_is_made_and_are_told_once_they_are_there() {
    let shell = Shell::new();
    let at = |path: &str| shell.folder.path().join(path);
    std::fs::write(at("vercel.json"), "{}").unwrap();
    let taken = shell.run(&["backup", "--type", "config", "--name", "one"]);
    assert_eq!(taken.code, 0, "{taken:?}");
    let restore = |project: &str, flag: &str| {
        let component = ["--component", "config", "--project", project];
        shell.run(&[&["restore", "--input", "one", flag][..], &component].concat())
    };
    let said = restore("new/deep", "--dry-run");
    assert!(said.out.contains("would be written"), "{said:?}");
    assert!(!at("new").exists(), "a dry run makes no folder");
    let said = restore("new/deep", "--force");
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("was written"), "{said:?}");
    assert!(at("new/deep/vercel.json").exists());
    std::fs::write(at("new/deep/vercel.json"), "other").unwrap();
    let said = restore("new/deep", "--no-color");
    assert_eq!(said.code, 5, "{said:?}");
    assert!(!said.err.contains("is overwritten"), "{said:?}");
    std::fs::write(at("file"), "").unwrap();
    let said = restore("file/below", "--force");
    assert_eq!(
        (said.code, said.err.contains("written")),
        (1, false),
        "{said:?}"
    );
}

/// A refusal that shows before a row is read takes no safety backup.
#[tokio::test]
async fn a_dropped_table_is_drift_with_a_way_out_and_no_safety_backup() {
    let database = app().await;
    let shell = Shell::new().with("DATABASE_URL", url(&database));
    assert_eq!(shell.run(&["backup", "--name", "one"]).code, 0);
    run(&database, "DROP TABLE call_events").await;
    let restore = ["restore", "--input", "one"];
    let refused = |arguments: &[&str]| {
        let (code, value) = shell.json(&[&restore[..], arguments].concat());
        assert_eq!(backups(&shell), 1, "no safety backup: {value}");
        (code, value["error"].clone())
    };
    let (code, dry) = refused(&["--table", "call_events", "--dry-run"]);
    let (_, forced) = refused(&["--table", "call_events", "--force"]);
    assert_eq!((code, text(&dry["code"])), (5, "schema_drift"), "{dry}");
    assert_eq!(dry, forced);
    assert!(text(&dry["message"]).contains("public.call_events does not exist in the target"));
    for part in ["your migrations", "--target-url"] {
        assert!(text(&dry["hint"]).contains(part), "{part}: {dry}");
    }
    for scope in ["nonsense=1", "tenant_id=x"] {
        let table = ["--table", "calls", "--force", "--scope", scope];
        let (code, error) = refused(&table);
        assert_eq!(
            (code, text(&error["code"])),
            (2, "nothing_selected"),
            "{error}"
        );
    }
    database.drop().await;
}

#[tokio::test]
async fn a_restore_that_changes_nothing_keeps_no_safety_backup() {
    let database = app().await;
    let shell = Shell::new().with("DATABASE_URL", url(&database));
    assert_eq!(shell.run(&["backup", "--name", "one"]).code, 0);
    let (code, done) = shell.json(&["restore", "--input", "one", "--force"]);
    assert_eq!((code, done["safetyBackup"].is_null()), (0, true), "{done}");
    assert_eq!(backups(&shell), 1);
    assert_eq!(shell.run(&["check", "one"]).code, 0, "its rows are there");
    database.drop().await;
}

#[tokio::test]
async fn another_database_gets_a_backup_with_definitions() {
    let (database, target) = (app().await, Database::create("cli_target").await);
    let shell = Shell::new().with("DATABASE_URL", url(&database));
    assert_eq!(shell.run(&["backup", "--name", "whole"]).code, 0);
    let tenant = shell.run(&["backup", "--name", "tenant", "--scope", "tenant_id=1"]);
    assert_eq!(tenant.code, 0, "{tenant:?}");
    assert!(tenant.err.contains("one tenant's rows alone"), "{tenant:?}");
    let target_url = url(&target);
    let restore = |input| shell.json(&["restore", "--input", input, "--target-url", &target_url]);
    let (code, refused) = restore("tenant");
    let error = &refused["error"];
    assert_eq!((code, text(&error["code"])), (5, "schema_missing"));
    assert!(text(&error["message"]).contains("\"tenant\""), "{refused}");
    assert!(text(&error["hint"]).contains("one tenant"), "{refused}");
    let rows = Shell::new()
        .with("DATABASE_URL", url(&database))
        .with("PG_DUMP", "/no/pg_dump");
    let store = shell.folder.path().join("backups");
    let store = store.to_str().unwrap();
    assert_eq!(
        rows.run(&["backup", "--name", "rows", "--store", store])
            .code,
        3
    );
    let (code, done) = restore("latest");
    assert_eq!(
        (code, text(&done["plan"]["backupName"])),
        (0, "whole"),
        "{done}"
    );
    database.drop().await;
    target.drop().await;
}

#[tokio::test]
async fn an_undo_says_what_it_left_and_is_called_by_digits() {
    let database = app().await;
    let shell = Shell::new().with("DATABASE_URL", url(&database));
    assert_eq!(shell.run(&["backup", "--name", "one"]).code, 0);
    run(&database, "UPDATE calls SET note = 'broken' WHERE id <= 2").await;
    let (_, done) = shell.json(&["restore", "--input", "one", "--force"]);
    let operation = text(&done["outcome"]["operation"]).to_string();
    run(&database, "UPDATE calls SET note = 'since' WHERE id = 1").await;
    let digits = &operation[operation.len() - 8..];
    let undo = ["restore", "--undo", digits, "--leave-changed", "--force"];
    let said = shell.run(&undo);
    assert_eq!(said.code, 3, "{said:?}");
    for part in [
        "1 row of public.calls changed since and was left",
        "counts as undone",
    ] {
        assert!(said.err.contains(part), "{part}: {said:?}");
    }
    let undone = shell.json(&["restore", "--list-undo"]).1;
    let undo = text(&undone["kept"][0]["operation"]["id"]).to_string();
    let first = &undo.replace('-', "")[24..28];
    assert_eq!(shell.run(&["restore", "--undo", first, "--force"]).code, 0);
    let forgotten = shell.run(&["restore", "--forget", "latest", "--force"]);
    assert_eq!(forgotten.code, 0, "{forgotten:?}");
    assert_eq!(
        shell.json(&["restore", "--undo", &operation, "--force"]).0,
        4
    );
    database.drop().await;
}

/// Times are RFC 3339 in UTC, and a schema looks the same in a list and alone.
#[tokio::test]
async fn json_has_one_shape() {
    let database = app().await;
    let shell = Shell::new().with("DATABASE_URL", url(&database));
    assert_eq!(shell.run(&["backup", "--name", "one"]).code, 0);
    let (listed, shown) = (shell.json(&["list"]).1, shell.json(&["show", "one"]).1);
    assert_eq!(shown["schema"]["status"], "captured");
    assert_eq!(listed["backups"][0]["schema"], shown["schema"]);
    let started = &shown["source"]["postmasterStartedAt"];
    run(&database, "INSERT INTO calls VALUES (5000, 1)").await;
    let planned = shell.json(&["restore", "--input", "one", "--dry-run"]).1;
    let tables = planned["plan"]["tables"].as_array().unwrap();
    let calls = tables.iter().find(|t| t["name"] == "calls").unwrap();
    assert_eq!(calls["removedBetween"][0], "2025-01-01T00:00:00Z");
    let started = chrono::DateTime::parse_from_rfc3339(text(started));
    assert!(started.is_ok(), "{}", shown["source"]);
    database.drop().await;
}

#[tokio::test]
async fn a_deletion_names_what_goes_and_a_backup_of_elsewhere_is_told() {
    let (database, other) = (app().await, app().await);
    let shell = Shell::new().with("DATABASE_URL", url(&database));
    assert_eq!(shell.run(&["backup", "--name", "one"]).code, 0);
    let elsewhere = Shell::new().with("DATABASE_URL", url(&other));
    let input = shell.folder.path().join("backups/one");
    let input = input.to_str().unwrap();
    let planned = elsewhere.run(&["restore", "--input", input, "--dry-run"]);
    for name in [database.url.database(), other.url.database()] {
        assert!(planned.out.contains(name), "{name}: {planned:?}");
    }
    let (code, done) = elsewhere.json(&["restore", "--input", input, "--force"]);
    assert_eq!(code, 0, "a moved database is no reason to warn: {done}");
    assert_eq!(done["plan"]["notes"][0]["code"], "another_source");
    let here = shell.run(&["restore", "--input", "one", "--dry-run"]);
    assert!(!here.out.contains("on server"), "{here:?}");
    let said = shell.run(&["delete", "latest", "--force"]);
    assert!(said.err.contains("Deleting one ("), "{said:?}");
    assert!(said.out.contains("Deleted one (") && said.out.contains("rovodev prune"));
    database.drop().await;
    other.drop().await;
}

#[tokio::test]
async fn flags_that_make_no_sense_together_are_refused() {
    let database = app().await;
    let shell = Shell::new().with("DATABASE_URL", url(&database));
    let config = shell.json(&["backup", "--type", "config", "--schema", "public"]);
    assert_eq!((config.0, text(&config.1["error"]["code"])), (2, "usage"));
    let two = shell.run(&["backup", "--table", "calls,call_events"]);
    assert!(two.err.contains("repeat the flag"), "{two:?}");
    assert_eq!(shell.run(&["backup", "--name", "one"]).code, 0);
    assert_eq!(shell.run(&["download", "one", "--file", "one.tar"]).code, 0);
    let listed = shell.command("tar").args(["-tf", "one.tar"]).output();
    assert!(listed.unwrap().status.success());
    let help = shell.run(&["restore", "-h"]).out;
    for flag in ["--list-undo", "--forget", "--leave-changed"] {
        assert!(help.contains(flag), "{flag}");
    }
    database.drop().await;
}

/// Keys of rows and ids are long: a refusal shows each once, and calls a restore as `--undo` takes it.
#[tokio::test]
async fn a_refusal_says_nothing_twice() {
    let database = app().await;
    let shell = Shell::new().with("DATABASE_URL", url(&database));
    assert_eq!(shell.run(&["backup", "--name", "one"]).code, 0);
    let newer =
        "INSERT INTO calls VALUES (987654, 1); INSERT INTO call_events VALUES (7000, 987654)";
    run(&database, newer).await;
    let restore = ["restore", "--input", "one", "--table", "calls", "--force"];
    let said = shell.run(&restore);
    assert_eq!(said.code, 5, "{said:?}");
    assert!(said.err.contains("error[missing_parent]"), "{said:?}");
    let told = said.out.clone() + &said.err;
    assert_eq!(told.matches("987654").count(), 1, "{told}");
    let error = shell.json(&restore).1["error"].clone();
    assert!(text(&error["message"]).contains("987654"), "{error}");

    run(&database, "DELETE FROM call_events WHERE id = 7000").await;
    let (code, done) = shell.json(&restore);
    assert_eq!(code, 0, "{done}");
    let operation = text(&done["outcome"]["operation"]).to_string();
    let undo = ["restore", "--undo", operation.as_str(), "--force"];
    assert_eq!(shell.run(&undo).code, 0);
    let (code, again) = shell.json(&undo);
    let error = &again["error"];
    assert_eq!(
        (code, text(&error["code"])),
        (5, "undo_conflict"),
        "{error}"
    );
    let message = text(&error["message"]);
    assert!(
        message.contains(&operation[28..]) && !message.contains(&operation),
        "{error}"
    );
    let hint = text(&error["hint"]);
    let digits = hint.split('`').nth(1).unwrap().rsplit(' ').next().unwrap();
    let back = shell.run(&["restore", "--undo", digits, "--force"]);
    assert_eq!(back.code, 0, "the hint's command works: {back:?}");
    database.drop().await;
}
