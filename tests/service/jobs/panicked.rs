//! Work that meets an error of our own, in a process that lives on: its job fails at once and holds up nobody.

use super::removed::outlast_the_claim;
use super::workplace::Workplace;
use local::demo;
use rovodev::core::keys;
use rovodev::ports::store::{Fault, Rule, Store, Unreliable, When};
use rovodev::tasks::Context;
use rovodev::tasks::jobs::{clean_up, work_off};
use serde_json::Value;

/// A worker that panics at its n-th call to the store; what waits is worked off.
async fn panics_at(place: &Workplace, call: u64) {
    let panic = Rule::new(When::Call(call), Fault::Panic);
    let store = Unreliable::new(place.workshop().store().clone(), [panic]);
    let workshop = place
        .workshop()
        .with_store(Store::Unreliable(store.clone()));
    work_off(&workshop, &Context::default()).await.unwrap();
    assert!(store.calls() >= call, "it never makes {call} calls");
}

/// It says that the fault is ours, and nothing of what the panic said.
fn assert_failed(row: &Value, call: u64) {
    assert_eq!(row["status"], "failed", "{call}: {row}");
    assert_eq!(row["error_code"], "internal", "{call}: {row}");
    let told = row.to_string();
    assert!(!told.contains("panic"), "{call}: {told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_panics_fails_at_once_and_the_next_is_completed() {
    let place = Workplace::start().await;
    // In its own task, in that of a reader and in those that write segments.
    for call in [1, 2, 5, 9, 14, 20] {
        let asked = place.ask_for_backup().await;
        panics_at(&place, call).await;
        assert_failed(&place.row("backups", asked.id).await, call);
        assert_eq!(place.told(asked.id, "failed").await, 1, "{call}");
        let next = place.ask_for_backup().await;
        place.works().await;
        let row = place.row("backups", next.id).await;
        assert_eq!(row["status"], "completed", "{call}: {row}");
        place.nothing_is_left().await;
        place.assert_store_and_catalog_agree().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_panics_changes_nothing_and_the_next_is_completed() {
    let mut place = Workplace::start().await;
    let backup = place.ask_for_backup().await.id;
    place.works().await;
    let whole = place.contents().await;
    for call in [1, 7, 20, 37] {
        demo::damage(&mut place.owner).await.unwrap();
        let damaged = place.contents().await;
        let asked = place.ask_for_restore(backup).await.operation_id;
        panics_at(&place, call).await;
        assert_failed(&place.row("restore_operations", asked).await, call);
        assert_eq!(place.contents().await, damaged, "{call}");
        let next = place.ask_for_restore(backup).await.operation_id;
        place.works().await;
        let row = place.row("restore_operations", next).await;
        assert_eq!(row["status"], "completed", "{call}: {row}");
        assert_eq!(place.contents().await, whole, "{call}");
        clean_up(&place.workshop(), &Context::default())
            .await
            .unwrap();
        assert_eq!(place.staging().await, 0, "{call}");
        place.assert_store_and_catalog_agree().await;
        // A safety backup that nobody needs may wait for the claim of the dead one on the store.
        let waits = "SELECT count(*) FROM public.rovodev_jobs WHERE state IN ('queued', 'running') \
             AND NOT (kind = 'delete' AND last_error ->> 'code' = 'store_busy')";
        assert_eq!(place.count(waits).await, 0, "{call}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_panics_leaves_no_file_and_the_next_is_completed() {
    let place = Workplace::start().await;
    let backup = place.ask_for_backup().await.id;
    place.works().await;
    for call in [1, 6] {
        place.revoke_downloads(backup).await;
        let export = place.ask_for_export(backup).await;
        panics_at(&place, call).await;
        assert_failed(&place.row("rovodev_exports", export.id).await, call);
        let left = place.workshop().store().list(keys::EXPORTS).await.unwrap();
        assert!(
            left.iter().all(|o| o.key != export.store_key),
            "{call}: {left:?}"
        );
        let next = place.ask_for_export(backup).await;
        place.works().await;
        let row = place.row("rovodev_exports", next.id).await;
        assert_eq!(row["status"], "completed", "{call}: {row}");
        place.nothing_is_left().await;
    }
}

/// It is out of every list from the start, so a later tick goes on with what is left of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_that_panics_is_begun_again_by_a_later_tick() {
    let place = Workplace::start().await;
    for call in [1, 3, 5] {
        let backup = place.ask_for_backup().await.id;
        place.works().await;
        place.ask_for_deletion(backup).await;
        panics_at(&place, call).await;
        assert_eq!(place.told(backup, "failed").await, 1, "{call}");
        assert_eq!(place.open_jobs().await, 0, "{call}");
        place
            .run(
                "UPDATE public.rovodev_jobs SET ended_at = ended_at - interval '11 minutes' WHERE state = 'failed'; \
                 SELECT public.rovodev_waiting_jobs()",
            )
            .await;
        assert_eq!(place.open_jobs().await, 1, "{call}");
        place.works().await;
        outlast_the_claim(&place, place.workshop().store()).await;
        let folder = keys::backup_dir("default", backup);
        assert_eq!(place.workshop().store().list(&folder).await.unwrap(), []);
        place.nothing_is_left().await;
        place.assert_store_and_catalog_agree().await;
    }
}
