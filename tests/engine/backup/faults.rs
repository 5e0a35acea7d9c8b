//! A store and a database that break on the way: there is no backup, or a whole one.

use crate::store::places::s3;
use crate::support::{Source, assert_told, directory, opened, table, wait_for};
use rovodev::core::keys;
use rovodev::core::manifest::Manifest;
use rovodev::error::{Code, Result};
use rovodev::ports::store::{Fault, Op, Rule, Store, Unreliable, When};
use rovodev::tasks::lease::Lease;
use rovodev::tasks::prune::prune;
use rovodev::tasks::{Clock, Context};
use std::time::Duration;

const SMALL: &str =
    "CREATE TABLE t (a int, b text); INSERT INTO t SELECT i, 'x' FROM generate_series(1, 10) i;
    CREATE TABLE u (a int); INSERT INTO u VALUES (1);";

/// A backup into the source's store with faults, and the calls it made.
async fn with_faults(source: &Source, rules: Vec<Rule>) -> (Result<Manifest>, u64) {
    let faulty = Unreliable::new(source.opened.store.clone(), rules);
    let mut opened = source.opened.clone();
    opened.store = Store::Unreliable(faulty.clone());
    let done = source
        .back_up_with(&Context::default(), &opened, |_| {})
        .await;
    source.no_sessions().await;
    (done, faulty.calls())
}

async fn manifests(source: &Source) -> usize {
    let all = source.opened.store.list(keys::BACKUPS).await.unwrap();
    all.iter()
        .filter(|o| o.key.ends_with("/manifest.json"))
        .count()
}

#[tokio::test]
async fn killed_at_every_call_to_the_store() {
    let mut source = Source::new(SMALL).await;
    let calls = with_faults(&source, vec![]).await.1;
    let kill = |n| Rule::new(When::From(n), Fault::Fail { retry: false });
    let mut place;
    let mut n = 1;
    let mut whole = 0;
    while whole == 0 {
        // The next backup looks at what a dead one left: calls would grow as fast as their number.
        place = tempfile::tempdir().unwrap();
        source.opened = opened(directory(place.path())).await;
        let (done, _) = with_faults(&source, vec![kill(n)]).await;
        // Only the call that takes the claim back may be lost without harm.
        whole = manifests(&source).await;
        assert_eq!(done.is_ok(), whole == 1, "call {n}");
        if let Err(error) = done {
            assert_told(&error, Code::StoreError, &["a fault of the test"]);
        }
        n += 1;
    }
    assert!(n >= calls, "a whole backup after {n} of {calls} calls");
    let (done, _) = with_faults(&source, vec![]).await;
    source.assert_exact(&done.unwrap()).await;
    source.assert_sound().await;
}

#[tokio::test]
async fn one_call_in_turn_fails_or_loses_its_answer() {
    let source = Source::new(SMALL).await;
    let calls = with_faults(&source, vec![]).await.1;
    let mut kept = 1;
    for n in 1..=calls {
        for fault in [Fault::Fail { retry: false }, Fault::LoseAnswer] {
            // A change, so that something is written each time.
            let change = format!("INSERT INTO u VALUES ({n}); UPDATE t SET b = 'y{n}' WHERE a = 1");
            source.client().await.batch_execute(&change).await.unwrap();
            let (done, _) = with_faults(&source, vec![Rule::new(When::Call(n), fault)]).await;
            assert!(
                done.is_ok() || fault != Fault::LoseAnswer,
                "call {n}: {done:?}"
            );
            kept += usize::from(done.is_ok());
            assert_eq!(manifests(&source).await, kept, "call {n}");
        }
    }
    source.assert_sound().await;
}

/// The claim itself may be what came garbled: then there is no backup, and else a whole one.
#[tokio::test]
async fn a_store_that_garbles_what_it_gives_is_found_out() {
    let source = Source::new(SMALL).await;
    source.back_up(|_| {}).await.unwrap();
    for fault in [Fault::Truncate, Fault::FlipBit] {
        for what in ["", "manifest.json", "started.json"] {
            let kept = manifests(&source).await;
            let rule = Rule::new(When::From(1), fault).on(Op::Get, what);
            let (done, _) = with_faults(&source, vec![rule]).await;
            match done {
                Ok(backup) => {
                    assert_eq!(manifests(&source).await, kept + 1, "{what} {fault:?}");
                    source.assert_exact(&backup).await;
                    let parent = backup.parent;
                    assert!(
                        what == "started.json" || parent.is_none(),
                        "{what} {fault:?}"
                    );
                }
                Err(error) => {
                    assert_ne!(what, "manifest.json", "{error:?}");
                    assert_eq!(manifests(&source).await, kept, "{error:?}");
                    assert!(error.message.contains("started.json"), "{error:?}");
                }
            }
        }
    }
    source.assert_sound().await;
}

#[tokio::test]
async fn a_damaged_backup_does_not_stop_the_next() {
    let source = Source::new(SMALL).await;
    let first = source.back_up(|_| {}).await.unwrap();
    let key = keys::manifest(&first.tenant, first.id);
    let whole = source.opened.store.get(&key).await.unwrap();
    source
        .opened
        .store
        .put_replace(&key, whole.slice(..whole.len() / 2))
        .await
        .unwrap();
    let second = source.back_up(|_| {}).await.unwrap();
    assert_eq!(second.parent, None);
    source.assert_exact(&second).await;
}

/// The next backup has the rows at hand: it writes them again, which heals the backup before it too.
#[tokio::test]
async fn a_reused_segment_that_is_gone_or_altered_is_written_again() {
    let mut source = Source::new(SMALL).await;
    let place = tempfile::tempdir().unwrap();
    for store in [directory(place.path()), s3().await] {
        source.opened = opened(store.clone()).await;
        let first = source.back_up(|_| {}).await.unwrap();
        let segment = table(&first, "t").segments().next().unwrap().clone();
        let key = keys::segment(&segment.id, first.codec);
        let whole = store.get(&key).await.unwrap();
        let mut flipped = whole.to_vec();
        flipped[whole.len() / 2] ^= 1;
        let mut kept = 1;
        for body in [
            None,
            Some(bytes::Bytes::from(flipped)),
            Some(whole.slice(..whole.len() / 2)),
            Some(bytes::Bytes::new()),
        ] {
            match &body {
                Some(body) => store.put_replace(&key, body.clone()).await.unwrap(),
                None => store.delete(std::slice::from_ref(&key)).await.unwrap(),
            }
            let next = source.back_up(|_| {}).await.unwrap();
            assert_eq!(store.get(&key).await.unwrap(), whole, "{body:?}");
            assert!(
                next.totals.new_bytes >= segment.stored_bytes,
                "it was written"
            );
            source.assert_exact(&next).await;
            source.assert_sound().await;
            kept += 1;
            assert_eq!(manifests(&source).await, kept);
        }
    }
}

/// Damage of what no parent names: a backup without a parent finds the object there and does not trust it.
#[tokio::test]
async fn a_damaged_object_of_the_same_name_is_replaced() {
    let source = Source::new(SMALL).await;
    let first = source.back_up(|_| {}).await.unwrap();
    let segment = table(&first, "t").segments().next().unwrap().clone();
    let key = keys::segment(&segment.id, first.codec);
    let store = &source.opened.store;
    let manifest = keys::manifest(&first.tenant, first.id);
    store.delete(&[manifest]).await.unwrap();
    let garbage = bytes::Bytes::from_static(b"garbage");
    store.put_replace(&key, garbage).await.unwrap();
    let second = source.back_up(|_| {}).await.unwrap();
    assert_eq!(second.parent, None);
    source.assert_exact(&second).await;
    source.assert_sound().await;
}

#[tokio::test]
async fn a_store_that_lies_about_writing_is_found_by_check() {
    let source = Source::new(SMALL).await;
    let lie = Rule::new(When::From(1), Fault::Lie).on(Op::PutNew, "segments/");
    let (done, _) = with_faults(&source, vec![lie]).await;
    let error = done.unwrap_err();
    assert_told(&error, Code::ObjectMissing, &["segments/"]);
    source.assert_nothing_left(&[]).await;
}

/// Takes some seconds to read, since the store takes its time.
const BIG: &str =
    "CREATE TABLE big AS SELECT i, repeat(md5(i::text), 30) b FROM generate_series(1, 60000) i";

#[tokio::test]
async fn a_session_is_cut_off_while_rows_are_read() {
    let source = Source::new(BIG).await;
    let admin = source.admin().await;
    let ours =
        "FROM pg_stat_activity WHERE application_name = 'rovodev' AND datname = current_database()";
    for which in ["min", "max"] {
        let slow = Rule::new(When::From(1), Fault::Stall(Duration::from_millis(300)))
            .on(Op::PutNew, "segments/");
        let cutting = async {
            wait_for(&admin, &format!("SELECT (count(*) > 0)::int::bigint {ours} AND query LIKE 'COPY%' AND state = 'active'"), 1).await;
            let sql = format!(
                "SELECT pg_terminate_backend(pid) {ours} AND backend_start = (SELECT {which}(backend_start) {ours} AND pid IN (SELECT pid FROM pg_locks WHERE relation = 'public.big'::regclass))"
            );
            admin.batch_execute(&sql).await.unwrap();
        };
        let ((done, _), ()) = tokio::join!(with_faults(&source, vec![slow]), cutting);
        let error = done.unwrap_err();
        assert_told(
            &error,
            Code::ConnectionLost,
            &["connection", "Run it again"],
        );
        source.assert_nothing_left(&[]).await;
    }
    let manifest = source.back_up(|_| {}).await.unwrap();
    source.assert_exact(&manifest).await;
}

#[tokio::test]
async fn a_prune_and_a_backup_keep_out_of_each_others_way() {
    let source = Source::new(SMALL).await;
    let first = source.back_up(|_| {}).await.unwrap();
    let store = &source.opened.store;
    let (ctx, clock) = (Context::default(), Clock::default());
    let late = Rule::new(When::From(1), Fault::Stall(Duration::from_secs(2)));
    let backup = with_faults(&source, vec![late.on(Op::PutNew, "manifest.json")]);
    let pruning = async {
        loop {
            let all = store.list(keys::BACKUPS).await.unwrap();
            let claims = all
                .iter()
                .filter_map(|o| o.key.strip_suffix("started.json"));
            let works = |folder: &str| all.iter().filter(|o| o.key.starts_with(folder)).count() > 1;
            // Before it writes more than its claim, it still looks for a prune that began with it, and would give way too.
            if claims.into_iter().any(works) {
                break prune(&ctx, store, &clock, false, true).await;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let ((second, _), pruned) = tokio::join!(backup, pruning);
    assert_told(
        &pruned.unwrap_err(),
        Code::StoreBusy,
        &["Wait until it is done"],
    );
    let second = second.unwrap();
    assert_eq!(
        table(&second, "t").ranges,
        table(&first, "t").ranges,
        "reused"
    );
    let lease = Lease::prune(store, &clock).await.unwrap();
    let error = source.back_up(|_| {}).await.unwrap_err();
    assert_told(&error, Code::StoreBusy, &["Wait until it is done"]);
    source.assert_nothing_left(&[&first, &second]).await;
    lease.release().await.unwrap();
    prune(&ctx, store, &clock, false, true).await.unwrap();
    source.back_up(|_| {}).await.unwrap();
    source.assert_sound().await;
}
