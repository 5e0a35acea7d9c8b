//! Progress as it looks on a terminal, and colours.

use super::screen::screen;
use super::terminal::{CURSOR_HIDDEN, CURSOR_SHOWN, Terminal};
use super::{Shell, app, url};
use crate::pg_dump::Database;
use dialoguer::console::{measure_text_width, strip_ansi_codes};

/// Enough rows for some frames.
async fn larger(database: &Database) {
    let sql = "CREATE TABLE larger AS SELECT g AS id, md5(g::text) || md5((g + 1)::text) AS note \
               FROM generate_series(1, 200000) g; ALTER TABLE larger ADD PRIMARY KEY (id); ANALYZE";
    database
        .session()
        .await
        .batch("filling", sql)
        .await
        .unwrap();
}

/// What was drawn on the last line, one after the other; the terminal itself shows a Ctrl-C as `^C`.
fn frames(shown: &str) -> Vec<String> {
    let drawn = shown.split(['\r', '\n']).map(|f| {
        let text = strip_ansi_codes(f).replace("^C", "");
        text.trim_end().to_string()
    });
    drawn.filter(|f| !f.is_empty()).collect()
}

fn assert_calm(shown: &str, columns: usize, stages: &[&str]) {
    let bars: Vec<_> = frames(shown)
        .into_iter()
        .filter(|f| f.starts_with(|c: char| ('\u{2800}'..='\u{28ff}').contains(&c)))
        .collect();
    assert!(!bars.is_empty(), "no bar was drawn: {shown:?}");
    for frame in &bars {
        assert!(
            measure_text_width(frame) <= columns,
            "wider than the terminal: {frame:?}"
        );
        assert!(
            !frame.contains("0/0") && !frame.contains("0s left"),
            "{frame:?}"
        );
        assert!(
            frame.chars().nth(2).is_some_and(char::is_uppercase),
            "names its stage: {frame:?}"
        );
    }
    for stage in stages {
        assert!(
            bars.iter().any(|f| f.contains(stage)),
            "no {stage} among {bars:#?}"
        );
    }
    let left = screen(shown, columns);
    assert!(
        !left.contains([
            '\u{2800}', '%', '⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'
        ]),
        "a bar stays: {left}"
    );
    let hidden = shown.rfind(CURSOR_HIDDEN);
    assert!(
        hidden.is_none() || shown.rfind(CURSOR_SHOWN) > hidden,
        "the cursor is gone"
    );
}

#[tokio::test]
async fn bars_are_calm_at_every_width() {
    for columns in [80, 40] {
        let (database, other) = (app().await, Database::create("cli_bars").await);
        larger(&database).await;
        let shell = Shell::new().with("DATABASE_URL", url(&database));
        let run = |arguments: &[&str], stages: &[&str]| {
            let (code, shown) = Terminal::sized(&shell, arguments, columns).ends();
            if std::env::var_os("SHOW_FRAMES").is_some() {
                println!(
                    "{arguments:?} at {columns}\n{:#?}\n{}",
                    frames(&shown),
                    screen(&shown, columns.into())
                );
            }
            assert_eq!(code, 0, "{shown}");
            assert_calm(&shown, columns.into(), stages);
        };
        run(&["backup", "--name", "one"], &["Rows"]);
        let broken = "UPDATE larger SET note = 'x' WHERE id % 2 = 0";
        database
            .session()
            .await
            .batch("breaking", broken)
            .await
            .unwrap();
        run(&["restore", "--input", "one", "--force"], &["Staging rows"]);
        let target = url(&other);
        run(
            &[
                "restore",
                "--input",
                "one",
                "--target-url",
                &target,
                "--force",
            ],
            &["Rows"],
        );
        database.drop().await;
        other.drop().await;
    }
}

#[tokio::test]
async fn ctrl_c_clears_the_bar() {
    let database = app().await;
    let locker = database.session().await;
    let lock = "BEGIN; LOCK TABLE calls IN ACCESS EXCLUSIVE MODE";
    locker.batch("locking", lock).await.unwrap();
    let shell = Shell::new().with("DATABASE_URL", url(&database));
    let mut person = Terminal::sized(&shell, &["backup"], 80);
    person.sees("Connecting");
    person.types("\u{3}");
    let (code, shown) = person.ends();
    assert_eq!(code, 130, "{shown}");
    assert!(screen(&shown, 80).contains("Stopping cleanly"), "{shown:?}");
    assert_calm(&shown, 80, &["Connecting"]);
    drop(locker);
    database.drop().await;
}

#[tokio::test]
async fn a_dumb_terminal_gets_plain_text() {
    let database = app().await;
    let shell = Shell::new().with("DATABASE_URL", url(&database));
    let dumb = Shell::new()
        .with("DATABASE_URL", url(&database))
        .with("TERM", "dumb");
    for arguments in [&["backup"][..], &["show", "nope"], &["status"]] {
        let (_, shown) = Terminal::start(&dumb, arguments).ends();
        assert!(!shown.contains('\u{1b}'), "{arguments:?}: {shown:?}");
    }
    let (_, shown) = Terminal::start(&shell, &["show", "nope"]).ends();
    assert!(shown.contains("\u{1b}[31m"), "red on a terminal: {shown:?}");
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let plain = Shell::new().with(name, value);
        let (_, shown) = Terminal::start(&plain, &["show", "nope"]).ends();
        assert!(!shown.contains("\u{1b}["), "{name}: {shown:?}");
    }
    let (_, shown) = Terminal::start(&shell, &["show", "nope", "--no-color"]).ends();
    assert!(!shown.contains("\u{1b}["), "{shown:?}");
    database.drop().await;
}
