//! A store that somebody else is at work in: jobs wait for it, and what is deleted is gone from its lists meanwhile.

use super::workplace::Workplace;
use rovodev::ports::store::{Fault, Rule, Store, Unreliable, When};
use rovodev::tasks::jobs::work_off;
use rovodev::tasks::lease::Lease;
use rovodev::tasks::{Clock, Context, backups};

#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_a_busy_store_costs_no_attempt() {
    let place = Workplace::start().await;
    let old = place.ask_for_backup().await;
    place.works_later().await;
    let store = place.workshop().store().clone();
    // As a deletion that was killed leaves it.
    let dead = Lease::prune(&store, &Clock::default()).await.unwrap();
    let new = place.ask_for_backup().await;
    place.ask_for_deletion(old.id).await;
    for attempt in 1..=8 {
        place.works_later().await;
        let row = place.row("backups", new.id).await;
        assert_eq!(row["status"], "pending", "{row}");
        assert_eq!(row["attempt"], attempt, "{row}");
        let notice = row["progress"]["notice"].as_str().unwrap();
        assert!(notice.contains("at work"), "{notice}");
        assert_eq!(backups::list(&store, "default").await.unwrap().len(), 0);
    }
    let told = place.last_error(new.id).await.unwrap();
    assert!(told.contains("at work"), "{told}");
    dead.release().await.unwrap();
    place.works_later().await;
    assert_eq!(place.row("backups", new.id).await["status"], "completed");
    assert_eq!(place.open_jobs().await, 0);
    let folder = rovodev::core::keys::backup_dir("default", old.id);
    assert_eq!(store.list(&folder).await.unwrap(), []);
    place.assert_store_and_catalog_agree().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_busy_for_an_hour_ends_the_wait() {
    let place = Workplace::start().await;
    let store = place.workshop().store().clone();
    let _busy = Lease::prune(&store, &Clock::default()).await.unwrap();
    let asked = place.ask_for_backup().await;
    place
        .run("UPDATE public.rovodev_jobs SET created_at = now() - interval '1 hour'")
        .await;
    for _ in 0..6 {
        place.works_later().await;
    }
    let row = place.row("backups", asked.id).await;
    assert_eq!(
        (&row["status"], &row["error_code"]),
        (&"failed".into(), &"store_busy".into()),
        "{row}"
    );
}

/// The store was down for longer than the attempts at a deletion last.
#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_that_was_given_up_is_taken_up_by_the_tick() {
    let place = Workplace::start().await;
    let asked = place.ask_for_backup().await;
    place.works_later().await;
    place.ask_for_deletion(asked.id).await;
    let store = place.workshop().store().clone();
    let down = Rule::new(When::From(1), Fault::Fail { retry: true });
    for _ in 0..6 {
        place.time_passes().await;
        let down = Unreliable::new(store.clone(), [down.clone()]);
        let workshop = place.workshop().with_store(Store::Unreliable(down));
        work_off(&workshop, &Context::default()).await.unwrap();
    }
    assert_eq!(place.open_jobs().await, 0);
    let folder = rovodev::core::keys::backup_dir("default", asked.id);
    assert_ne!(store.list(&folder).await.unwrap(), []);
    let look = "SELECT public.rovodev_waiting_jobs()";
    place.run(look).await;
    assert_eq!(place.open_jobs().await, 0, "not at once");
    place
        .run("UPDATE public.rovodev_jobs SET ended_at = now() - interval '11 minutes'")
        .await;
    place.run(look).await;
    place.run(look).await;
    assert_eq!(place.open_jobs().await, 1, "and once");
    place.works_later().await;
    assert_eq!(store.list(&folder).await.unwrap(), []);
    place.run(look).await;
    assert_eq!(place.open_jobs().await, 0);
}
