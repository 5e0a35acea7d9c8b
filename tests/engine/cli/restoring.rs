use super::{Shell, app, contents, url};
use crate::pg_dump::Database;

const BREAK: &str = "DELETE FROM call_events WHERE id <= 10; DELETE FROM calls WHERE id <= 10; \
                     UPDATE calls SET note = 'broken' WHERE id = 11; \
                     INSERT INTO calls SELECT g, 0, 'newer' FROM generate_series(2001, 2005) g";

async fn damage(database: &Database) {
    database
        .session()
        .await
        .batch("breaking", BREAK)
        .await
        .unwrap();
}

/// The commands of the seeds, word for word.
#[tokio::test]
async fn the_seeds_commands_work() {
    let database = app().await;
    let shell = Shell::new().with("DATABASE_URL", url(&database));
    let before = contents(&database).await;
    assert_eq!(shell.run(&["backup", "--compress"]).code, 0);
    damage(&database).await;
    assert_eq!(shell.run(&["status", "--verbose"]).code, 0);
    let said = shell.run(&["restore", "--input", "./backups/latest", "--force"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.out.contains("20 rows") || said.out.contains("10 rows added"),
        "{}",
        said.out
    );
    assert_eq!(contents(&database).await, before);
    assert_eq!(shell.json(&["status"]).0, 0);
    database.drop().await;
}

#[tokio::test]
async fn a_dry_run_leaves_nothing_behind() {
    let database = app().await;
    let shell = Shell::new().with("DATABASE_URL", url(&database));
    assert_eq!(shell.run(&["backup", "--name", "one"]).code, 0);
    damage(&database).await;
    let before = contents(&database).await;
    let (code, plan) = shell.json(&["restore", "--input", "one", "--dry-run"]);
    assert_eq!(code, 0, "{plan}");
    let calls = &plan["plan"]["tables"]
        .as_array()
        .unwrap()
        .iter()
        .find(|t| t["name"] == "calls")
        .unwrap()
        .clone();
    assert_eq!(
        (
            calls["add"].as_u64(),
            calls["change"].as_u64(),
            calls["remove"].as_u64()
        ),
        (Some(10), Some(1), Some(5))
    );
    assert_eq!(contents(&database).await, before);
    let schemas = "SELECT count(*) FROM pg_namespace WHERE nspname ~ '^(staging|undo)_'";
    let left: i64 = database
        .session()
        .await
        .query_one("looking", schemas, &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(left, 0);
    assert_eq!(shell.json(&["list"]).1["total"], 1, "no safety backup");
    database.drop().await;
}

#[tokio::test]
async fn a_restore_is_undone() {
    let database = app().await;
    let shell = Shell::new().with("DATABASE_URL", url(&database));
    assert_eq!(shell.run(&["backup", "--name", "one"]).code, 0);
    let whole = contents(&database).await;
    damage(&database).await;
    let broken = contents(&database).await;
    let (code, done) = shell.json(&["restore", "--input", "one", "--force"]);
    assert_eq!(code, 0, "{done}");
    assert_eq!(done["safetyBackup"]["trigger"], "safety");
    assert_eq!(done["outcome"]["rowsRemoved"], 5);
    assert_eq!(contents(&database).await, whole);
    let operation = done["outcome"]["operation"].as_str().unwrap();
    let (_, status) = shell.json(&["status"]);
    assert_eq!(status["undoable"]["ok"][0]["id"], operation, "{status}");
    let (code, undone) = shell.json(&["restore", "--undo", operation, "--force"]);
    assert_eq!(code, 0, "{undone}");
    assert_eq!(contents(&database).await, broken);
    let (code, again) = shell.json(&["restore", "--undo", "latest", "--force"]);
    assert_eq!(
        (code, again["error"]["code"].as_str()),
        (4, Some("operation_not_found")),
        "{again}"
    );
    database.drop().await;
}

#[tokio::test]
async fn configuration_files_come_back_when_asked_for() {
    let database = app().await;
    let shell = Shell::new().with("DATABASE_URL", url(&database));
    let file = shell.folder.path().join("vercel.json");
    std::fs::write(&file, "{\"a\":1}").unwrap();
    assert_eq!(shell.run(&["backup", "--name", "one"]).code, 0);
    std::fs::write(&file, "{\"a\":2}").unwrap();
    assert_eq!(shell.run(&["restore", "--input", "one", "--force"]).code, 0);
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        "{\"a\":2}",
        "not asked for"
    );
    let config = ["restore", "--input", "one", "--component", "config"];
    assert_eq!(shell.json(&config).0, 5);
    let (code, done) = shell.json(&[&config[..], &["--force"]].concat());
    assert_eq!((code, done["written"].as_u64()), (0, Some(1)), "{done}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "{\"a\":1}");
    database.drop().await;
}

#[tokio::test]
async fn the_own_database_is_no_other_database() {
    let database = app().await;
    let shell = Shell::new().with("DATABASE_URL", url(&database));
    assert_eq!(shell.run(&["backup", "--name", "one"]).code, 0);
    damage(&database).await;
    let before = contents(&database).await;
    let same = format!("{}?application_name=other", url(&database));
    let asked = [
        "restore",
        "--input",
        "one",
        "--target-url",
        &same,
        "--force",
    ];
    let (code, refused) = shell.json(&asked);
    let hint = refused["error"]["hint"].as_str().unwrap();
    assert_eq!(
        (code, refused["error"]["code"].as_str()),
        (5, Some("not_empty"))
    );
    assert!(hint.contains("Leave out --target-url"), "{refused}");
    assert_eq!(contents(&database).await, before);
    database.drop().await;
}

/// What is kept is listed and dropped by the command line alone.
#[tokio::test]
async fn kept_restores_are_listed_and_forgotten() {
    let database = app().await;
    let shell = Shell::new().with("DATABASE_URL", url(&database));
    assert_eq!(shell.run(&["backup", "--name", "one"]).code, 0);
    damage(&database).await;
    let (_, first) = shell.json(&["restore", "--input", "one", "--force"]);
    let first = first["outcome"]["operation"].as_str().unwrap().to_string();
    damage(&database).await;
    let (_, second) = shell.json(&["restore", "--input", "one", "--force"]);
    let second = second["outcome"]["operation"].as_str().unwrap().to_string();
    let (code, undone) = shell.json(&["restore", "--undo", "latest", "--force"]);
    assert_eq!(
        (code, undone["undone"]["id"].as_str()),
        (0, Some(second.as_str())),
        "{undone}"
    );
    let undoable = shell.json(&["status"]).1["undoable"]["ok"].clone();
    assert_eq!(
        (
            undoable.as_array().unwrap().len(),
            undoable[0]["id"].as_str()
        ),
        (1, Some(first.as_str()))
    );
    let listed = shell.json(&["restore", "--list-undo"]).1;
    let states: Vec<_> = listed["kept"]
        .as_array()
        .unwrap()
        .iter()
        .map(|k| k["state"].clone())
        .collect();
    assert_eq!(states, ["an undo", "undone", "can be undone"]);
    let said = shell.run(&["restore", "--list-undo"]);
    assert!(
        said.out.contains(&first) && said.out.contains("--forget OPERATION"),
        "{}",
        said.out
    );
    let (code, asked) = shell.json(&["restore", "--forget", &first]);
    assert_eq!(
        (code, asked["error"]["code"].as_str()),
        (5, Some("confirmation_needed"))
    );
    assert_eq!(
        shell.run(&["restore", "--forget", &first, "--force"]).code,
        0
    );
    assert_eq!(shell.json(&["restore", "--undo", &first, "--force"]).0, 4);
    let said = shell.run(&["restore", "--forget", "all", "--force"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        shell
            .run(&["restore", "--list-undo"])
            .out
            .contains("No restore is kept")
    );
    let nothing = shell.run(&["restore", "--forget", "all", "--force"]);
    assert_eq!(nothing.code, 0, "{nothing:?}");
    let (code, wrong) = shell.json(&["restore", "--input", "one", "--leave-changed", "--force"]);
    assert_eq!(
        (code, wrong["error"]["code"].as_str()),
        (2, Some("usage")),
        "{wrong}"
    );
    database.drop().await;
}

#[tokio::test]
async fn a_plan_says_what_would_be_refused_and_for_whom_it_is() {
    let database = app().await;
    let shell = Shell::new().with("DATABASE_URL", url(&database));
    assert_eq!(shell.run(&["backup", "--name", "one"]).code, 0);
    let newer = "INSERT INTO calls VALUES (5000, 1); INSERT INTO call_events VALUES (5000, 5000)";
    database
        .session()
        .await
        .batch("adding", newer)
        .await
        .unwrap();
    let chosen = [
        "restore", "--input", "one", "--table", "calls", "--mode", "exact",
    ];
    let said = shell.run(&[&chosen[..], &["--dry-run"]].concat());
    assert_eq!(said.code, 5, "{said:?}");
    for part in [
        "Refused: 1 row of public.call_events refers",
        "on 1 table while",
        "--table public.call_events",
    ] {
        assert!(said.out.contains(part), "{part}: {}", said.out);
    }
    let (code, refused) = shell.json(&[&chosen[..], &["--force"]].concat());
    assert_eq!(
        (code, refused["error"]["code"].as_str()),
        (5, Some("missing_parent")),
        "{refused}"
    );
    assert_eq!(shell.json(&["list"]).1["total"], 1, "no safety backup");
    let said = shell.run(&[
        "restore",
        "--input",
        "one",
        "--scope",
        "tenant_id=1",
        "--dry-run",
    ]);
    assert!(
        said.out
            .contains("in place, exact, only rows of tenant_id=1"),
        "{said:?}"
    );
    let events = [
        "restore",
        "--input",
        "one",
        "--scope",
        "tenant_id=1",
        "--table",
        "call_events",
        "--force",
    ];
    let said = shell.run(&events);
    assert!(
        said.code == 0 && said.out.contains("in 1 table"),
        "{said:?}"
    );
    database.drop().await;
}
