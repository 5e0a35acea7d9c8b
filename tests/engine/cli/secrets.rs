//! No password, in no message, whatever fails.

use super::{Shell, app, url};

const PASSWORD: &str = "s3cr3t-p4ssword";

#[tokio::test]
async fn no_failure_shows_a_password() {
    let database = app().await;
    let good = url(&database);
    let host = url::Url::parse(&good).unwrap();
    let port = host.port().unwrap_or(5432);
    let at = |rest: &str| format!("postgres://somebody:{PASSWORD}@{rest}");
    let urls = [
        at(&format!("127.0.0.1:{port}/postgres")),
        at("127.0.0.1:1/x"),
        at("no-such-host.invalid:5432/x"),
        at("127.0.0.1:6543/x"),
        at("127.0.0.1:5432"),
        at("127.0.0.1:5432/x?sslmode=sideways"),
        at("127.0.0.1:5432/x?options=-c"),
        at("127.0.0.1:99999/x"),
        format!("mysql://somebody:{PASSWORD}@127.0.0.1/x"),
        format!("postgres://somebody:{PASSWORD} @127.0.0.1/x"),
        PASSWORD.to_string(),
    ];
    let taken = Shell::new().with("DATABASE_URL", &good);
    assert_eq!(taken.run(&["backup", "--name", "one"]).code, 0);
    let store = taken.folder.path().join("backups").display().to_string();
    let commands: &[&[&str]] = &[
        &["backup"],
        &["backup", "--json", "-vvv"],
        &["status", "--timeout", "2", "--verbose"],
        &["status", "--timeout", "2", "--json", "-vvv"],
        &["init", "--timeout", "2"],
        &["init", "--timeout", "2", "--check", "--json"],
        &["restore", "--input", "one", "--force"],
        &["restore", "--input", "one", "--force", "--json", "-vvv"],
        &["restore", "--undo", "latest", "--force"],
    ];
    for bad in &urls {
        for arguments in commands {
            let shell = Shell::new()
                .with("DATABASE_URL", bad)
                .with("BACKUP_STORE", &store)
                .with("STORE_KEY", PASSWORD)
                .with("AWS_SECRET_ACCESS_KEY", PASSWORD);
            let said = shell.run(arguments);
            assert_ne!(said.code, 0, "{bad} {arguments:?}");
            silent(&said.out, bad, arguments);
            silent(&said.err, bad, arguments);
        }
        let target: &[&str] = &["restore", "--input", "one", "--force", "--target-url", bad];
        let said = taken.run(target);
        assert_ne!(said.code, 0);
        silent(&(said.out + &said.err), bad, target);
    }
    database.drop().await;
}

fn silent(said: &str, url: &str, arguments: &[&str]) {
    assert!(!said.contains(PASSWORD), "{url} {arguments:?} says: {said}");
}
