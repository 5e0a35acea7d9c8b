//! Ctrl-C and SIGTERM: the first stops cleanly, the second ends at once. And waiting for the store.

use super::{Said, Shell, app, url};
use crate::pg_dump::Database;
use local::s3::{Credentials, S3};
use rovodev::ports::postgres::Session;
use rovodev::ports::store::{S3Settings, Store};
use rovodev::tasks::Clock;
use rovodev::tasks::lease::Lease;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A session that holds a lock which every backup needs.
async fn locker(database: &Database) -> Session {
    let session = database.session().await;
    let lock = "BEGIN; LOCK TABLE calls IN ACCESS EXCLUSIVE MODE";
    session.batch("locking", lock).await.unwrap();
    session
}

/// One that was stopped before may still be waiting for a moment.
async fn until(locker: &Session, waiting: bool) {
    let waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND database = \
                 (SELECT oid FROM pg_database WHERE datname = current_database())";
    let begun = Instant::now();
    loop {
        let row = locker.query_one("looking", waits, &[]).await.unwrap();
        if (row.get::<_, i64>(0) > 0) == waiting {
            return;
        }
        assert!(
            begun.elapsed().as_secs() < 60,
            "waiting for the lock was never {waiting}"
        );
        tokio::task::yield_now().await;
    }
}

fn start(shell: &Shell, arguments: &[&str]) -> Child {
    let mut command = shell.rovodev(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// Reads what the child says on stderr until `text` comes.
fn hears(errors: &mut impl BufRead, text: &str) {
    let mut heard = String::new();
    while !heard.contains(text) {
        let n = errors.read_line(&mut heard).unwrap();
        assert_ne!(n, 0, "{text:?} never came: {heard}");
    }
}

#[tokio::test]
async fn sigterm_stops_as_cleanly_as_ctrl_c() {
    let database = app().await;
    let locker = locker(&database).await;
    let shell = Shell::new().with("DATABASE_URL", url(&database));
    for arguments in [&["backup"][..], &["backup", "--json"]] {
        until(&locker, false).await;
        let child = start(&shell, arguments);
        until(&locker, true).await;
        send(&child, Signal::TERM);
        let said: Said = child.wait_with_output().unwrap().into();
        assert_eq!(said.code, 130, "{said:?}");
        assert!(said.err.contains("Stopping cleanly"), "{said:?}");
        let told = if arguments.len() == 1 {
            &said.err
        } else {
            &said.out
        };
        assert!(told.contains("cancelled"), "{said:?}");
        assert_eq!(shell.json(&["list"]).1["total"], 0);
    }
    locker.batch("ending", "ROLLBACK").await.unwrap();
    assert_eq!(shell.run(&["backup"]).code, 0, "nothing stands in the way");
    drop(locker);
    database.drop().await;
}

/// Passes everything on to `server` until it is frozen; then nothing goes up any more.
fn freezable(server: String) -> (String, Arc<AtomicBool>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let frozen = Arc::new(AtomicBool::new(false));
    let seen = frozen.clone();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (client, server) = (client.unwrap(), TcpStream::connect(&server).unwrap());
            for end in [&client, &server] {
                end.set_nodelay(true).unwrap();
            }
            let (up, down) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            let open = seen.clone();
            std::thread::spawn(move || pass_on(up, server, || !open.load(Ordering::SeqCst)));
            std::thread::spawn(move || pass_on(down, client, || true));
        }
    });
    (format!("http://{address}"), frozen)
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, open: impl Fn() -> bool) {
    let mut bytes = [0; 16 << 10];
    while let Ok(n @ 1..) = from.read(&mut bytes) {
        if open() && to.write_all(&bytes[..n]).is_err() {
            return;
        }
    }
}

/// The clean stop hangs, since the store that must give the claim back does not answer.
#[tokio::test]
async fn a_second_signal_ends_at_once_and_says_what_may_be_left() {
    let database = app().await;
    let folder = tempfile::tempdir().unwrap();
    let s3 = S3::start(folder.path(), None, Credentials::random()).unwrap();
    s3.create_bucket("stopping").unwrap();
    for arguments in [&["backup"][..], &["backup", "--json"]] {
        let locker = locker(&database).await;
        let server = s3.endpoint().trim_start_matches("http://").to_string();
        let (endpoint, frozen) = freezable(server);
        let shell = Shell::new()
            .with("DATABASE_URL", url(&database))
            .with("S3_ENDPOINT", endpoint)
            .with("AWS_ACCESS_KEY_ID", &s3.credentials().key)
            .with("AWS_SECRET_ACCESS_KEY", &s3.credentials().secret)
            .with("BACKUP_STORE", format!("s3://stopping/{}", arguments.len()));
        until(&locker, false).await;
        let mut child = start(&shell, arguments);
        until(&locker, true).await;
        frozen.store(true, Ordering::SeqCst);
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        send(&child, Signal::INT);
        hears(&mut errors, "Ctrl-C again");
        let asked = Instant::now();
        send(&child, Signal::INT);
        let output = child.wait_with_output().unwrap();
        assert!(
            asked.elapsed() < Duration::from_secs(20),
            "the store's limit is 30 s"
        );
        let mut told = String::from_utf8(output.stdout).unwrap();
        if arguments.len() > 1 {
            assert_eq!(told.lines().count(), 1, "one object: {told}");
        }
        errors.read_to_string(&mut told).unwrap();
        assert_eq!(output.status.code(), Some(130), "{told}");
        assert!(
            told.contains("cancelled") && told.contains("rovodev prune"),
            "{told}"
        );
        locker.batch("ending", "ROLLBACK").await.unwrap();
    }
    database.drop().await;
}

#[tokio::test]
async fn a_backup_waits_for_the_store_when_told_to() {
    let database = app().await;
    let shell = Shell::new().with("DATABASE_URL", url(&database));
    assert_eq!(shell.run(&["backup"]).code, 0);
    let place = shell.folder.path().join("backups");
    let store = Store::open(place.to_str().unwrap(), &S3Settings::default()).unwrap();
    let lease = Lease::prune(&store, &Clock::default()).await.unwrap();
    let (code, refused) = shell.json(&["backup"]);
    assert_eq!(
        (code, refused["error"]["code"].as_str()),
        (5, Some("store_busy"))
    );
    assert!(
        refused["error"]["hint"]
            .as_str()
            .unwrap()
            .contains("--wait"),
        "{refused}"
    );

    let mut stopped = start(&shell, &["backup", "--wait"]);
    let mut errors = BufReader::new(stopped.stderr.take().unwrap());
    hears(&mut errors, "waiting until it is done");
    send(&stopped, Signal::INT);
    assert_eq!(
        stopped.wait().unwrap().code(),
        Some(130),
        "waiting can be stopped"
    );

    let mut waiting = start(&shell, &["backup", "--wait"]);
    let mut errors = BufReader::new(waiting.stderr.take().unwrap());
    hears(&mut errors, "waiting until it is done");
    lease.release().await.unwrap();
    assert_eq!(waiting.wait().unwrap().code(), Some(0));
    assert_eq!(shell.json(&["list"]).1["total"], 2);
    database.drop().await;
}
