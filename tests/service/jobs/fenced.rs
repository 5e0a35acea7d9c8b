//! Two workers on one job: the one whose lease ran out writes nothing more.

use super::killed::{asleep_at, wake};
use super::workplace::Workplace;
use local::demo;
use rovodev::ports::store::{Fault, Rule, Store, Unreliable, When};
use rovodev::tasks::Context;
use rovodev::tasks::jobs::{clean_up, work_off};
use std::time::Duration;
use uuid::Uuid;

/// So long the slow worker stands still.
const PAUSE: Duration = Duration::from_secs(4);

#[tokio::test(flavor = "multi_thread")]
async fn the_worker_that_was_given_up_ends_without_a_word() {
    let place = Workplace::start().await;
    for call in [3, 8, 12] {
        let asked = place.ask_for_backup().await;
        let first = place.slow_worker(call, PAUSE).await;
        place.works_later().await;
        // What the slow one wrote late may have cost the second its claim on the store: the next attempt has it.
        for _ in 0..3 {
            if place.row("backups", asked.id).await["status"] == "completed" {
                break;
            }
            place.time_passes().await;
            work_off(&place.workshop(), &Context::default())
                .await
                .unwrap();
        }
        let after_second = place.row("backups", asked.id).await;
        let error = place.last_error(asked.id).await;
        assert_eq!(after_second["status"], "completed", "{error:?}");
        first.await.unwrap().unwrap();
        assert_eq!(place.row("backups", asked.id).await, after_second);
        assert_eq!(place.told(asked.id, "done").await, 1);
        assert_eq!(place.told(asked.id, "failed").await, 0);
        place.assert_store_and_catalog_agree().await;
    }
}

/// What of the two workers on it was told, and that nothing of either is left.
async fn restored_once(place: &Workplace, restore: Uuid) {
    assert_eq!(place.told(restore, "done").await, 1);
    assert_eq!(place.told(restore, "failed").await, 0);
    clean_up(&place.workshop(), &Context::default())
        .await
        .unwrap();
    assert_eq!(place.staging().await, 0);
    place.assert_store_and_catalog_agree().await;
}

/// It sleeps, with all its heartbeats, before it came to the database; the other one restores meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_restore_is_done_once_though_the_worker_that_was_given_up_wakes_up() {
    let mut place = Workplace::start().await;
    let backup = place.ask_for_backup().await.id;
    place.works_later().await;
    demo::damage(&mut place.owner).await.unwrap();
    let asked = place.ask_for_restore(backup).await.operation_id;
    let mut first = asleep_at(&place, 2).await;
    place.works_later().await;
    let after_second = place.row("restore_operations", asked).await;
    let error = place.last_error(asked).await;
    assert_eq!(after_second["status"], "completed", "{error:?}");
    let changed = "UPDATE public.calls SET summary = 'written since' WHERE number = 1";
    place.owner.batch_execute(changed).await.unwrap();
    let since = place.contents().await;
    wake(&first);
    assert!(first.wait().await.unwrap().success());
    assert_eq!(place.contents().await, since, "written once more");
    assert_eq!(place.row("restore_operations", asked).await, after_second);
    restored_once(&place, asked).await;
}

/// It sleeps while it reads what it will restore, with its sessions in the database, which end with the next attempt.
#[tokio::test(flavor = "multi_thread")]
async fn the_sessions_of_a_sleeper_hold_up_nobody_and_it_writes_nothing_more() {
    let mut place = Workplace::start().await;
    let backup = place.ask_for_backup().await.id;
    place.works_later().await;
    let whole = place.contents().await;
    demo::damage(&mut place.owner).await.unwrap();
    let asked = place.ask_for_restore(backup).await.operation_id;
    let mut first = asleep_at(&place, 37).await;
    let held = "SELECT count(*)::text FROM pg_locks l JOIN pg_database d ON d.oid = l.database AND d.datname = current_database() \
                WHERE locktype = 'advisory' AND classid = 1919907695 AND objid IN (1, 3)";
    assert_ne!(
        place.text(held).await.unwrap(),
        "0",
        "it does not sleep in the database"
    );
    place.works_later().await;
    let row = place.row("restore_operations", asked).await;
    assert_eq!(row["status"], "completed", "{row}");
    assert_eq!(place.contents().await, whole);
    wake(&first);
    assert!(first.wait().await.unwrap().success());
    assert_eq!(place.contents().await, whole);
    assert_eq!(place.row("restore_operations", asked).await, row);
    restored_once(&place, asked).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_workers_take_each_job_once() {
    let place = Workplace::start().await;
    let mut asked = Vec::new();
    for _ in 0..6 {
        asked.push(place.ask_for_backup().await.id);
    }
    let workers = (0..3).map(|_| {
        let workshop = place.workshop();
        tokio::spawn(async move { work_off(&workshop, &Context::default()).await.unwrap() })
    });
    let workers: Vec<_> = workers.collect();
    let mut done = 0;
    for worker in workers {
        done += worker.await.unwrap();
    }
    assert_eq!(done, asked.len());
    for id in asked {
        assert_eq!(place.row("backups", id).await["attempt"], 1);
        assert_eq!(place.told(id, "done").await, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_keeps_dying_is_given_up_with_its_reason() {
    let place = Workplace::start().await;
    let asked = place.ask_for_backup().await;
    let fails = Rule::new(When::From(1), Fault::Fail { retry: false });
    for _ in 0..6 {
        let store = Unreliable::new(place.workshop().store().clone(), [fails.clone()]);
        let workshop = place.workshop().with_store(Store::Unreliable(store));
        work_off(&workshop, &Context::default()).await.unwrap();
        place.time_passes().await;
    }
    let row = place.row("backups", asked.id).await;
    assert_eq!(row["status"], "failed", "{row}");
    assert!(row["error_message"].as_str().unwrap().len() > 10, "{row}");
    assert_eq!(place.told(asked.id, "failed").await, 1);
    place.assert_store_and_catalog_agree().await;
}
