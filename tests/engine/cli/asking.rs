//! Questions, on a real pseudo-terminal.

use super::terminal::{CURSOR_HIDDEN, CURSOR_SHOWN, Terminal};
use super::{Shell, app, contents, url};
use crate::pg_dump::Database;

async fn broken(database: &Database) {
    let sql = "DELETE FROM calls WHERE id = 1";
    database.run(sql).await;
}

/// Schemas that a restore leaves while it waits, or once it is done.
async fn left_behind(database: &Database) -> i64 {
    let sql = "SELECT count(*) FROM pg_namespace WHERE nspname ~ '^(staging|undo)_'";
    let session = database.session().await;
    session.query_one("looking", sql, &[]).await.unwrap().get(0)
}

fn cursor_is_back(shown: &str) {
    let hidden = shown.rfind(CURSOR_HIDDEN);
    assert!(
        hidden.is_none() || shown.rfind(CURSOR_SHOWN) > hidden,
        "{shown:?}"
    );
}

#[tokio::test]
async fn rows_are_removed_only_after_the_name_is_typed() {
    let database = app().await;
    let shell = Shell::new().with("DATABASE_URL", url(&database));
    assert_eq!(shell.run(&["backup", "--name", "one"]).code, 0);
    let whole = contents(&database).await;
    let newer = "INSERT INTO calls VALUES (5000, 0)";
    database
        .session()
        .await
        .batch("adding", newer)
        .await
        .unwrap();
    let changed = contents(&database).await;
    let arguments = ["restore", "--input", "one", "--mode", "exact"];

    let mut person = Terminal::start(&shell, &arguments);
    person.sees("Type the backup's name");
    person.types("yes\r");
    person.sees("that is not \"one\"");
    // Ctrl-U takes back what is still in the line.
    person.types("\u{15}\r");
    assert_eq!(person.ends().0, 130);
    assert_eq!(contents(&database).await, changed, "declined");

    let mut person = Terminal::start(&shell, &arguments);
    person.sees("Type the backup's name");
    person.types("one\r");
    person.sees("Can be undone until");
    assert_eq!(person.ends().0, 0);
    assert_eq!(contents(&database).await, whole);
    database.drop().await;
}

#[tokio::test]
async fn what_is_missing_is_asked_for() {
    let database = app().await;
    let shell = Shell::new().with("DATABASE_URL", url(&database));
    assert_eq!(shell.run(&["backup", "--name", "one"]).code, 0);
    let whole = contents(&database).await;
    database
        .session()
        .await
        .batch("breaking", "DELETE FROM calls WHERE id = 1")
        .await
        .unwrap();
    let safety = shell.run(&["restore", "--input", "one", "--force"]);
    assert_eq!(safety.code, 0, "{safety:?}");
    database
        .session()
        .await
        .batch("breaking", "DELETE FROM calls WHERE id = 1")
        .await
        .unwrap();
    let mut person = Terminal::start(&shell, &["restore"]);
    person.sees("Which backup?");
    // What is preselected is the latest; the safety backup is newer and comes last.
    person.sees("full");
    person.sees("safety");
    person.types("\r");
    // Rows come back and nothing else: every mode does the same, so that none is asked for.
    person.sees("Restore?");
    person.types("y");
    person.sees("Can be undone until");
    let (code, shown) = person.ends();
    assert_eq!(code, 0);
    assert!(!shown.contains("How far?"), "{shown}");
    assert_eq!(contents(&database).await, whole);
    database.drop().await;
}

/// The plan comes first, and the question says what each mode would do: Enter is what scripts get.
#[tokio::test]
async fn the_mode_is_asked_for_with_the_plan_before_it() {
    let database = app().await;
    let shell = Shell::new().with("DATABASE_URL", url(&database));
    assert_eq!(shell.run(&["backup", "--name", "one"]).code, 0);
    let sql = "DELETE FROM calls WHERE id = 1; UPDATE calls SET note = 'x' WHERE id = 2; \
               INSERT INTO calls VALUES (5000, 0)";
    let session = database.session().await;
    session.batch("breaking", sql).await.unwrap();
    let told = [
        "exact       1 row back, 1 changed back, 1 removed",
        "keep-newer  1 row back, 1 changed back; none removed",
        "missing     1 row back; none changed, none removed",
    ];
    let said = shell.run(&["restore", "--input", "one", "--dry-run"]);
    for mode in told {
        assert!(said.out.contains(mode), "{mode}: {said:?}");
    }
    let said = shell.run(&["restore", "--input", "one", "--dry-run", "--mode", "exact"]);
    assert!(!said.out.contains("keep-newer"), "it was said: {said:?}");
    let rows = "SELECT count(*), count(*) FILTER (WHERE note = 'x'), count(*) FILTER (WHERE id = 5000) FROM calls";
    for (keys, answer, left) in [
        ("\u{1b}[B\u{1b}[B\r", "y", (1146_i64, 1_i64, 1_i64)),
        ("\r", "one\r", (1145, 0, 0)),
    ] {
        let mut person = Terminal::start(&shell, &["restore", "--input", "one"]);
        person.sees("in place, exact:");
        person.sees("How far?");
        for mode in told {
            person.sees(mode.split_whitespace().next().unwrap());
        }
        person.types(keys);
        match answer {
            "y" => {
                person.sees("in place, missing rows:");
                person.sees("Restore?");
            }
            _ => person.sees("Type the backup's name"),
        }
        person.types(answer);
        person.sees("Can be undone until");
        let (code, shown) = person.ends();
        assert_eq!(code, 0, "{shown}");
        let row = session.query_one("counting", rows, &[]).await.unwrap();
        assert_eq!((row.get(0), row.get(1), row.get(2)), left);
    }
    drop(session);
    database.drop().await;
}

#[tokio::test]
async fn a_restore_is_no_by_default_and_leaves_nothing_then() {
    let database = app().await;
    let shell = Shell::new().with("DATABASE_URL", url(&database));
    assert_eq!(shell.run(&["backup", "--name", "one"]).code, 0);
    broken(&database).await;
    let before = contents(&database).await;
    for answer in ["\r", "n", "\u{3}"] {
        let arguments = ["restore", "--input", "one", "--mode", "missing"];
        let mut person = Terminal::start(&shell, &arguments);
        person.sees("public.calls");
        person.sees("Restore?");
        person.types(answer);
        let (code, shown) = person.ends();
        assert_eq!(code, 130, "{answer:?}: {shown}");
        assert_eq!(
            shell.json(&["list"]).1["total"],
            1,
            "no safety backup: {shown}"
        );
        cursor_is_back(&shown);
        assert_eq!(contents(&database).await, before);
        assert_eq!(left_behind(&database).await, 0, "{answer:?}");
    }
    database.drop().await;
}

#[tokio::test]
async fn the_picker_takes_arrows_and_lets_go() {
    let database = app().await;
    let shell = Shell::new().with("DATABASE_URL", url(&database));
    for name in ["older", "newer"] {
        assert_eq!(shell.run(&["backup", "--name", name]).code, 0);
    }
    for key in ["\u{3}", "q"] {
        let mut person = Terminal::start(&shell, &["restore"]);
        person.sees("Which backup?");
        person.sees("older");
        person.types(key);
        let (code, shown) = person.ends();
        assert_eq!(code, 130, "{key:?}: {shown}");
        cursor_is_back(&shown);
        assert!(person.echoes());
    }
    let mut person = Terminal::start(&shell, &["restore", "--dry-run"]);
    person.sees("Which backup?");
    person.sees("older");
    person.types("\u{1b}[B\r");
    person.sees("Restoring older");
    assert_eq!(person.ends().0, 0);
    database.drop().await;
}

#[tokio::test]
async fn deleting_is_asked_for() {
    let database = app().await;
    let shell = Shell::new().with("DATABASE_URL", url(&database));
    assert_eq!(shell.run(&["backup", "--name", "one"]).code, 0);
    for (answer, code, left) in [("\r", 130, 1), ("\u{3}", 130, 1), ("y", 0, 0)] {
        let mut person = Terminal::start(&shell, &["delete", "one"]);
        person.sees("Delete one (");
        person.sees("for good?");
        person.types(answer);
        let (ended, shown) = person.ends();
        assert_eq!(ended, code, "{answer:?}: {shown}");
        cursor_is_back(&shown);
        assert_eq!(shell.json(&["list"]).1["total"], left, "{answer:?}");
    }
    database.drop().await;
}

#[tokio::test]
async fn undoing_is_asked_for() {
    let database = app().await;
    let shell = Shell::new().with("DATABASE_URL", url(&database));
    assert_eq!(shell.run(&["backup", "--name", "one"]).code, 0);
    broken(&database).await;
    assert_eq!(shell.run(&["restore", "--input", "one", "--force"]).code, 0);
    let restored = contents(&database).await;
    let mut person = Terminal::start(&shell, &["restore", "--undo", "latest"]);
    person.sees("Undo the restore of one");
    person.sees("Go on?");
    person.types("\r");
    assert_eq!(person.ends().0, 130);
    assert_eq!(contents(&database).await, restored);
    database.drop().await;
}
