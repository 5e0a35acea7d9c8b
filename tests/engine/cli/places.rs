//! Which of several things `--input` means, and what a restore says of where it goes.

use super::{Shell, app, url};
use crate::pg_dump::Database;

#[tokio::test]
async fn a_name_means_the_backup_and_not_the_folder_beside_it() {
    let database = app().await;
    let shell = Shell::new().with("DATABASE_URL", url(&database));
    for store in ["./backups", "./one"] {
        let taken = ["backup", "--name", "one", "--store", store];
        assert_eq!(shell.run(&taken).code, 0);
    }
    let id = |store: &str| shell.json(&["show", "one", "--store", store]).1["id"].clone();
    let dry = |arguments: &[&str]| {
        shell.json(
            &[
                &["restore", "--dry-run", "--mode", "missing"][..],
                arguments,
            ]
            .concat(),
        )
    };
    for (arguments, store) in [
        (&["--input", "one"][..], "./backups"),
        (&["--input", "one", "--store", "./backups"], "./backups"),
        (&["--input", "./one/latest"], "./one"),
    ] {
        let (code, told) = dry(arguments);
        assert_eq!((code, &told["plan"]["backup"]), (0, &id(store)), "{told}");
    }
    let said = shell.run(&["restore", "--dry-run", "--input", "one"]);
    assert!(said.err.contains("--input ./one"), "{said:?}");
    let (code, both) = dry(&["--input", "./one/latest", "--store", "./backups"]);
    assert_eq!(
        (code, both["error"]["code"].as_str()),
        (2, Some("usage")),
        "{both}"
    );
    std::fs::create_dir(shell.folder.path().join("other")).unwrap();
    let (code, none) = dry(&["--input", "other"]);
    assert_eq!(code, 4, "{none}");
    let hint = none["error"]["hint"].as_str().unwrap();
    assert!(hint.contains("--input ./other/latest"), "{hint}");
    database.drop().await;
}

/// Keys into rows that the platform keeps, and room that nobody knows: told once each, and no warnings.
#[tokio::test]
async fn a_new_database_is_told_of_what_only_it_knows() {
    let (database, other) = (
        Database::create("cli").await,
        Database::create("cli_other").await,
    );
    let auth = "CREATE SCHEMA auth; CREATE TABLE auth.users (id int PRIMARY KEY)";
    let app = "CREATE TABLE profiles (id int PRIMARY KEY, CONSTRAINT person FOREIGN KEY (id) REFERENCES auth.users)";
    for sql in [auth, app] {
        let session = database.session().await;
        session.batch("seeding", sql).await.unwrap();
    }
    other.session().await.batch("seeding", auth).await.unwrap();
    let shell = Shell::new().with("DATABASE_URL", url(&database));
    let taken = shell.run(&["backup", "--name", "one"]);
    // A table of one's own in a schema of the platform's name is a warning.
    assert_eq!(taken.code, 3, "{taken:?}");
    let target = url(&other);
    let plan = [
        "restore",
        "--input",
        "one",
        "--target-url",
        &target,
        "--dry-run",
    ];
    let said = shell.run(&plan);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(
        said.out.matches("SQL cannot tell what is free").count(),
        1,
        "{said:?}"
    );
    let key = "person of public.profiles to auth.users";
    assert!(said.out.contains(key), "{said:?}");
    let (_, told) = shell.json(&plan);
    assert!(
        !told["plan"]["warnings"].to_string().contains("room"),
        "{told}"
    );
    assert!(
        !told["plan"]["warnings"].to_string().contains(key),
        "{told}"
    );
    assert_eq!(shell.run(&["download", "one", "-o", "one.sql.gz"]).code, 0);
    let packed = std::fs::File::open(shell.folder.path().join("one.sql.gz")).unwrap();
    let sql = std::io::read_to_string(flate2::read::MultiGzDecoder::new(packed)).unwrap();
    let header = sql.lines().take_while(|l| l.starts_with("--"));
    assert!(header.into_iter().any(|l| l.contains(key)), "{sql}");
    database.drop().await;
    other.drop().await;
}
