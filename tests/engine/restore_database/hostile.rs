//! Manifests that somebody altered and sealed anew: whoever may write to the store can. Each is refused with a clear
//! answer, by every way of reading it, and leaves nothing half done.

use super::support::{Source, one, request};
use crate::pg_dump::Database;
use rovodev::core::keys;
use rovodev::core::manifest::{Manifest, Scope, seal};
use rovodev::error::{Code, Error, Result};
use rovodev::ports::postgres::Session;
use rovodev::tasks::download::{DownloadFormat, download};
use rovodev::tasks::restore::{config, database, in_place};
use rovodev::tasks::{Context, backups};
use uuid::Uuid;

const ROWS: &str = "CREATE TABLE t (id int PRIMARY KEY, org int, x text); INSERT INTO t SELECT i, 1, 'x' || i FROM generate_series(1, 1000) i;
    CREATE TABLE u (at date); INSERT INTO u VALUES ('2025-01-01'), ('2025-01-02')";

/// Stores the altered manifest as another backup, so that what is restored was read as people have it.
async fn forged(
    source: &Source,
    backup: &Manifest,
    alter: impl Fn(&mut Manifest),
) -> Result<Manifest> {
    let mut forged = backup.clone();
    forged.id = Uuid::now_v7();
    alter(&mut forged);
    let store = &source.opened.store;
    let key = keys::manifest(&forged.tenant, forged.id);
    let sealed = seal(&forged).unwrap();
    store.put_new(&key, sealed.into()).await.unwrap();
    backups::read(store, &forged.tenant, forged.id).await
}

async fn into_another(source: &Source, backup: &Manifest, target: &Database) -> Result<()> {
    let (ctx, store) = (Context::default(), &source.opened.store);
    let wanted = request(backup, &target.url);
    let plan = Box::pin(database::plan(&ctx, store, &wanted)).await?;
    Box::pin(database::apply(&ctx, store, &wanted, &plan)).await?;
    Ok(())
}

async fn in_its_place(source: &Source, backup: &Manifest) -> Result<()> {
    let (ctx, store) = (Context::default(), &source.opened.store);
    let wanted = request(backup, &source.database.url);
    let prepared = Box::pin(in_place::prepare(&ctx, store, &wanted, None)).await?;
    Box::pin(prepared.apply(&ctx)).await?;
    Ok(())
}

async fn saved(source: &Source, backup: &Manifest) -> Result<()> {
    let (ctx, store) = (Context::default(), &source.opened.store);
    let mut out = tokio::io::sink();
    download(&ctx, store, backup, DownloadFormat::SqlZst, &mut out).await?;
    Ok(())
}

async fn contents(session: &Session) -> String {
    let sql = "SELECT (SELECT md5(string_agg(t::text, ',' ORDER BY id)) FROM public.t) || (SELECT string_agg(at::text, ',') FROM public.u)";
    one(session, sql).await
}

async fn ours(session: &Session) -> i64 {
    let sql =
        "SELECT count(*) FROM pg_namespace WHERE nspname ~ '^(staging|undo|rovodev_restore)_'";
    one(session, sql).await
}

/// Every way refuses with one of these codes; the source and an empty target are as they were.
async fn refused_everywhere(alter: impl Fn(&mut Manifest), codes: &[Code]) -> Vec<Error> {
    let source = Source::new(ROWS).await;
    let backup = source.back_up().await;
    let target = Database::create("restoredb_target").await;
    let (here, there) = (source.database.session().await, target.session().await);
    // Something to restore.
    here.batch("breaking", "DELETE FROM t WHERE id > 990")
        .await
        .unwrap();
    let before = contents(&here).await;
    let mut errors = Vec::new();
    let ways = match forged(&source, &backup, alter).await {
        Err(error) => vec![("reading it", Err(error))],
        Ok(altered) => vec![
            ("another", into_another(&source, &altered, &target).await),
            ("in place", in_its_place(&source, &altered).await),
            ("download", saved(&source, &altered).await),
        ],
    };
    for (way, done) in ways {
        // A file that is written row by row cannot tell counts beforehand; who loads it does.
        let Err(error) = done else {
            assert_eq!(way, "download");
            continue;
        };
        assert!(codes.contains(&error.code), "{way}: {error:?}");
        errors.push(error);
    }
    assert_eq!(contents(&here).await, before);
    assert_eq!((ours(&here).await, ours(&there).await), (0, 0));
    let tables = "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace";
    assert_eq!(
        one::<i64>(&there, tables).await,
        0,
        "the target stays empty"
    );
    drop((here, there));
    target.drop().await;
    source.database.drop().await;
    errors
}

fn first(m: &mut Manifest, table: &str) -> usize {
    m.tables.iter().position(|t| t.name.name == table).unwrap()
}

#[tokio::test]
async fn counts_that_are_wrong() {
    for more in [1, 1 << 40, u64::MAX / 2, u64::MAX] {
        let rows = |m: &mut Manifest| {
            let t = first(m, "t");
            m.tables[t].rows = more;
        };
        refused_everywhere(rows, &[Code::ObjectDamaged, Code::ManifestDamaged]).await;
    }
}

#[tokio::test]
async fn sizes_that_are_enormous() {
    for huge in [1 << 40, u64::MAX] {
        let sizes = |m: &mut Manifest| {
            let t = first(m, "t");
            (m.tables[t].raw_bytes, m.tables[t].rows) = (huge, huge);
            let segment = &mut m.tables[t].ranges[0].segments[0];
            (segment.raw_bytes, segment.rows) = (huge, huge);
        };
        refused_everywhere(sizes, &[Code::ObjectDamaged, Code::ManifestDamaged]).await;
        let object = |m: &mut Manifest| {
            let part = m.schema.pre_data.as_mut().unwrap();
            (part.raw_bytes, part.stored_bytes) = (huge, huge);
            // In place no definitions are read.
            let t = first(m, "t");
            m.tables[t].ranges[0].segments[0].stored_bytes = huge;
        };
        refused_everywhere(object, &[Code::ObjectDamaged, Code::ManifestDamaged]).await;
    }
}

#[tokio::test]
async fn segments_of_another_name_or_table() {
    let swapped = |m: &mut Manifest| {
        let (t, u) = (first(m, "t"), first(m, "u"));
        let other = m.tables[u].ranges[0].segments[0].id.clone();
        m.tables[t].ranges[0].segments[0].id = other;
    };
    refused_everywhere(swapped, &[Code::ObjectDamaged]).await;
    let anothers = |m: &mut Manifest| {
        let (t, u) = (first(m, "t"), first(m, "u"));
        let other = m.tables[u].ranges[0].segments[0].clone();
        (m.tables[t].rows, m.tables[t].raw_bytes) = (other.rows, other.raw_bytes);
        m.tables[t].ranges[0].segments = vec![other];
    };
    let errors = refused_everywhere(anothers, &[Code::ObjectDamaged, Code::DatabaseError]).await;
    assert!(
        errors.iter().all(|e| e.to_string().contains("public.t")),
        "{errors:#?}"
    );
}

#[tokio::test]
async fn names_that_lead_out_of_the_store() {
    for odd in ["../../format.json", "..", "", "a", "ä", "ab/../../x\n"] {
        let id = |m: &mut Manifest| {
            let t = first(m, "t");
            m.tables[t].ranges[0].segments[0].id = odd.into();
        };
        refused_everywhere(id, &[Code::ManifestDamaged]).await;
    }
    for odd in [
        "../../etc/passwd",
        "/etc/passwd",
        "a//b",
        "",
        "a\\b",
        ".tmp/x",
    ] {
        let key = |m: &mut Manifest| m.schema.pre_data.as_mut().unwrap().key = odd.into();
        refused_everywhere(key, &[Code::ManifestDamaged]).await;
    }
}

/// Configuration goes into the project's folder alone.
#[tokio::test]
async fn files_that_lead_out_of_the_project() {
    let source = Source::new(ROWS).await;
    std::fs::write(source.folder.path().join("vercel.json"), "{}").unwrap();
    let mut create = crate::support::request(source.database.url.clone(), source.folder.path());
    create.kind = rovodev::core::manifest::BackupType::Full;
    let ctx = Context::default();
    let backup = rovodev::tasks::create::create(&ctx, &source.opened, &create).await;
    let backup = backup.unwrap();
    for path in [
        "../outside.json",
        "/tmp/outside.json",
        "a/../../outside.json",
        "..",
        "",
    ] {
        let altered = forged(&source, &backup, |m| m.config[0].path = path.into()).await;
        let error = altered.unwrap_err();
        assert_eq!(error.code, Code::ManifestDamaged, "{path:?}");
        assert!(error.message.contains(&format!("{path:?}")), "{error}");
    }
    // Whoever reads a manifest in another way still writes nothing outside.
    let mut altered = backup.clone();
    altered.config[0].path = "../outside.json".into();
    let project = tempfile::tempdir().unwrap();
    let inner = project.path().join("inner");
    std::fs::create_dir(&inner).unwrap();
    let store = &source.opened.store;
    let applied = config::apply(store, &altered, &inner, Uuid::now_v7()).await;
    assert_eq!(applied.unwrap_err().code, Code::ManifestDamaged);
    assert_eq!(crate::support::files(project.path()), Vec::<String>::new());
    source.database.drop().await;
}

/// Rows of one tenant that claim to be another's would take that other one's away.
#[tokio::test]
async fn a_scope_that_is_not_the_rows() {
    let source = Source::new(ROWS).await;
    let session = source.database.session().await;
    let more = "INSERT INTO t SELECT i, 2, 'y' || i FROM generate_series(2001, 2010) i";
    session.batch("another tenant", more).await.unwrap();
    let scope = |value: &str| Scope::new("org", value);
    let selection = rovodev::core::manifest::Selection {
        scope: Some(scope("1")),
        ..Default::default()
    };
    let backup = source.back_up_part(selection).await;
    let before = contents(&session).await;
    for value in ["2", "3"] {
        let altered = forged(&source, &backup, |m| m.selection.scope = Some(scope(value)))
            .await
            .unwrap();
        let refused = in_its_place(&source, &altered).await.unwrap_err();
        assert_eq!(refused.code, Code::ManifestDamaged, "{refused:?}");
        assert_eq!(contents(&session).await, before);
        assert_eq!(ours(&session).await, 0);
    }
    in_its_place(&source, &backup).await.unwrap();
    drop(session);
    source.database.drop().await;
}
