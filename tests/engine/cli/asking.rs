//! Questions, on a real pseudo-terminal.

use super::{Shell, app, contents, url};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::Child;
use std::time::{Duration, Instant};

/// A program at a terminal, and a person who reads and types.
struct Terminal {
    child: Child,
    typing: File,
    shown: std::sync::mpsc::Receiver<u8>,
    seen: String,
}

impl Terminal {
    fn start(shell: &Shell, arguments: &[&str]) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let slave = OpenOptions::new()
            .read(true)
            .write(true)
            .open(name.to_str().unwrap())
            .unwrap();
        let mut command = shell.rovodev(arguments);
        command
            .env("TERM", "xterm")
            .stdin(slave.try_clone().unwrap())
            .stdout(slave.try_clone().unwrap())
            .stderr(slave);
        command.process_group(0);
        let child = command.spawn().unwrap();
        drop(command);
        let (mut reading, typing) = (File::from(master.try_clone().unwrap()), File::from(master));
        let (tell, shown) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 1024];
            // The terminal ends with an error once the program is gone.
            while let Ok(n) = reading.read(&mut bytes) {
                for b in &bytes[..n] {
                    let _ = tell.send(*b);
                }
            }
        });
        Self {
            child,
            typing,
            shown,
            seen: String::new(),
        }
    }

    /// Waits until the program has shown `text`.
    fn sees(&mut self, text: &str) {
        let begun = Instant::now();
        let mut bytes = std::mem::take(&mut self.seen).into_bytes();
        while !String::from_utf8_lossy(&bytes).contains(text) {
            let left = Duration::from_secs(60).saturating_sub(begun.elapsed());
            match self.shown.recv_timeout(left) {
                Ok(byte) => bytes.push(byte),
                Err(_) => panic!(
                    "waited for {text:?}, saw: {}",
                    String::from_utf8_lossy(&bytes)
                ),
            }
        }
    }

    fn types(&mut self, text: &str) {
        self.typing.write_all(text.as_bytes()).unwrap();
    }

    fn ends(mut self) -> i32 {
        self.child.wait().unwrap().code().unwrap_or(-1)
    }
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
    assert_eq!(person.ends(), 130);
    assert_eq!(contents(&database).await, changed, "declined");

    let mut person = Terminal::start(&shell, &arguments);
    person.sees("Type the backup's name");
    person.types("one\r");
    person.sees("Undo it with");
    assert_eq!(person.ends(), 0);
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
    // The list starts with the newest, a safety backup; what is preselected is the latest that is none.
    person.sees("safety");
    person.sees("full");
    person.types("\r");
    person.sees("How far?");
    person.types("\r");
    person.sees("Restore?");
    person.types("y");
    person.sees("Undo it with");
    assert_eq!(person.ends(), 0);
    assert_eq!(contents(&database).await, whole);
    database.drop().await;
}
