//! Every command of docs/EXAMPLES.md, in its order.

use super::{Said, Shell, url};
use crate::pg_dump::Database;
use local::s3::{Credentials, S3};

/// The lines of the `sh` blocks, each with the exit code that it must end with.
fn commands(document: &str) -> Vec<(&str, i32)> {
    let mut inside = false;
    let mut found = Vec::new();
    for line in document.lines() {
        match line {
            "```sh" => inside = true,
            "```" => inside = false,
            _ if inside => {
                let (command, exit) = line.split_once("# exit ").unwrap_or((line, "0"));
                found.push((command.trim_end(), exit.trim().parse().unwrap()));
            }
            _ => {}
        }
    }
    found
}

#[tokio::test]
async fn every_example_works() {
    let (database, other) = (
        Database::create("cli").await,
        Database::create("cli_other").await,
    );
    let folder = tempfile::tempdir().unwrap();
    let s3 = S3::start(folder.path(), None, Credentials::random()).unwrap();
    s3.create_bucket("examples").unwrap();
    let keys = s3.credentials();
    let shell = Shell::new()
        .with("DATABASE_URL", url(&database))
        .with("OTHER_DATABASE_URL", url(&other))
        .with("BUCKET", "examples")
        .with("S3_ENDPOINT", s3.endpoint())
        .with("AWS_ACCESS_KEY_ID", &keys.key)
        .with("AWS_SECRET_ACCESS_KEY", &keys.secret);
    let all = commands(include_str!("../../../docs/EXAMPLES.md"));
    assert!(all.len() > 30, "the document has examples");
    for (command, exit) in all {
        let said: Said = shell
            .command("bash")
            .args(["-o", "pipefail", "-c", command])
            .output()
            .unwrap()
            .into();
        assert_eq!(said.code, exit, "{command}\n{}\n{}", said.out, said.err);
    }
    database.drop().await;
    other.drop().await;
}
