//! Until when a restore can be undone.

use super::{Shell, app, url};
use crate::pg_dump::Database;
use chrono::{DateTime, TimeDelta, Utc};

async fn run(database: &Database, sql: &str) {
    let session = database.session().await;
    session.batch("a test's statements", sql).await.unwrap();
}

#[tokio::test]
async fn a_restore_says_until_when_it_can_be_undone() {
    let database = app().await;
    let shell = Shell::new()
        .with("DATABASE_URL", url(&database))
        .with("ROVODEV_UNDO_DAYS", "30");
    assert_eq!(shell.run(&["backup", "--name", "one"]).code, 0);
    let planned = shell.json(&["restore", "--input", "one", "--dry-run"]).1;
    assert_eq!(planned["plan"]["undoDays"], 30, "{planned}");
    let nothing = shell.json(&["restore", "--input", "one", "--force"]).1;
    assert!(nothing["outcome"]["undoUntil"].is_null(), "{nothing}");

    run(&database, "DELETE FROM call_events WHERE id <= 10").await;
    let said = shell.run(&["restore", "--input", "one", "--force"]);
    let kept = shell.json(&["restore", "--list-undo"]).1["kept"][0]["operation"].clone();
    let until: DateTime<Utc> = kept["undoUntil"].as_str().unwrap().parse().unwrap();
    let left = until - Utc::now();
    assert!(
        left <= TimeDelta::days(30) && left > TimeDelta::days(29),
        "{left}"
    );
    let date = until.format("%Y-%m-%d %H:%M:%S UTC");
    let id = kept["id"].as_str().unwrap();
    let told = format!("Can be undone until {date}:  rovodev restore --undo {id}");
    assert!(said.out.contains(&told), "{said:?}");
    let listed = shell.run(&["restore", "--list-undo"]).out;
    assert!(
        listed.contains(&until.format("%Y-%m-%d").to_string()),
        "{listed}"
    );

    let undone = shell.json(&["restore", "--undo", id, "--force"]).1;
    assert!(undone["outcome"]["undoUntil"].is_string(), "{undone}");

    let wrong = shell.with("ROVODEV_UNDO_DAYS", "0");
    let refused = wrong.json(&["restore", "--input", "one", "--dry-run"]).1;
    assert_eq!(refused["error"]["code"], "config", "{refused}");
    let told = refused["error"]["message"].as_str().unwrap();
    assert!(told.contains("ROVODEV_UNDO_DAYS"), "{told}");
    database.drop().await;
}

#[tokio::test]
async fn prune_drops_what_was_kept_until_a_date_that_passed() {
    let database = app().await;
    let shell = Shell::new().with("DATABASE_URL", url(&database));
    assert_eq!(shell.run(&["backup", "--name", "one"]).code, 0);
    run(&database, "DELETE FROM call_events WHERE id <= 10").await;
    let restored = shell.json(&["restore", "--input", "one", "--force"]).1;
    let id = restored["outcome"]["operation"].as_str().unwrap();
    let schema = format!("undo_{}", id.replace('-', ""));
    let pruned = shell.json(&["prune"]).1;
    assert_eq!(pruned["undosDropped"].as_array().unwrap().len(), 0);
    run(
        &database,
        &format!("UPDATE {schema}.operation SET undo_until = now()"),
    )
    .await;
    let dry = shell.json(&["prune", "--dry-run"]).1;
    assert_eq!(dry["undosDropped"].as_array().unwrap().len(), 0);
    let said = shell.run(&["prune"]);
    assert!(said.out.contains("1 restore kept for an undo"), "{said:?}");
    let (code, gone) = shell.json(&["restore", "--undo", id, "--force"]);
    assert_eq!(
        (code, gone["error"]["code"].as_str()),
        (4, Some("operation_not_found"))
    );
    // The store is pruned all the same where the database does not answer.
    let away = shell.with("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none");
    let said = away.run(&["prune"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.err.contains("was not looked at"), "{said:?}");
    database.drop().await;
}
