//! Segments that are gone, cut or altered: told alike everywhere, with what to do and what is unharmed.

use super::support::{Source, one, request};
use crate::pg_dump::Database;
use crate::support::assert_told;
use rovodev::core::manifest::Manifest;
use rovodev::core::progress::Stage;
use rovodev::error::{Code, Error};
use rovodev::ports::store::{Fault, Op, Rule, Store, Unreliable, When};
use rovodev::tasks::Context;
use rovodev::tasks::download::{DownloadFormat, download};
use rovodev::tasks::progress::Progress;
use rovodev::tasks::restore::{database, in_place};

const ROWS: &str = "CREATE TABLE t (id int PRIMARY KEY, x text); INSERT INTO t SELECT i, 'x' || i FROM generate_series(1, 1000) i";

/// What each way of reading a backup says of a store, and what it has to say of what is unharmed.
async fn told(
    source: &Source,
    backup: &Manifest,
    store: &Store,
    target: &Database,
) -> [(Error, &'static str); 3] {
    let ctx = Context::default();
    let other = request(backup, &target.url);
    let plan = source.plan(&other).await.unwrap();
    let restored = database::apply(&ctx, store, &other, &plan).await;
    let here = request(backup, &source.database.url);
    let merged = Box::pin(in_place::prepare(&ctx, store, &here, None)).await;
    let mut file = Vec::new();
    let saved = download(&ctx, store, backup, DownloadFormat::SqlZst, &mut file).await;
    [
        (restored.unwrap_err(), "the target is as empty as before"),
        (merged.err().unwrap(), "the live tables are as they were"),
        (saved.unwrap_err(), ""),
    ]
}

#[tokio::test]
async fn damage_is_told_alike_everywhere() {
    let source = Source::new(ROWS).await;
    let target = Database::create("restoredb_target").await;
    let backup = source.back_up().await;
    let check = format!("`rovodev check {}`", backup.id);
    let (store, altered) = (&source.opened.store, "is not what was written");
    for fault in [Fault::Truncate, Fault::FlipBit] {
        let rule = Rule::new(When::From(1), fault).on(Op::Get, "segments/");
        let lying = Store::Unreliable(Unreliable::new(store.clone(), vec![rule]));
        for (error, unharmed) in told(&source, &backup, &lying, &target).await {
            let parts = [altered, &check, "choose another", unharmed];
            assert_told(&error, Code::ObjectDamaged, &parts);
        }
    }
    let segments = store.list("segments/").await.unwrap();
    let keys: Vec<_> = segments.into_iter().map(|o| o.key).collect();
    store.delete(&keys).await.unwrap();
    for (error, unharmed) in told(&source, &backup, store, &target).await {
        let parts = [&keys[0], "there is no such object", &check, unharmed];
        assert_told(&error, Code::ObjectMissing, &parts);
    }
    let session = source.database.session().await;
    assert_eq!(one::<i64>(&session, "SELECT count(*) FROM t").await, 1000);
    drop(session);
    target.drop().await;
    source.database.drop().await;
}

/// What a target loses to `force` it loses only to a backup that can replace it.
#[tokio::test]
async fn nothing_is_dropped_for_a_damaged_backup() {
    let source = Source::new(ROWS).await;
    let target = Database::create("restoredb_target").await;
    let session = target.session().await;
    let old = "CREATE TABLE old (id int); INSERT INTO old VALUES (1)";
    session.batch("old content", old).await.unwrap();
    let backup = source.back_up().await;
    let store = &source.opened.store;
    let key = store.list("segments/").await.unwrap().remove(0).key;
    let path = source.folder.path().join(&key);
    let whole = std::fs::read(&path).unwrap();
    let mut altered = whole.clone();
    altered[whole.len() / 2] ^= 1;
    let mut wanted = request(&backup, &target.url);
    wanted.force = true;

    let check = format!("`rovodev check {}`", backup.id);
    let bodies = [Some(&altered[..]), Some(&whole[1..]), None];
    for body in bodies {
        let _ = std::fs::remove_file(&path);
        if let Some(body) = body {
            std::fs::write(&path, body).unwrap();
        }
        let code = match body {
            Some(_) => Code::ObjectDamaged,
            None => Code::ObjectMissing,
        };
        let error = source.restore(&wanted).await.unwrap_err();
        let parts = [&key, "table public.t", "nothing was dropped", &check];
        assert_told(&error, code, &parts);
        let kept = "SELECT (SELECT count(*) FROM old) + (SELECT count(*) FROM pg_namespace WHERE nspname ~ '^rovodev')";
        assert_eq!(one::<i64>(&session, kept).await, 1);
    }

    std::fs::write(&path, &whole).unwrap();
    let (progress, mut events) = Progress::channel();
    let ctx = Context {
        progress,
        ..Context::default()
    };
    source.restore_with(&ctx, &wanted).await.unwrap();
    drop(ctx);
    let mut bytes = 0;
    while let Some(event) = events.recv().await {
        if event.stage == Stage::Verify {
            bytes = event.total_bytes;
        }
    }
    assert_eq!(bytes, backup.totals.raw_bytes, "the pass is shown");
    drop(session);
    target.drop().await;
    source.database.drop().await;
}
