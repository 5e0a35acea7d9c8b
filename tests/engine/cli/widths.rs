//! Nothing is wider than the terminal that it is shown on, at 80 columns and at 60.

use super::screen::screen;
use super::terminal::Terminal;
use super::{Shell, app, url};

#[tokio::test]
async fn everything_fits_the_terminal_and_is_whole_in_a_pipe() {
    let database = app().await;
    let shell = Shell::new().with("DATABASE_URL", url(&database));
    let long = "a-name-that-somebody-made-much-longer-than-any-column-can-hold";
    assert_eq!(
        shell
            .run(&["backup", "--name", long, "--table", "calls"])
            .code,
        0
    );
    assert_eq!(shell.run(&["backup"]).code, 0);
    let sql = "DELETE FROM call_events WHERE id = 1; UPDATE calls SET note = 'x'; INSERT INTO calls VALUES (5000, 0)";
    database.run(sql).await;
    let restored = shell.run(&["restore", "--input", long, "--force"]);
    assert_eq!(restored.code, 0, "{restored:?}");
    for arguments in [
        &["list"][..],
        &["list", "--safety"],
        &["show", long],
        &["status", "--verbose"],
        &["restore", "--list-undo"],
        &["restore", "--input", "latest", "--dry-run"],
        &["restore", "--undo", "latest", "--dry-run"],
        &["delete", "nothing"],
    ] {
        for columns in [80, 60] {
            let (_, written) = Terminal::sized(&shell, arguments, columns).ends();
            for line in written.lines() {
                let line = screen(line.trim_end(), 1000);
                // An address or a folder is one word, and stays whole.
                let words = line.split_whitespace().map(|w| w.chars().count());
                let longest = words.max().unwrap_or(0) + 20;
                let width = line.chars().count();
                assert!(
                    width <= longest.max(columns.into()),
                    "{arguments:?} at {columns}: {width} in {line:?}"
                );
            }
        }
        let piped = shell.run(arguments);
        assert!(!piped.out.contains('…'), "{arguments:?}: {piped:?}");
    }
    let (_, narrow) = Terminal::sized(&shell, &["list"], 60).ends();
    assert!(
        narrow.contains("a-name") && narrow.contains('…'),
        "{narrow}"
    );
    let piped = shell.run(&["restore", "--list-undo"]).out;
    let id = shell.json(&["restore", "--list-undo"]).1["kept"][0]["operation"]["id"].clone();
    assert!(piped.contains(id.as_str().unwrap()), "{piped}");
    database.drop().await;
}
