use super::{Shell, app, url};
use rovodev::ports::store::{S3Settings, Store};
use rovodev::tasks::Clock;
use rovodev::tasks::lease::Lease;
use std::net::TcpListener;
use std::time::{Duration, Instant};

#[tokio::test]
async fn tells_what_is_there() {
    let database = app().await;
    let shell = Shell::new().with("DATABASE_URL", url(&database));
    let (code, before) = shell.json(&["status"]);
    assert_eq!(code, 3, "{before}");
    assert_eq!(before["warnings"][0]["code"], "no_backup", "{before}");
    assert_eq!(shell.run(&["backup"]).code, 0);
    let (code, status) = shell.json(&["status", "--verbose"]);
    assert_eq!(
        (code, status["health"].as_str()),
        (0, Some("well")),
        "{status}"
    );
    assert_eq!(status["source"]["ok"]["tables"], 2);
    assert_eq!(status["source"]["ok"]["estimatedRows"], 1247);
    assert_eq!(
        status["source"]["ok"]["largestTables"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(status["store"]["ok"]["backups"], 1);
    let said = shell.run(&["status", "--verbose"]);
    for part in [
        "Database",
        "pg_dump",
        "Store",
        "Last backup",
        "public.calls",
        "DATABASE_URL",
    ] {
        assert!(said.out.contains(part), "{part} is missing: {}", said.out);
    }
    let (address, path) = (
        url::Url::parse(&url(&database)).unwrap(),
        &status["pgDump"]["ok"],
    );
    let shown = status["configuration"].as_array().unwrap().iter();
    let shown = shown
        .filter(|s| s["name"] == "DATABASE_URL")
        .map(|s| &s["value"]);
    let shown: Vec<_> = shown.map(|v| v.as_str().unwrap()).collect();
    let [shown] = shown[..] else {
        panic!("{status}")
    };
    for part in [
        address.host_str().unwrap(),
        &address.port().unwrap().to_string(),
        address.path(),
        address.username(),
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let password = address.password().unwrap();
    assert!(!status.to_string().contains(password) && !said.out.contains(password));
    let path = path["path"].as_str().unwrap();
    assert!(
        path.ends_with("pg_dump") && said.out.contains(path),
        "{}",
        said.out
    );
    database.drop().await;
}

/// A server that takes the connection and never says a word.
#[test]
fn names_the_part_that_hangs() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let shell = Shell::new().with("DATABASE_URL", format!("postgres://a:b@127.0.0.1:{port}/x"));
    let begun = Instant::now();
    let (code, status) = shell.json(&["status", "--timeout", "1"]);
    assert_eq!(
        (code, status["health"].as_str()),
        (6, Some("unreachable")),
        "{status}"
    );
    let error = &status["source"]["error"];
    assert_eq!(error["code"], "database_unreachable");
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("the database did not answer within 1s"),
        "{error}"
    );
    assert!(
        status["store"]["ok"].is_object(),
        "the store answers all the same: {status}"
    );
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[test]
fn says_what_is_not_set() {
    let (code, status) = Shell::new().json(&["status"]);
    assert_eq!(code, 3, "{status}");
    let told = status["source"]["error"]["message"].as_str().unwrap();
    assert_eq!(told, "DATABASE_URL is not set");
}

#[test]
fn the_example_file_is_made_from_the_settings() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/.env.example");
    let example = rovodev::config::example();
    if std::env::var_os("UPDATE_EXAMPLES").is_some() {
        std::fs::write(path, &example).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(path).unwrap(),
        example,
        "run the tests with UPDATE_EXAMPLES=1 to write .env.example"
    );
}

/// Codes of the warnings, the worst first told.
fn codes(status: &serde_json::Value) -> Vec<&str> {
    let warnings = status["warnings"].as_array().unwrap().iter();
    warnings.map(|w| w["code"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_last_backup_is_no_safety_backup() {
    let database = app().await;
    let shell = Shell::new().with("DATABASE_URL", url(&database));
    assert_eq!(shell.run(&["backup", "--name", "mine"]).code, 0);
    let breaking = "DELETE FROM call_events WHERE id = 1";
    let session = database.session().await;
    session.batch("breaking", breaking).await.unwrap();
    let restored = shell.run(&["restore", "--input", "mine", "--force"]);
    assert_eq!(restored.code, 0, "{restored:?}");
    let (_, status) = shell.json(&["status"]);
    assert_eq!(status["store"]["ok"]["backups"], 2, "{status}");
    assert_eq!(
        status["store"]["ok"]["lastBackup"]["name"], "mine",
        "{status}"
    );
    drop(session);
    database.drop().await;
}

#[tokio::test]
async fn a_part_is_no_backup_of_the_whole() {
    let database = app().await;
    let shell = Shell::new().with("DATABASE_URL", url(&database));
    let part = ["backup", "--table", "calls", "--name", "part"];
    assert_eq!(shell.run(&part).code, 0);
    let (code, status) = shell.json(&["status"]);
    assert_eq!(
        (code, codes(&status)),
        (3, vec!["partial_backup"]),
        "{status}"
    );
    let said = shell.run(&["status"]);
    assert!(said.out.contains("table public.calls alone"), "{said:?}");
    let said = shell.run(&["restore", "--input", "latest", "--dry-run"]);
    assert!(
        said.err.contains("holds table public.calls alone"),
        "{said:?}"
    );
    database.drop().await;
}

#[tokio::test]
async fn an_unreadable_newest_backup_is_told_and_latest_is_not_an_older_one() {
    let database = app().await;
    let shell = Shell::new().with("DATABASE_URL", url(&database));
    assert_eq!(shell.run(&["backup", "--name", "old"]).code, 0);
    let (_, newest) = shell.json(&["backup", "--name", "newest"]);
    let manifest = format!(
        "backups/backups/default/{}/manifest.json",
        newest["id"].as_str().unwrap()
    );
    std::fs::write(shell.folder.path().join(manifest), "{}").unwrap();
    let (code, status) = shell.json(&["status"]);
    assert_eq!(
        (code, codes(&status)),
        (3, vec!["latest_in_doubt"]),
        "{status}"
    );
    let restore = ["restore", "--input", "latest", "--force"];
    let refused = shell.run(&restore);
    assert_eq!(refused.code, 5, "{refused:?}");
    assert!(
        refused.err.contains("a newer backup cannot be read"),
        "{refused:?}"
    );
    assert_eq!(shell.run(&["restore", "--input", "old", "--force"]).code, 0);
    database.drop().await;
}

#[tokio::test]
async fn a_store_that_takes_no_backup_is_not_well() {
    let database = app().await;
    let key = "a long enough passphrase, 32 characters";
    let shell = Shell::new()
        .with("DATABASE_URL", url(&database))
        .with("STORE_KEY", key);
    assert_eq!(shell.run(&["backup"]).code, 0);
    assert_eq!(shell.run(&["status"]).code, 0);
    let other = Shell::new()
        .with("DATABASE_URL", url(&database))
        .with(
            "BACKUP_STORE",
            shell.folder.path().join("backups").to_str().unwrap(),
        )
        .with("STORE_KEY", "another long enough passphrase, as long");
    let (code, status) = other.json(&["status"]);
    assert_eq!(
        (code, codes(&status)),
        (3, vec!["store_key_mismatch"]),
        "{status}"
    );
    assert_eq!(status["store"]["ok"]["backups"], 1, "{status}");
    // Checking works without the key, but not all of it, and does not say that none is set.
    let said = other.run(&["check"]);
    assert_eq!(said.code, 3, "{said:?}");
    assert!(
        said.out
            .contains("STORE_KEY is not the key that this store was made with"),
        "{said:?}"
    );
    let (code, told) = other.json(&["init", "--check"]);
    let store = told["checks"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (code, store["verdict"].as_str()),
        (1, Some("failed")),
        "{told}"
    );
    // Neither root nor anybody else makes a folder there.
    for (place, expected) in [
        ("/proc/nope", (6, "store_missing")),
        ("/sys", (3, "store_read_only")),
    ] {
        let (code, status) = other.json(&["status", "--store", place]);
        assert_eq!(code, expected.0, "{place}: {status}");
        assert!(codes(&status).contains(&expected.1), "{place}: {status}");
    }
    database.drop().await;
}

#[tokio::test]
async fn a_role_that_may_not_read_is_not_well() {
    let database = app().await;
    let role = format!("cli_{}", uuid::Uuid::new_v4().simple());
    let session = database.session().await;
    let create = format!(
        "CREATE ROLE {role} LOGIN BYPASSRLS PASSWORD 'plain'; GRANT SELECT ON call_events TO {role}"
    );
    session.batch("making a role", &create).await.unwrap();
    let mut address = url::Url::parse(&url(&database)).unwrap();
    address.set_username(&role).unwrap();
    address.set_password(Some("plain")).unwrap();
    let shell = Shell::new().with("DATABASE_URL", address);
    let (code, status) = shell.json(&["status"]);
    assert_eq!(
        (code, codes(&status)),
        (3, vec!["permission_denied", "no_backup"]),
        "{status}"
    );
    assert_eq!(status["source"]["ok"]["unreadable"], 1);
    assert_eq!(status["source"]["ok"]["unreadableExample"], "public.calls");
    let (code, told) = shell.json(&["init", "--check"]);
    assert_eq!(
        (code, told["checks"][1]["verdict"].as_str()),
        (1, Some("failed")),
        "{told}"
    );
    let drop_role = format!("DROP OWNED BY {role}; DROP ROLE {role}");
    session
        .batch("dropping the role", &drop_role)
        .await
        .unwrap();
    drop(session);
    database.drop().await;
}

#[tokio::test]
async fn an_unfinished_restore_is_told() {
    let database = app().await;
    let shell = Shell::new().with("DATABASE_URL", url(&database));
    assert_eq!(shell.run(&["backup"]).code, 0);
    let marker = "CREATE SCHEMA \"rovodev_restore_0190f9a0-7e0b-7c3d-8a3f-3d8b2b1c4d5e\"; \
                  COMMENT ON SCHEMA \"rovodev_restore_0190f9a0-7e0b-7c3d-8a3f-3d8b2b1c4d5e\" IS 'restore of backup \"x\"'";
    let session = database.session().await;
    session
        .batch("what a killed restore leaves", marker)
        .await
        .unwrap();
    let (code, status) = shell.json(&["status"]);
    assert_eq!(
        (code, codes(&status)),
        (3, vec!["restore_unfinished"]),
        "{status}"
    );
    let lock = "SELECT pg_catalog.pg_advisory_lock(1919907695, 1)";
    session.query_one("restoring", lock, &[]).await.unwrap();
    let (_, status) = shell.json(&["status"]);
    assert_eq!(codes(&status), ["restore_running"], "{status}");
    drop(session);
    database.drop().await;
}

/// A backup that died holds the store for a while; so does a deletion. Whose it is, since when and until when is told.
#[tokio::test]
async fn tells_who_holds_the_store() {
    let database = app().await;
    let shell = Shell::new().with("DATABASE_URL", url(&database));
    assert_eq!(shell.run(&["backup"]).code, 0);
    assert_eq!(
        shell.json(&["status"]).1["store"]["ok"]["heldBy"],
        serde_json::json!([])
    );
    let place = shell.folder.path().join("backups");
    let store = Store::open(place.to_str().unwrap(), &S3Settings::default()).unwrap();
    let (clock, id) = (Clock::default(), uuid::Uuid::now_v7());
    // Dropped, not released: as a kill leaves it.
    drop(Lease::backup(&store, "default", id, &clock).await.unwrap());
    let (code, status) = shell.json(&["status"]);
    assert_eq!(code, 0, "a backup on its way is no illness: {status}");
    let found = &status["store"]["ok"];
    assert_eq!(found["backups"], 1, "{found}");
    let holder = &found["heldBy"][0];
    assert_eq!(
        (holder["holding"].as_str(), holder["backup"].as_str()),
        (Some("backup"), Some(id.to_string().as_str()))
    );
    let moment = |field: &str| {
        let text = holder[field].as_str().unwrap();
        chrono::DateTime::parse_from_rfc3339(text).unwrap()
    };
    let (since, until) = (moment("startedAt"), moment("until"));
    assert!(
        until > since && until - since <= chrono::TimeDelta::seconds(150),
        "{holder}"
    );
    let said = shell.run(&["status"]).out;
    let short = rovodev::tasks::backups::short_id(id);
    for part in [
        format!("held by backup {short}"),
        since.format("since %Y-%m-%d %H:%M:%S").to_string(),
        until.format("until %Y-%m-%d %H:%M:%S").to_string(),
    ] {
        assert!(said.contains(&part), "{part}: {said}");
    }
    let (code, refused) = shell.json(&["prune"]);
    let error = &refused["error"];
    assert_eq!(
        (code, error["code"].as_str()),
        (5, Some("store_busy")),
        "{refused}"
    );
    assert!(
        error["message"].as_str().unwrap().contains(&short),
        "{error}"
    );
    assert!(
        error["hint"]
            .as_str()
            .unwrap()
            .contains(&until.format("%H:%M:%S UTC").to_string()),
        "{error}"
    );
    database.drop().await;
}
