//! Rows whose parents are gone: `--force` says nothing of them, a flag of their own does.

use super::{Shell, app, contents, url};

#[tokio::test]
async fn force_alone_is_refused_and_names_the_flag() {
    let database = app().await;
    let shell = Shell::new().with("DATABASE_URL", url(&database));
    assert_eq!(shell.run(&["backup", "--name", "one"]).code, 0);
    let session = database.session().await;
    let broken = "DELETE FROM call_events WHERE call_id <= 1003; DELETE FROM calls WHERE id = 1003";
    session.batch("breaking", broken).await.unwrap();
    let before = contents(&database).await;
    let restore = [
        "restore",
        "--input",
        "one",
        "--table",
        "call_events",
        "--force",
    ];
    let (code, refused) = shell.json(&restore);
    let error = &refused["error"];
    assert_eq!((code, error["code"].as_str()), (5, Some("missing_parent")));
    let hint = error["hint"].as_str().unwrap();
    assert!(hint.contains("--leave-out-orphans") && !hint.contains("--force"));
    assert_eq!(contents(&database).await, before);
    assert_eq!(
        shell.json(&["list"]).1["total"],
        1,
        "no safety backup of a refused restore"
    );
    let (code, done) = shell.json(&[&restore[..], &["--leave-out-orphans"]].concat());
    assert_eq!(code, 3, "rows were left out: {done}");
    assert_eq!(done["outcome"]["rowsAdded"], 2, "{done}");
    assert_eq!(done["plan"]["warnings"][0]["code"], "rows_left_out");
    database.drop().await;
}

#[test]
fn the_flag_is_of_a_restore_in_place() {
    let shell = Shell::new().with("DATABASE_URL", "postgres://u@127.0.0.1:1/d");
    for other in [
        &["--undo", "latest"][..],
        &["--list-undo"],
        &["--forget", "all"],
        &["--target-url", "postgres://u@127.0.0.1:1/e"],
    ] {
        let said = shell.run(&[&["restore", "--leave-out-orphans"][..], other].concat());
        assert_eq!(said.code, 2, "{other:?}: {said:?}");
        assert!(said.err.contains("--leave-out-orphans"), "{said:?}");
    }
}
