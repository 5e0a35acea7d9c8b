//! The questions of `init`, on a real pseudo-terminal.

use super::terminal::Terminal;
use super::{Shell, app, url};
use rustix::process::{Pid, Signal, kill_process};

const SECRET: &str = "s3cr3t/p4ssword";

#[tokio::test]
async fn wrong_answers_are_asked_for_again() {
    let database = app().await;
    let shell = Shell::new();
    let file = shell.folder.path().join(".env");
    let address = url(&database);
    let mut person = Terminal::start(&shell, &["init"]);
    for (wrong, why) in [
        (String::new(), "does not start with postgres://"),
        (
            format!("postgres://me:{SECRET}@h/d"),
            "an @ stands behind the host",
        ),
        (
            format!("postgres://me:{SECRET}x@h:6543/d"),
            "cannot be read",
        ),
    ] {
        person.sees("Database URL");
        person.types_hidden(&format!("{wrong}\r"));
        person.sees(why);
    }
    person.sees("Database URL");
    person.types_hidden(&format!("{address}\r"));
    person.sees("Where backups go");
    person.types("s3://KEY:a/b@bucket\r");
    person.sees("names no bucket");
    // What was typed stays to be mended: Ctrl-U clears it.
    person.types("\u{15}./here\r");
    person.sees("Write this to .env?");
    person.types("y");
    person.sees("Ready.");
    let (code, shown) = person.ends();
    assert!([0, 3].contains(&code), "{shown}");
    let password = url::Url::parse(&address)
        .unwrap()
        .password()
        .unwrap()
        .to_string();
    assert!(
        !shown.contains(&password) && !shown.contains(SECRET),
        "{shown}"
    );
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(
        text.contains("BACKUP_STORE=./here") && text.contains("STORE_KEY="),
        "{text}"
    );
    database.drop().await;
}

#[tokio::test]
async fn nothing_is_written_without_a_yes() {
    let database = app().await;
    let shell = Shell::new();
    let file = shell.folder.path().join(".env");
    for answer in ["n", "\u{3}"] {
        let mut person = Terminal::start(&shell, &["init"]);
        person.sees("Database URL");
        person.types_hidden(&format!("{}\r", url(&database)));
        person.sees("Where backups go");
        person.types("\r");
        person.sees("Write this to .env?");
        person.types(answer);
        if answer == "n" {
            person.sees("What then?");
            person.sees("Stop");
            person.types("\u{1b}[B\r");
        }
        let (code, shown) = person.ends();
        assert_eq!(code, 130, "{answer:?}: {shown}");
        assert!(!file.exists(), "{answer:?}");
    }
    database.drop().await;
}

/// Who says no to what would be written changes an answer and keeps the others.
#[tokio::test]
async fn answers_are_kept_and_changed() {
    let database = app().await;
    let shell = Shell::new();
    let mut person = Terminal::start(&shell, &["init"]);
    person.sees("Database URL");
    person.types_hidden(&format!("{}\r", url(&database)));
    person.sees("Where backups go");
    person.types("./wrong\r");
    person.sees("Write this to .env?");
    person.types("n");
    person.sees("What then?");
    person.types("\r");
    person.sees("Database URL (Enter keeps");
    person.types_hidden("\r");
    person.sees("Where backups go");
    person.sees("./wrong");
    person.types("./right\r");
    person.sees("Write this to .env?");
    // Enter keeps what was answered.
    person.types("\r");
    let (code, shown) = person.ends();
    assert!([0, 3].contains(&code), "{shown}");
    let text = std::fs::read_to_string(shell.folder.path().join(".env")).unwrap();
    assert!(text.contains("BACKUP_STORE=./right"), "{text}");
    assert!(text.contains(&url(&database)), "{text}");
    assert!(!shell.folder.path().join("wrong").exists());
    database.drop().await;
}

#[tokio::test]
async fn what_env_holds_is_not_asked_for_and_kept() {
    let database = app().await;
    let shell = Shell::new();
    let file = shell.folder.path().join(".env");
    let before = format!("# mine\nDATABASE_URL={}\nOTHER=kept\n", url(&database));
    std::fs::write(&file, &before).unwrap();
    let mut person = Terminal::start(&shell, &["init"]);
    person.sees("Where backups go");
    person.types("./here\r");
    person.sees("+ BACKUP_STORE=./here");
    person.sees("Write this to .env?");
    person.types("y");
    let (code, shown) = person.ends();
    assert!([0, 3].contains(&code), "{shown}");
    assert!(!shown.contains("Database URL"), "{shown}");
    assert!(std::fs::read_to_string(&file).unwrap().starts_with(&before));
    database.drop().await;
}

/// While nothing is echoed, the terminal must not be left like that.
#[test]
fn an_interrupted_question_gives_the_terminal_back() {
    let shell = Shell::new();
    let mut person = Terminal::start(&shell, &["init"]);
    person.sees("Database URL");
    person.types_hidden("\u{3}");
    let (code, shown) = person.ends();
    assert_eq!(code, 130, "{shown}");
    assert!(person.echoes() && shown.contains("cancelled"), "{shown}");

    let mut person = Terminal::start(&shell, &["init"]);
    person.sees("Database URL");
    person.types_hidden("");
    kill_process(Pid::from_child(&person.child), Signal::TERM).unwrap();
    assert_eq!(person.ends().0, 130);
    assert!(person.echoes());
    assert!(!shell.folder.path().join(".env").exists());
}
