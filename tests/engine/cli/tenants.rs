//! `--tenant` where the store is worked on without a catalog: it is heeded, or refused.

use super::{Shell, app, url};

#[tokio::test]
async fn a_tenant_is_heeded_or_refused() {
    let database = app().await;
    let shell = Shell::new().with("DATABASE_URL", url(&database));
    assert_eq!(shell.run(&["backup", "--name", "one"]).code, 0);
    let (_, theirs) = shell.json(&["list", "--tenant", "acme"]);
    assert_eq!(theirs["total"], 0, "{theirs}");
    for arguments in [
        &["show", "one"][..],
        &["check", "one"],
        &["download", "one"],
        &["delete", "one", "--force"],
        &["restore", "--input", "one", "--force"],
    ] {
        let (code, none) = shell.json(&[arguments, &["--tenant", "acme"]].concat());
        assert_eq!(code, 4, "{arguments:?}: {none}");
    }
    let (_, status) = shell.json(&["status", "--tenant", "acme"]);
    assert!(status["store"]["ok"]["lastBackup"].is_null(), "{status}");
    for arguments in [
        &["backup"][..],
        &["prune"],
        &["restore", "--undo", "latest", "--force"],
        &["restore", "--list-undo"],
        &["list", "--tenant", "../acme"],
    ] {
        let tenant: &[&str] = if arguments.contains(&"--tenant") {
            &[]
        } else {
            &["--tenant", "acme"]
        };
        let (code, refused) = shell.json(&[arguments, tenant].concat());
        let error = &refused["error"];
        assert_eq!(
            (code, error["code"].as_str()),
            (2, Some("usage")),
            "{arguments:?}: {refused}"
        );
        assert!(error["hint"].is_string(), "{refused}");
    }
    assert_eq!(shell.run(&["list", "--tenant", "default"]).code, 0);
    // A folder of a tenant, as the catalog makes it.
    let folder = shell.folder.path().join("backups/backups");
    assert!(folder.join("default").is_dir() && !folder.join("acme").exists());
    database.drop().await;
}
