//! Two workers on one job: the one whose lease ran out writes nothing more.

use super::workplace::Workplace;
use rovodev::ports::store::{Fault, Rule, Store, Unreliable, When};
use rovodev::tasks::Context;
use rovodev::tasks::jobs::work_off;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn the_worker_that_was_given_up_ends_without_a_word() {
    let place = Workplace::start().await;
    for call in [3, 8, 12] {
        let asked = place.ask_for_backup().await;
        let slow = Rule::new(When::Call(call), Fault::Stall(Duration::from_secs(4)));
        let watched = Unreliable::new(place.workshop().store().clone(), [slow]);
        let slow = place
            .workshop()
            .with_store(Store::Unreliable(watched.clone()));
        let first = tokio::spawn(async move { work_off(&slow, &Context::default()).await });
        while watched.calls() < call {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        place.time_passes().await;
        work_off(&place.workshop(), &Context::default())
            .await
            .unwrap();
        let after_second = place.row("backups", asked.id).await;
        assert_eq!(after_second["status"], "completed", "{after_second}");
        assert_eq!(after_second["attempt"], 2);
        first.await.unwrap().unwrap();
        assert_eq!(place.row("backups", asked.id).await, after_second);
        assert_eq!(place.told(asked.id, "done").await, 1);
        assert_eq!(place.told(asked.id, "failed").await, 0);
        place.assert_store_and_catalog_agree().await;
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
