//! Stores that cannot be: what is wrong, where, and what to do.

use super::Shell;

#[test]
fn places_that_cannot_be_a_store() {
    let shell = Shell::new();
    std::fs::write(shell.folder.path().join("file"), "x").unwrap();
    for place in ["/proc/nope", "./file", "./file/below"] {
        let named = place.trim_start_matches("./");
        // A place that is not there yet may just wait for its first backup, as far as a list can tell.
        let commands = [&["backup", "--type", "config"][..], &["check"], &["list"]];
        for arguments in &commands[..if place == "/proc/nope" { 2 } else { 3 }] {
            let arguments = [*arguments, &["--store", place]].concat();
            let (code, value) = shell.json(&arguments);
            let error = &value["error"];
            let kind = (code, error["code"].as_str());
            assert_eq!(kind, (6, Some("store_missing")), "{arguments:?}: {value}");
            assert!(
                error["message"].as_str().unwrap().contains(named),
                "{value}"
            );
            assert!(error["hint"].is_string(), "{value}");
        }
        let (_, told) = shell.json(&["init", "--check", "--store", place]);
        let checks = told["checks"].as_array().unwrap();
        let store = checks.iter().find(|c| c["name"] == "store").unwrap();
        assert!(store["message"].as_str().unwrap().contains(named), "{told}");
        assert!(store["hint"].is_string(), "{told}");
    }
}

/// The directory is made by the first backup; a bucket is there and empty.
#[tokio::test]
async fn before_the_first_backup_there_is_nothing_and_nothing_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let s3 = local::s3::S3::start(folder.path(), None, local::s3::Credentials::random()).unwrap();
    s3.create_bucket("empty").unwrap();
    let shell = Shell::new()
        .with("S3_ENDPOINT", s3.endpoint())
        .with("AWS_ACCESS_KEY_ID", &s3.credentials().key)
        .with("AWS_SECRET_ACCESS_KEY", &s3.credentials().secret);
    std::fs::create_dir(shell.folder.path().join("made")).unwrap();
    for store in ["./missing", "./made", "s3://empty/prefix"] {
        let (code, listed) = shell.json(&["list", "--store", store]);
        assert_eq!(
            (code, &listed["total"]),
            (0, &0.into()),
            "{store}: {listed}"
        );
        assert_eq!(listed["backups"], serde_json::json!([]), "{store}");
        let said = shell.run(&["list", "--store", store]);
        for part in [
            "No backups in",
            store.trim_start_matches("./"),
            "rovodev backup",
            "BACKUP_STORE",
        ] {
            assert!(said.out.contains(part), "{part}: {said:?}");
        }
        let (code, shown) = shell.json(&["show", "latest", "--store", store]);
        let error = &shown["error"];
        assert_eq!(
            (code, error["code"].as_str()),
            (4, Some("backup_not_found")),
            "{shown}"
        );
        assert!(
            error["hint"].as_str().unwrap().contains("rovodev backup"),
            "{shown}"
        );
        let (_, status) = shell.json(&["status", "--store", store]);
        assert_eq!(status["store"]["ok"]["backups"], 0, "{status}");
        assert!(status["store"]["ok"]["lastBackup"].is_null(), "{status}");
    }
    assert!(
        !shell.folder.path().join("missing").exists(),
        "looking makes nothing"
    );
    let (code, missing) = shell.json(&["list", "--store", "s3://nowhere"]);
    assert_eq!(
        (code, missing["error"]["code"].as_str()),
        (6, Some("store_missing"))
    );
}

/// A server that refuses connections: the tests' own port, closed again.
fn refused() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[test]
fn an_s3_that_does_not_answer_is_named_once() {
    let endpoint = refused();
    let shell = Shell::new()
        .with("S3_ENDPOINT", &endpoint)
        .with("BACKUP_STORE", "s3://bucket/prefix");
    let said = shell.run(&["list"]);
    assert_eq!((said.code, said.out.as_str()), (6, ""), "{said:?}");
    for part in [
        "error[store_unreachable]",
        "s3://bucket/prefix",
        &endpoint,
        "(tried 5 times)",
        "S3_ENDPOINT",
    ] {
        assert!(said.err.contains(part), "{part:?} is not in {}", said.err);
    }
    assert_eq!(
        said.err.lines().count(),
        2,
        "no lines but ours: {}",
        said.err
    );
    let said = shell.with("RUST_LOG", "info").run(&["list"]);
    let retries = said.err.matches("trying again").count();
    assert_eq!(retries, 4, "who asks for a log gets it: {}", said.err);
}

/// Nobody looks at a dead store for long: it is named at once where it refuses, and soon where it is silent.
#[test]
fn a_dead_s3_is_told_soon_and_with_its_reason() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mute = format!("http://{}", silent.local_addr().unwrap());
    let looks = [
        (refused(), "(tried 2 times)", "(tried 2 times)"),
        (mute, "no answer within 3 s", "did not answer within 3s"),
    ];
    for (endpoint, checked, seen) in looks {
        let shell = Shell::new()
            .with("S3_ENDPOINT", &endpoint)
            .with("AWS_ACCESS_KEY_ID", "key")
            .with("AWS_SECRET_ACCESS_KEY", "secret")
            .with("BACKUP_STORE", "s3://bucket/prefix");
        let status = shell.json(&["status"]).1["store"]["error"].clone();
        assert_eq!(status["code"], "store_unreachable", "{status}");
        for part in ["s3://bucket/prefix", &endpoint, seen] {
            let message = status["message"].as_str().unwrap();
            assert!(message.contains(part), "{part:?} is not in {status}");
        }
        // It would wait ten seconds for the rest, but not for the first word.
        let (_, told) = shell.json(&["init", "--check"]);
        let check = told["checks"].as_array().unwrap().last().unwrap();
        for part in ["s3://bucket/prefix", &endpoint, checked] {
            assert!(
                check["message"].as_str().unwrap().contains(part),
                "{part:?} is not in {check}"
            );
        }
        assert!(check["hint"].is_string(), "{check}");
    }
}

#[test]
fn a_missing_bucket_and_missing_keys_are_told_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let s3 = local::s3::S3::start(folder.path(), None, local::s3::Credentials::random()).unwrap();
    s3.create_bucket("there").unwrap();
    let shell = Shell::new().with("S3_ENDPOINT", s3.endpoint());
    let error = |shell: &Shell, store: &str| {
        let (code, told) = shell.json(&["list", "--store", store]);
        assert_eq!(code, 6, "{told}");
        told["error"].clone()
    };
    let unsigned = error(&shell, "s3://there/x");
    assert_eq!(unsigned["code"], "store_auth", "{unsigned}");
    for part in [
        "No keys are set",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        ".env",
        "~/.aws",
    ] {
        assert!(
            unsigned["hint"].as_str().unwrap().contains(part),
            "{part}: {unsigned}"
        );
    }
    let shell = shell
        .with("AWS_ACCESS_KEY_ID", &s3.credentials().key)
        .with("AWS_SECRET_ACCESS_KEY", &s3.credentials().secret);
    let missing = error(&shell, "s3://absent/x");
    assert_eq!(missing["code"], "store_missing", "{missing}");
    let message = missing["message"].as_str().unwrap();
    assert!(
        message.contains("there is no bucket \"absent\"") && message.contains(&s3.endpoint()),
        "{missing}"
    );
    assert!(
        missing["hint"]
            .as_str()
            .unwrap()
            .contains("aws s3 mb s3://absent"),
        "{missing}"
    );
}
