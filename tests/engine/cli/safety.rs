//! What the safety backup of a restore in place holds.

use super::{Shell, app, contents, url};
use serde_json::{Value, json};

async fn run(database: &crate::pg_dump::Database, sql: &str) {
    let session = database.session().await;
    session.batch("changing", sql).await.unwrap();
}

fn newest_safety(shell: &Shell) -> Value {
    let listed = shell.json(&["list"]).1;
    let mut all = listed["backups"].as_array().unwrap().iter();
    let safety = all.find(|b| b["trigger"] == "safety");
    safety.expect("a safety backup").clone()
}

/// A tenant whose rows are all gone is who needs a restore most: there is nothing to keep then, which is no error.
#[tokio::test]
async fn a_tenant_without_rows_gets_them_back_and_can_lose_them_again() {
    let database = app().await;
    let shell = Shell::new().with("DATABASE_URL", url(&database));
    let before = contents(&database).await;
    let taken = shell.run(&["backup", "--name", "tenant", "--scope", "tenant_id=1"]);
    assert_eq!(taken.code, 0, "{taken:?}");
    run(
        &database,
        "DELETE FROM call_events WHERE call_id % 2 = 1; DELETE FROM calls WHERE tenant_id = 1",
    )
    .await;
    let emptied = contents(&database).await;
    // A misspelt tenant is still refused.
    let wrong = shell.run(&["backup", "--scope", "tenant_id=1"]);
    assert_eq!(wrong.code, 2, "{wrong:?}");
    let (code, done) = shell.json(&["restore", "--input", "tenant", "--force"]);
    assert_eq!(code, 0, "{done}");
    assert_eq!(contents(&database).await, before);
    let safety = newest_safety(&shell);
    assert_eq!(safety["totals"]["rows"], 0, "{safety}");
    assert_eq!(
        safety["selection"]["scope"],
        json!({ "column": "tenant_id", "value": "1" })
    );
    let name = safety["name"].as_str().unwrap();
    let (code, done) = shell.json(&["restore", "--input", name, "--force"]);
    assert_eq!(code, 0, "{done}");
    assert_eq!(contents(&database).await, emptied);
    database.drop().await;
}

/// Tables that were chosen may not say whose their rows are, so all of the tenant's rows are kept.
#[tokio::test]
async fn a_tenants_rows_are_kept_and_nobody_elses() {
    let database = app().await;
    let shell = Shell::new().with("DATABASE_URL", url(&database));
    assert_eq!(shell.run(&["backup", "--name", "whole"]).code, 0);
    let scope = ["backup", "--name", "tenant", "--scope", "tenant_id=1"];
    assert_eq!(shell.run(&scope).code, 0);
    for input in [
        &["tenant"][..],
        &["tenant", "--table", "call_events"],
        &["whole", "--scope", "tenant_id=1"],
    ] {
        run(&database, "DELETE FROM call_events WHERE call_id = 1001").await;
        let (code, done) = shell.json(&[&["restore", "--force", "--input"][..], input].concat());
        assert_eq!(
            (code, &done["outcome"]["rowsAdded"]),
            (0, &json!(1)),
            "{done}"
        );
        let safety = newest_safety(&shell);
        assert_eq!(done["safetyBackup"]["id"], safety["id"]);
        // 573 calls of 1145, and 50 of their 51 events.
        assert_eq!(safety["totals"]["rows"], 573 + 50, "{input:?}: {safety}");
    }
    database.drop().await;
}
