use super::{Shell, app, url};
use std::os::unix::fs::PermissionsExt;

#[tokio::test]
async fn writes_env_once_and_checks_everything() {
    let database = app().await;
    let shell = Shell::new();
    let file = shell.folder.path().join(".env");
    std::fs::write(&file, "# mine\nOTHER=kept\n").unwrap();
    let address = url(&database);
    let arguments = ["init", "--database-url", &address, "--store", "./here"];
    let (code, first) = shell.json(&arguments);
    assert_eq!(code, 0, "{first}");
    let names: Vec<_> = first["written"]
        .as_array()
        .unwrap()
        .iter()
        .map(|w| w["name"].as_str().unwrap())
        .collect();
    // It also keeps a PG_DUMP that the environment names, as the tests' own may.
    assert_eq!(names[..3], ["DATABASE_URL", "BACKUP_STORE", "STORE_KEY"]);
    let checks: Vec<_> = first["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["name"].as_str().unwrap())
        .collect();
    assert_eq!(checks, ["database", "role", "pg_dump", "store"]);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("# mine\nOTHER=kept\n"), "{text}");
    assert_eq!(
        std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let (code, second) = shell.json(&arguments);
    assert_eq!(
        (code, second["written"].as_array().unwrap().len()),
        (0, 0),
        "{second}"
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text, "idempotent");
    assert_eq!(shell.run(&["backup"]).code, 0, "what it wrote works");
    assert!(shell.folder.path().join("here/format.json").exists());
    database.drop().await;
}

#[test]
fn replaces_nothing_without_force() {
    let shell = Shell::new();
    let file = shell.folder.path().join(".env");
    let before = "DATABASE_URL=postgres://a:b@127.0.0.1:1/x\nBACKUP_STORE=./old\n";
    std::fs::write(&file, before).unwrap();
    let (code, refused) = shell.json(&["init", "--store", "./new"]);
    assert_eq!(
        (code, refused["error"]["code"].as_str()),
        (5, Some("confirmation_needed"))
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), before);
    let (code, done) = shell.json(&["init", "--store", "./new", "--force", "--timeout", "2"]);
    assert_eq!(code, 6, "written, but nothing answers there: {done}");
    assert_eq!(done["checks"][0]["verdict"], "failed");
    assert!(
        std::fs::read_to_string(&file)
            .unwrap()
            .contains("BACKUP_STORE=./new")
    );
}

#[test]
fn refuses_an_address_that_cannot_work_before_writing() {
    let shell = Shell::new();
    let (code, refused) = shell.json(&["init", "--database-url", "postgres://a:b@h:6543/x"]);
    assert_eq!(
        (code, refused["error"]["code"].as_str()),
        (6, Some("pooler_transaction_mode"))
    );
    assert!(!shell.folder.path().join(".env").exists());
}

#[test]
fn who_cannot_be_asked_is_told_the_flags() {
    let shell = Shell::new();
    let (code, refused) = shell.json(&["init"]);
    let error = &refused["error"];
    assert_eq!((code, error["code"].as_str()), (2, Some("config")));
    let hint = error["hint"].as_str().unwrap();
    assert!(
        hint.contains("--database-url") && hint.contains("--store"),
        "{hint}"
    );
    assert!(!hint.contains("Run `rovodev init`"), "{hint}");
}

/// What `--plan` and `--admin` cannot do is known before `.env` is written.
#[tokio::test]
async fn what_cannot_be_set_up_is_refused_before_anything_is_written() {
    let database = app().await;
    let shell = Shell::new().with("DATABASE_URL", url(&database));
    let outside = shell.run(&["init", "--plan", "hobby", "--store", "./here"]);
    assert_eq!(outside.code, 2, "{outside:?}");
    assert!(
        outside.err.contains("--plan goes with a catalog"),
        "{outside:?}"
    );
    let shell = Shell::new()
        .with("DATABASE_URL", url(&database))
        .with("CATALOG_DATABASE_URL", url(&database))
        .with("SUPABASE_URL", "http://127.0.0.1:1")
        .with("SUPABASE_SECRET_KEY", "sb_secret_x");
    let outside = shell.run(&["init", "--plan", "pro", "--store", "./here"]);
    assert_eq!(outside.code, 1, "{outside:?}");
    assert!(
        outside.err.contains("vercel.json cannot be read"),
        "{outside:?}"
    );
    let left: Vec<_> = std::fs::read_dir(shell.folder.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    database.drop().await;
}

#[tokio::test]
async fn says_which_right_is_missing() {
    let database = app().await;
    let role = format!("cli_{}", uuid::Uuid::new_v4().simple());
    let session = database.session().await;
    let create = format!("CREATE ROLE {role} LOGIN PASSWORD 'plain'");
    session.batch("making a role", &create).await.unwrap();
    let mut address = url::Url::parse(&url(&database)).unwrap();
    address.set_username(&role).unwrap();
    address.set_password(Some("plain")).unwrap();
    let shell = Shell::new().with("DATABASE_URL", address);
    let (code, told) = shell.json(&["init"]);
    assert_eq!(code, 1, "{told}");
    assert_eq!(
        (
            told["checks"][1]["name"].as_str(),
            told["checks"][1]["verdict"].as_str()
        ),
        (Some("role"), Some("failed"))
    );
    assert!(
        told["checks"][1]["hint"]
            .as_str()
            .unwrap()
            .contains("BYPASSRLS")
    );
    session
        .batch("dropping the role", &format!("DROP ROLE {role}"))
        .await
        .unwrap();
    drop(session);
    database.drop().await;
}

/// A first backup without any setting makes a store without a key: none can be asked for afterwards.
#[tokio::test]
async fn follows_a_backup_without_a_key() {
    let database = app().await;
    let shell = Shell::new();
    let address = url(&database);
    assert_eq!(shell.run(&["backup", "--database-url", &address]).code, 0);
    let said = shell.run(&["init", "--database-url", &address]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        !said.err.contains("STORE_KEY") && !said.out.contains("- STORE_KEY"),
        "{said:?}"
    );
    assert_eq!(shell.run(&["backup"]).code, 0, "and goes on");
    database.drop().await;
}

#[tokio::test]
async fn names_what_to_keep_elsewhere() {
    let database = app().await;
    let shell = Shell::new();
    let said = shell.run(&["init", "--database-url", &url(&database)]);
    assert_eq!(said.code, 0, "{said:?}");
    for part in [
        "Recovery kit",
        "STORE_KEY: restoring works without it",
        "RECOVERY.md",
    ] {
        assert!(said.out.contains(part), "{part}: {said:?}");
    }
    let env = std::fs::read_to_string(shell.folder.path().join(".env")).unwrap();
    let key = env
        .lines()
        .find_map(|l| l.strip_prefix("STORE_KEY="))
        .unwrap();
    assert!(
        !said.out.contains(key) && !said.err.contains(key),
        "the key itself stays in .env"
    );
    // Somebody lost .env: the store says that it has a key already, and where to look for it.
    assert_eq!(shell.run(&["backup"]).code, 0);
    std::fs::remove_file(shell.folder.path().join(".env")).unwrap();
    let said = shell.run(&["init", "--database-url", &url(&database)]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("from the copy you kept"), "{said:?}");
    database.drop().await;
}
