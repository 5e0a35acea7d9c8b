//! Safety backups in lists, and undo by the table.

use super::{Shell, app, url};
use crate::pg_dump::Database;
use rovodev::ports::store::{S3Settings, Store};
use rovodev::tasks::Clock;
use rovodev::tasks::lease::Lease;

async fn restored(shell: &Shell, database: &Database) {
    let sql = "DELETE FROM call_events WHERE id = 1; UPDATE calls SET note = 'x' WHERE id = 2";
    database.run(sql).await;
    let said = shell.run(&["restore", "--input", "one", "--force"]);
    assert_eq!(said.code, 0, "{said:?}");
}

#[tokio::test]
async fn safety_backups_are_counted_below_the_list() {
    let database = app().await;
    let shell = Shell::new().with("DATABASE_URL", url(&database));
    let said = shell.run(&["list", "--safety"]);
    assert!(said.out.contains("No backups in"), "{said:?}");
    assert_eq!(shell.run(&["backup", "--name", "one"]).code, 0);
    let said = shell.run(&["list"]);
    assert!(!said.out.contains("safety"), "{said:?}");
    assert!(
        shell
            .run(&["list", "--safety"])
            .out
            .contains("No safety backups.")
    );
    for _ in 0..2 {
        restored(&shell, &database).await;
    }
    let said = shell.run(&["list", "--limit", "1"]);
    assert!(said.out.contains("  one "), "{said:?}");
    assert!(said.out.contains("And 2 safety backups"), "{said:?}");
    assert!(!said.out.contains("before-restore"), "{said:?}");
    let said = shell.run(&["list", "--safety"]);
    assert_eq!(said.out.matches("before-restore").count(), 2, "{said:?}");
    assert!(!said.out.contains("  one "), "{said:?}");
    let (_, all) = shell.json(&["list"]);
    let triggers: Vec<_> = all["backups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|b| &b["trigger"])
        .collect();
    assert_eq!(triggers, ["safety", "safety", "manual"], "{all}");
    assert_eq!(shell.json(&["show", "latest"]).1["name"], "one");
    database.drop().await;
}

/// The safety backup of a restore that changes nothing goes also while somebody else writes in the store.
#[tokio::test]
async fn nothing_is_left_over_where_the_store_is_held() {
    let database = app().await;
    let shell = Shell::new().with("DATABASE_URL", url(&database));
    assert_eq!(shell.run(&["backup", "--name", "one"]).code, 0);
    let place = shell.folder.path().join("backups");
    let store = Store::open(place.to_str().unwrap(), &S3Settings::default()).unwrap();
    let (clock, id) = (Clock::default(), uuid::Uuid::now_v7());
    let lease = Lease::backup(&store, "default", id, &clock).await.unwrap();
    let said = shell.run(&["restore", "--input", "one", "--force"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("nothing to change"), "{said:?}");
    let (_, all) = shell.json(&["list"]);
    assert_eq!(all["backups"].as_array().unwrap().len(), 1, "{all}");
    lease.release().await.unwrap();
    assert_eq!(shell.run(&["check"]).code, 0);
    database.drop().await;
}

#[tokio::test]
async fn an_undo_names_its_tables_and_latest_says_what_it_means() {
    let database = app().await;
    let shell = Shell::new().with("DATABASE_URL", url(&database));
    let undo = ["restore", "--undo", "latest"];
    let none = shell.run(&[&undo[..], &["--dry-run"]].concat());
    assert_eq!(none.code, 4, "{none:?}");
    assert!(none.err.contains("no restore is kept"), "{none:?}");
    assert_eq!(shell.run(&["backup", "--name", "one"]).code, 0);
    restored(&shell, &database).await;
    let dry = shell.run(&[&undo[..], &["--dry-run"]].concat());
    assert_eq!(dry.code, 0, "{dry:?}");
    let words = |name: &str| -> Vec<String> {
        let line = dry.out.lines().find(|l| l.starts_with(name));
        let line = line.unwrap_or_else(|| panic!("{name}: {dry:?}"));
        line.split_whitespace().map(String::from).collect()
    };
    assert_eq!(
        words("public.call_events"),
        ["public.call_events", "-", "-", "1"]
    );
    assert_eq!(words("public.calls"), ["public.calls", "-", "1", "-"]);
    let (_, done) = shell.json(&[&undo[..], &["--force"]].concat());
    let changes = done["outcome"]["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 2, "{done}");
    let again = shell.run(&[&undo[..], &["--force"]].concat());
    assert_eq!(again.code, 4, "{again:?}");
    assert!(again.err.contains("is undone already"), "{again:?}");
    database.drop().await;
}
