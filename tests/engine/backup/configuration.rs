//! Configuration: files of the project and names of variables, and never a value.

use crate::support::{Source, assert_told, directory, files, opened, request};
use rovodev::core::manifest::{BackupType, Manifest, SchemaStatus};
use rovodev::error::Code;
use rovodev::ports::postgres::DatabaseUrl;
use rovodev::tasks::Context;
use rovodev::tasks::create::create;
use std::path::Path;

const SECRET: &str = "s3cr3t-v4lue";

fn project(folder: &Path) {
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    write("vercel.json", "{\"crons\": []}\n");
    write("package.json", "{\"name\": \"app\"}\n");
    write(
        ".env",
        &format!(
            "A_KEY={SECRET}\nexport B_KEY=\"{SECRET}\n{SECRET}\"\n# C_KEY={SECRET}\nnot an assignment {SECRET}\n"
        ),
    );
    write(
        ".env.production.local",
        &format!("D_KEY='{SECRET}'\nA_KEY={SECRET}2\n"),
    );
}

async fn file(store: &rovodev::ports::store::Store, manifest: &Manifest, path: &str) -> String {
    let file = manifest.config.iter().find(|f| f.path == path).unwrap();
    let stored = store.get(&file.object.key).await.unwrap();
    String::from_utf8(zstd::decode_all(&stored[..]).unwrap()).unwrap()
}

#[tokio::test]
async fn configuration_needs_no_database_and_holds_no_value() {
    let (place, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    project(folder.path());
    let opened = opened(directory(place.path())).await;
    let unused = DatabaseUrl::parse("postgres://u:p@127.0.0.1:1/d").unwrap();
    let mut request = request(unused, folder.path());
    (request.kind, request.database) = (BackupType::Config, None);
    let manifest = create(&Context::default(), &opened, &request)
        .await
        .unwrap();
    assert!(manifest.source.is_none() && manifest.tables.is_empty());
    assert_eq!(manifest.schema.status, SchemaStatus::NotIncluded);
    assert_eq!(manifest.totals.files, 3);
    assert_eq!(
        file(&opened.store, &manifest, "vercel.json").await,
        "{\"crons\": []}\n"
    );
    assert_eq!(
        file(&opened.store, &manifest, "package.json").await,
        "{\"name\": \"app\"}\n"
    );
    let names: serde_json::Value =
        serde_json::from_str(&file(&opened.store, &manifest, "env.json").await).unwrap();
    assert_eq!(
        names,
        serde_json::json!({"names": ["A_KEY", "B_KEY", "D_KEY"]})
    );
    for path in files(place.path()) {
        let stored = std::fs::read(place.path().join(&path)).unwrap();
        let plain = zstd::decode_all(&stored[..]).unwrap_or(stored);
        assert!(!String::from_utf8_lossy(&plain).contains(SECRET), "{path}");
    }
}

#[tokio::test]
async fn a_full_backup_holds_both_and_each_kind_its_own() {
    let source = Source::new("CREATE TABLE t (a int)").await;
    let folder = tempfile::tempdir().unwrap();
    project(folder.path());
    let full = |r: &mut rovodev::tasks::create::CreateRequest| {
        (r.kind, r.project) = (BackupType::Full, folder.path().into())
    };
    let manifest = source.back_up(full).await.unwrap();
    assert_eq!((manifest.tables.len(), manifest.config.len()), (1, 3));
    let manifest = source
        .back_up(|r| r.project = folder.path().into())
        .await
        .unwrap();
    assert_eq!((manifest.tables.len(), manifest.config.len()), (1, 0));
    let error = source.back_up(|r| r.database = None).await.unwrap_err();
    assert_told(
        &error,
        Code::Config,
        &["no database is named", "DATABASE_URL"],
    );
    std::fs::write(folder.path().join("package.json"), vec![b' '; 5 << 20]).unwrap();
    let error = source.back_up(full).await.unwrap_err();
    assert_told(&error, Code::Io, &["package.json", "at most"]);
    source.assert_sound().await;
}
