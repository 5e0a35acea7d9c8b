//! Two workers on one job: the one whose lease ran out writes nothing more.

use super::workplace::Workplace;
use local::demo;
use rovodev::error::Result;
use rovodev::ports::store::{Fault, Rule, Store, Unreliable, When};
use rovodev::tasks::Context;
use rovodev::tasks::jobs::{clean_up, work_off};
use std::time::Duration;
use tokio::task::JoinHandle;

/// It stands still at its n-th call to the store, where it is when this returns.
async fn slow_worker(place: &Workplace, call: u64) -> JoinHandle<Result<usize>> {
    let pause = Rule::new(When::Call(call), Fault::Stall(Duration::from_secs(4)));
    let watched = Unreliable::new(place.workshop().store().clone(), [pause]);
    let slow = place
        .workshop()
        .with_store(Store::Unreliable(watched.clone()));
    let work = tokio::spawn(async move { work_off(&slow, &Context::default()).await });
    while watched.calls() < call {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    work
}

#[tokio::test(flavor = "multi_thread")]
async fn the_worker_that_was_given_up_ends_without_a_word() {
    let place = Workplace::start().await;
    for call in [3, 8, 12] {
        let asked = place.ask_for_backup().await;
        let first = slow_worker(&place, call).await;
        place.time_passes().await;
        work_off(&place.workshop(), &Context::default())
            .await
            .unwrap();
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

/// It stands still while it reads what it will restore; the other one restores meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_restore_is_done_once_though_the_worker_that_was_given_up_wakes_up() {
    let mut place = Workplace::start().await;
    let backup = place.ask_for_backup().await.id;
    work_off(&place.workshop(), &Context::default())
        .await
        .unwrap();
    let before = place.contents().await;
    for call in [2, 37] {
        demo::damage(&mut place.owner).await.unwrap();
        let asked = place.ask_for_restore(backup).await;
        let first = slow_worker(&place, call).await;
        place.time_passes().await;
        for _ in 0..4 {
            work_off(&place.workshop(), &Context::default())
                .await
                .unwrap();
            if place.row("restore_operations", asked.operation_id).await["status"] == "completed" {
                break;
            }
            place.time_passes().await;
        }
        let after_second = place.row("restore_operations", asked.operation_id).await;
        let error = place.last_error(asked.operation_id).await;
        assert_eq!(after_second["status"], "completed", "{call}: {error:?}");
        let changed = "UPDATE public.calls SET summary = 'written since' WHERE number = 1";
        place.owner.batch_execute(changed).await.unwrap();
        let since = place.contents().await;
        first.await.unwrap().unwrap();
        assert_eq!(place.contents().await, since, "{call}: written once more");
        let row = place.row("restore_operations", asked.operation_id).await;
        assert_eq!(row, after_second, "{call}");
        assert_eq!(place.told(asked.operation_id, "done").await, 1, "{call}");
        assert_eq!(place.told(asked.operation_id, "failed").await, 0, "{call}");
        clean_up(&place.workshop(), &Context::default())
            .await
            .unwrap();
        assert_eq!(place.staging().await, 0, "{call}");
        place.assert_store_and_catalog_agree().await;
        let undone = place.ask_for_restore(backup).await.operation_id;
        work_off(&place.workshop(), &Context::default())
            .await
            .unwrap();
        assert_eq!(
            place.row("restore_operations", undone).await["status"],
            "completed"
        );
        assert_eq!(place.contents().await, before, "{call}");
    }
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
