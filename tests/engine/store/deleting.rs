//! Deleting and pruning: killed anywhere, nothing in use goes, and the next run finishes.

use super::places::{self, DirStore};
use super::sample::{Sample, TENANT, opened, rows};
use bytes::Bytes;
use chrono::{TimeDelta, Utc};
use rovodev::core::ident::QName;
use rovodev::core::keys;
use rovodev::core::manifest::Manifest;
use rovodev::error::Code;
use rovodev::ports::store::{Fault, Put, Rule, Store, Unreliable, When};
use rovodev::tasks::check::check;
use rovodev::tasks::delete::delete;
use rovodev::tasks::lease::Lease;
use rovodev::tasks::prune::{self, prune};
use rovodev::tasks::{Clock, Context, backups, open_store};
use uuid::Uuid;

/// A clock two days ahead, so that everything stored now is older than the grace time.
fn later() -> Clock {
    Clock::new(|| Utc::now() + TimeDelta::days(2))
}

/// Three backups: 0 and 1 share a segment, 1 and 2 share another, each has one of its own.
async fn three() -> (DirStore, Vec<Manifest>) {
    let dir = places::directory();
    let to = opened(&dir.store).await;
    let mut made = Vec::new();
    for i in 0..3 {
        let name = format!("backup {i}");
        let segments = [i, i + 1, i + 10].map(|seed| rows(seed, 20)).to_vec();
        let table = (QName::new("public", "t"), segments);
        made.push(Sample::new(&name, vec![table]).write(&to).await);
    }
    (dir, made)
}

async fn everything_listed_is_whole(store: &Store) -> Vec<Uuid> {
    let ctx = Context::default();
    let readable = open_store::open_to_read(&ctx, store, None).await.unwrap();
    let report = check(&ctx, &readable, TENANT, &[]).await.unwrap();
    assert!(report.is_good(), "{report:?}");
    let listed = backups::list(store, TENANT).await.unwrap();
    assert!(listed.iter().all(|l| l.manifest.is_ok()));
    listed.iter().map(|l| l.id).collect()
}

async fn segments(store: &Store) -> usize {
    store.list(keys::SEGMENTS).await.unwrap().len()
}

#[tokio::test]
async fn a_deleted_backup_takes_only_what_it_alone_used() {
    let (dir, made) = three().await;
    let ctx = Context::default();
    assert_eq!(segments(&dir.store).await, 7);
    let done = delete(&ctx, &dir.store, TENANT, &[made[1].id], &later(), false)
        .await
        .unwrap();
    assert_eq!(done.pruned.unwrap().segments.len(), 1);
    assert_eq!(segments(&dir.store).await, 6);
    let mut left = everything_listed_is_whole(&dir.store).await;
    left.sort();
    assert_eq!(left, [made[0].id, made[2].id]);
    let gone = keys::backup_dir(TENANT, made[1].id);
    assert_eq!(dir.store.list(&gone).await.unwrap(), []);
    assert_eq!(dir.store.head(keys::PRUNE_LOCK).await.unwrap(), None);
}

#[tokio::test]
async fn what_is_young_stays_for_a_later_prune() {
    let (dir, made) = three().await;
    let ctx = Context::default();
    let now = Clock::default();
    let done = delete(&ctx, &dir.store, TENANT, &[made[1].id], &now, false)
        .await
        .unwrap();
    let plan = done.pruned.unwrap();
    assert_eq!((plan.segments.len(), plan.young_segments), (0, 1));
    assert_eq!(segments(&dir.store).await, 7);
    let dry = prune(&ctx, &dir.store, &later(), true, false)
        .await
        .unwrap();
    assert_eq!(dry.segments.len(), 1);
    assert_eq!(segments(&dir.store).await, 7, "a dry run deletes nothing");
    prune(&ctx, &dir.store, &later(), false, false)
        .await
        .unwrap();
    assert_eq!(segments(&dir.store).await, 6);
}

#[tokio::test]
async fn an_unknown_backup_stops_before_anything_is_deleted() {
    let (dir, made) = three().await;
    let ids = [made[0].id, Uuid::now_v7()];
    let e = delete(
        &Context::default(),
        &dir.store,
        TENANT,
        &ids,
        &later(),
        false,
    )
    .await
    .unwrap_err();
    assert_eq!(e.code, Code::BackupNotFound);
    assert_eq!(everything_listed_is_whole(&dir.store).await.len(), 3);
}

#[tokio::test]
async fn an_unreadable_manifest_stops_pruning() {
    let (dir, made) = three().await;
    let key = keys::manifest(TENANT, made[0].id);
    dir.store
        .put_replace(&key, Bytes::from_static(b"{}"))
        .await
        .unwrap();
    let ctx = Context::default();
    let e = prune(&ctx, &dir.store, &later(), false, true)
        .await
        .unwrap_err();
    assert_eq!(e.code, Code::ManifestDamaged);
    let done = delete(&ctx, &dir.store, TENANT, &[made[2].id], &later(), false)
        .await
        .unwrap();
    assert_eq!(done.pruned.unwrap_err().code, Code::ManifestDamaged);
    assert_eq!(segments(&dir.store).await, 7);
    // Deleting the damaged one clears the way.
    let done = delete(&ctx, &dir.store, TENANT, &[made[0].id], &later(), false)
        .await
        .unwrap();
    assert_eq!(done.pruned.unwrap().segments.len(), 4);
    assert_eq!(everything_listed_is_whole(&dir.store).await, [made[1].id]);
}

#[tokio::test]
async fn an_implausible_share_is_refused() {
    let (dir, _) = three().await;
    for i in 0..120 {
        let id = blake3::hash(&[i]).to_hex().to_string();
        let key = keys::segment(&id, rovodev::core::manifest::Codec::Zstd);
        assert_eq!(
            dir.store
                .put_new(&key, Bytes::from_static(b"x"))
                .await
                .unwrap(),
            Put::Written
        );
    }
    let ctx = Context::default();
    let e = prune(&ctx, &dir.store, &later(), false, false)
        .await
        .unwrap_err();
    assert_eq!(e.code, Code::ConfirmationNeeded);
    assert!(e.message.contains("120 of 127"), "{e}");
    assert_eq!(segments(&dir.store).await, 127);
    let plan = prune(&ctx, &dir.store, &later(), false, true)
        .await
        .unwrap();
    assert_eq!(plan.segments.len(), 120);
    assert_eq!(everything_listed_is_whole(&dir.store).await.len(), 3);
}

#[tokio::test]
async fn leftovers_of_backups_that_died_go_after_the_grace_time() {
    let (dir, _) = three().await;
    let (ctx, id) = (Context::default(), Uuid::now_v7());
    drop(
        Lease::backup(&dir.store, TENANT, id, &Clock::default())
            .await
            .unwrap(),
    );
    let folder = keys::backup_dir(TENANT, id);
    let part = format!("{folder}schema/pre-data.sql.zst");
    dir.store
        .put_new(&part, Bytes::from_static(b"x"))
        .await
        .unwrap();
    let now = prune(&ctx, &dir.store, &Clock::default(), true, false)
        .await
        .unwrap();
    assert_eq!(now.leftovers, []);
    let then = prune(&ctx, &dir.store, &later(), false, false)
        .await
        .unwrap();
    assert_eq!(then.leftovers.len(), 2);
    assert_eq!(dir.store.list(&folder).await.unwrap(), []);
}

/// Kills the deletion at every call to the store in turn.
#[tokio::test]
async fn a_killed_deletion_is_finished_by_the_next() {
    let mut kills = 0;
    for call in 1.. {
        let (dir, made) = three().await;
        let (ctx, ids) = (Context::default(), [made[1].id]);
        let rule = Rule::new(When::From(call), Fault::Fail { retry: false });
        let faulty = Store::Unreliable(Unreliable::new(dir.store.clone(), [rule]));
        let killed = delete(&ctx, &faulty, TENANT, &ids, &later(), false).await;
        if killed.is_ok() {
            break;
        }
        kills += 1;
        let left = everything_listed_is_whole(&dir.store).await;
        assert!(left.contains(&made[0].id) && left.contains(&made[2].id));
        // By then the claim of the dead has expired.
        let afterwards = Clock::new(|| Utc::now() + TimeDelta::days(3));
        match delete(&ctx, &dir.store, TENANT, &ids, &afterwards, false).await {
            Ok(done) => drop(done.pruned.unwrap()),
            // It was killed only when giving back its claim.
            Err(e) => assert_eq!(e.code, Code::BackupNotFound, "call {call}"),
        }
        assert_eq!(
            everything_listed_is_whole(&dir.store).await.len(),
            2,
            "call {call}"
        );
        assert_eq!(segments(&dir.store).await, 6, "call {call}");
        let gone = keys::backup_dir(TENANT, made[1].id);
        assert_eq!(dir.store.list(&gone).await.unwrap(), [], "call {call}");
        let rest = prune::plan(&ctx, &dir.store, afterwards.now())
            .await
            .unwrap();
        assert_eq!(rest.bytes(), 0, "call {call}");
    }
    assert!(kills > 10, "{kills}");
}
