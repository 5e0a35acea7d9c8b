//! Stores that cannot be: what is wrong, where, and what to do.

use super::Shell;

#[test]
fn places_that_cannot_be_a_store() {
    let shell = Shell::new();
    std::fs::write(shell.folder.path().join("file"), "x").unwrap();
    for place in ["/proc/nope", "./file", "./file/below"] {
        let named = place.trim_start_matches("./");
        for arguments in [&["backup", "--type", "config"][..], &["list"], &["check"]] {
            let arguments = [arguments, &["--store", place]].concat();
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
