use super::{Shell, app, url};
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
        "(hidden)",
    ] {
        assert!(said.out.contains(part), "{part} is missing: {}", said.out);
    }
    assert!(
        said.out.lines().all(|l| l.chars().count() <= 100),
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
