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
        format!("postgres://somebody@{PASSWORD}@127.0.0.1:1/x"),
        format!("postgres://somebody@{PASSWORD}:@127.0.0.1:1/x"),
        at("12/x@127.0.0.1:1/x"),
        format!("postgres://somebody:12/{PASSWORD}@127.0.0.1:1/x"),
        format!("postgres://somebody:12?{PASSWORD}@127.0.0.1:1/x"),
        format!("postgres://somebody:12/x?{PASSWORD}@127.0.0.1:1/x"),
        format!("postgres://somebody:12/x#{PASSWORD}@127.0.0.1:1/x"),
        format!("postgres://somebody:%{PASSWORD}@127.0.0.1:1/x"),
        format!("postgres:/somebody:{PASSWORD}@127.0.0.1:1/x"),
        format!("postgres://somebody@127.0.0.1:1/x?password=1&{PASSWORD}"),
        format!("host=127.0.0.1 port=1 user=somebody password={PASSWORD} dbname=x"),
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

/// Addresses of stores with keys in them, or a database's address at the store's place.
#[test]
fn no_store_shows_a_secret() {
    let addresses = [
        format!("s3://KEY:{PASSWORD}@bucket/prefix"),
        format!("s3://KEY:a/{PASSWORD}@bucket/prefix"),
        format!("https://KEY:{PASSWORD}@host/bucket"),
        format!("http://key:12/{PASSWORD}@host"),
        format!("http://:{PASSWORD}@host"),
        format!("postgres://somebody:{PASSWORD}@127.0.0.1/x"),
        format!("somebody:{PASSWORD}@127.0.0.1/x"),
        format!("host=h password={PASSWORD}"),
    ];
    let commands: &[&[&str]] = &[
        &["backup", "--type", "config"],
        &["list", "--json", "-vvv"],
        &["status", "--timeout", "1", "--verbose"],
        &["status", "--timeout", "1", "--verbose", "--json"],
        &["init", "--timeout", "1"],
        &["init", "--timeout", "1", "--check", "--json"],
    ];
    for address in &addresses {
        for arguments in commands {
            let database = "postgres://a:b@127.0.0.1:1/x";
            let store = Shell::new().with("BACKUP_STORE", address);
            let endpoint = Shell::new()
                .with("S3_ENDPOINT", address)
                .with("BACKUP_STORE", "s3://bucket");
            for shell in [store, endpoint] {
                let said = shell.with("DATABASE_URL", database).run(arguments);
                assert_ne!(said.code, 0, "{address} {arguments:?}");
                silent(&(said.out + &said.err), address, arguments);
            }
        }
        let restore = [
            "restore",
            "--input",
            &format!("{address}/latest"),
            "--dry-run",
        ];
        let said = Shell::new().run(&restore);
        silent(&(said.out + &said.err), address, &restore);
    }
}

fn silent(said: &str, url: &str, arguments: &[&str]) {
    assert!(!said.contains(PASSWORD), "{url} {arguments:?} says: {said}");
}
