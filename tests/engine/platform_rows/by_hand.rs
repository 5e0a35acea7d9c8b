//! A download, and the store by hand, add what is missing with PostgreSQL's own tools alone.

use super::{ALL_USERS, app, back_up, identities, profiles, project, users};
use crate::store::psql::shell;
use crate::support::Source;
use rovodev::tasks::Context;
use rovodev::tasks::download::{DownloadFormat, download};

const THERE: &str = "INSERT INTO auth.users (id, email, encrypted_password) VALUES (md5('1')::uuid, 'u1@example.com', 'theirs')";

/// Loads into a project where one of the users is there already.
async fn load(load: impl Fn(&str) -> String) {
    let target = project().await;
    target.client().await.batch_execute(THERE).await.unwrap();
    let told = load(&target.url);
    let client = target.client().await;
    let all = ["u1@example.com theirs", ALL_USERS[1], ALL_USERS[2]];
    assert_eq!(users(&client).await, all, "{told}");
    assert_eq!(identities(&client).await.len(), 3, "{told}");
    let own = [
        "u1@example.com own",
        "u2@example.com own",
        "u3@example.com own",
    ];
    assert_eq!(profiles(&client).await, own, "{told}");
    let valid = "SELECT convalidated FROM pg_constraint WHERE conname = 'profiles_id_fkey'";
    let row = client.query_one(valid, &[]).await.unwrap();
    assert!(row.get::<_, bool>(0), "{told}");
}

async fn source() -> (Source, rovodev::core::manifest::Manifest) {
    let source = app().await;
    let backup = back_up(&source).await;
    (source, backup)
}

#[tokio::test]
async fn a_download_adds_them_where_they_are_missing() {
    let (source, backup) = source().await;
    let folder = source.folder.path();
    for (format, script) in [
        (
            DownloadFormat::SqlGz,
            "gzip -dc < file | psql -Xq -1 -v ON_ERROR_STOP=1 -d \"$1\"",
        ),
        (
            DownloadFormat::Tar,
            "tar xf file && cd rovodev-*/ && psql -Xq -v ON_ERROR_STOP=1 -d \"$1\" -f restore.sql",
        ),
    ] {
        let mut file = tokio::fs::File::create(folder.join("file")).await.unwrap();
        let (ctx, store) = (Context::default(), &source.opened.store);
        download(&ctx, store, &backup, format, &mut file)
            .await
            .unwrap();
        load(|url| shell(folder, script, &[url])).await;
    }
}

#[tokio::test]
async fn the_store_adds_them_by_hand_as_it_says_itself() {
    let (source, backup) = source().await;
    let folder = source.folder.path();
    let text = std::fs::read_to_string(folder.join("RECOVERY.md")).unwrap();
    let (_, script) = text.split_once("```bash\n").unwrap();
    let (script, _) = script.split_once("```\n").unwrap();
    let place = format!("backups/default/{}", backup.id);
    load(|url| shell(folder, script, &[".", &place, url])).await;
}
