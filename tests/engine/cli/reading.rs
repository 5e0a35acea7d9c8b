//! What people read, word for word.

use super::{Shell, app, url};

/// Names that differ in every run, replaced by what they are.
fn steady() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    for (pattern, what) in [
        (
            r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
            "[id]",
        ),
        (
            r"\d{4}-\d\d-\d\d[ _T]\d\d[:-]\d\d[:-]\d\d([.-]\d{3}\d*)?(\+00| UTC|Z)?",
            "[time]",
        ),
        (r"(?m)^[0-9a-f]{8}\b", "[digits]"),
        (r", [0-9a-f]{8}\)", ", [digits])"),
        (r"(just now|\d+ (second|minute)s? ago)", "[age]"),
        (r"\d+\.\d seconds", "[took]"),
        (r"\d+\.\d+ [KM]iB", "[size]"),
        (r"\d+ B\b", "[size]"),
        (r"cli_[0-9a-f]{32}", "[database]"),
        (r"postgres://[^/]+/", "postgres://[server]/"),
        (r"PostgreSQL \d+\.\d+( \([^)]*\))?", "PostgreSQL [version]"),
        (r"(pg_dump +(version )?)\d+\.\d+", "${1}[version]"),
        (r"/\S+/backups", "[folder]/backups"),
        (r" +\[", " ["),
        (r"  +", "  "),
    ] {
        settings.add_filter(pattern, what);
    }
    settings
}

#[tokio::test]
async fn what_people_read() {
    let database = app().await;
    let shell = Shell::new().with("DATABASE_URL", url(&database));
    let _steady = steady().bind_to_scope();
    insta::assert_snapshot!("list-empty", shell.run(&["list"]).out);
    insta::assert_snapshot!("backup-done", shell.run(&["backup", "--name", "one"]).out);
    insta::assert_snapshot!("list-one", shell.run(&["list"]).out);
    insta::assert_snapshot!("show-one", shell.run(&["show", "one"]).out);
    insta::assert_snapshot!("check-good", shell.run(&["check"]).out);
    let segments = shell.folder.path().join("backups/segments");
    let folder = std::fs::read_dir(segments)
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let file = std::fs::read_dir(folder.path())
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    std::fs::write(file.path(), "garbage").unwrap();
    let said = shell.run(&["check"]);
    assert_eq!(
        said.err.matches("is not what was written").count(),
        0,
        "told once"
    );
    assert_eq!(said.out.matches("is not what was written").count(), 1);
    for part in [
        "  concerns    public.",
        "  in backups  ",
        " one",
        "The next backup writes damaged rows again",
    ] {
        assert!(said.out.contains(part), "{part}: {}", said.out);
    }
    assert_eq!(shell.run(&["backup"]).code, 0);
    assert_eq!(shell.run(&["check"]).code, 0, "the backup healed it");
    let breaking = "DELETE FROM call_events; UPDATE calls SET note = 'x' WHERE id = 1; INSERT INTO calls VALUES (5000, 0)";
    database
        .session()
        .await
        .batch("breaking", breaking)
        .await
        .unwrap();
    insta::assert_snapshot!(
        "plan",
        shell.run(&["restore", "--input", "one", "--dry-run"]).out
    );
    insta::assert_snapshot!("refused", shell.run(&["restore", "--input", "one"]).err);
    insta::assert_snapshot!(
        "restored",
        shell.run(&["restore", "--input", "one", "--force"]).out
    );
    insta::assert_snapshot!(
        "undone",
        shell.run(&["restore", "--undo", "latest", "--force"]).out
    );
    insta::assert_snapshot!("not-found", shell.run(&["show", "nope"]).err);
    database.drop().await;
}

#[tokio::test]
async fn lists_cut_no_name_in_a_pipe() {
    let database = app().await;
    let shell = Shell::new().with("DATABASE_URL", url(&database));
    let long = "a-name-that-somebody-made-much-longer-than-any-column-can-hold";
    for arguments in [
        &["backup", "--name", long][..],
        &["backup", "--type", "config", "--name", "one"],
    ] {
        assert_eq!(shell.run(arguments).code, 0);
    }
    for arguments in [&["list"][..], &["show", long], &["list", "--limit", "1"]] {
        let said = shell.run(arguments);
        let cut = said.out.contains('…');
        assert!(!cut, "{arguments:?}: {}", said.out);
    }
    let (_, both) = shell.json(&["list", "--limit", "1"]);
    assert_eq!(
        (
            both["total"].as_u64(),
            both["backups"].as_array().unwrap().len()
        ),
        (Some(2), 1)
    );
    database.drop().await;
}
