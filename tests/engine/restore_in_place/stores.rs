//! From S3, and from a store that stalls, cuts and lies: live data is old or new, and nothing stays behind.

use super::faults::broken;
use super::fixture::{Contents, Fixture};
use crate::support::assert_told;
use rovodev::core::keys;
use rovodev::core::manifest::Manifest;
use rovodev::core::restore_plan::{Mode, Outcome};
use rovodev::error::{Code, Result};
use rovodev::ports::store::{Fault, Op, Rule, Store, Unreliable, When};
use rovodev::tasks::{Context, restore::in_place};
use std::time::Duration;

async fn from(f: &Fixture, store: &Store, backup: &Manifest, ctx: &Context) -> Result<Outcome> {
    let request = f.request(backup, Mode::Exact);
    let prepared = Box::pin(in_place::prepare(ctx, store, &request, None)).await?;
    Box::pin(prepared.apply(ctx)).await
}

fn faulty(f: &Fixture, when: When, fault: Fault) -> (Store, Unreliable) {
    let rule = Rule::new(when, fault).on(Op::Get, "segments/");
    let faulty = Unreliable::new(f.store.store.clone(), vec![rule]);
    (Store::Unreliable(faulty.clone()), faulty)
}

async fn assert_untouched(f: &Fixture, new: &Contents) {
    assert_eq!(f.contents().await, *new);
    assert_eq!(f.own_schemas("staging_").await, Vec::<String>::new());
    assert_eq!(f.own_schemas("undo_").await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn from_s3_and_back() {
    let mut f = Fixture::new(super::faults::TABLES).await;
    f.store = crate::support::opened(crate::store::places::s3().await).await;
    let old = f.contents().await;
    let backup = f.back_up().await;
    f.run("DELETE FROM c WHERE id % 3 = 0; UPDATE p SET v = 'x' WHERE id % 5 = 0; REFRESH MATERIALIZED VIEW m").await;
    let new = f.contents().await;
    let done = f.restore(&backup, Mode::Exact).await.unwrap();
    assert_eq!(f.contents().await, old);
    f.undo(done.operation).await.unwrap();
    assert_eq!(f.contents().await, new);
    f.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_lies_is_found_out_before_the_merge() {
    let (f, backup, old, new) = broken().await;
    for (fault, code) in [
        (Fault::Truncate, Code::ObjectDamaged),
        (Fault::FlipBit, Code::ObjectDamaged),
        (Fault::Fail { retry: false }, Code::StoreError),
    ] {
        let (store, _) = faulty(&f, When::From(2), fault);
        let error = from(&f, &store, &backup, &Context::default())
            .await
            .unwrap_err();
        assert_eq!(error.code, code, "{fault:?}: {error}");
        assert_untouched(&f, &new).await;
    }
    let key = keys::segment(
        &crate::support::table(&backup, "c")
            .segments()
            .next()
            .unwrap()
            .id,
        backup.codec,
    );
    let whole = f.store.store.get(&key).await.unwrap();
    f.store
        .store
        .delete(std::slice::from_ref(&key))
        .await
        .unwrap();
    let error = f.restore(&backup, Mode::Exact).await.unwrap_err();
    assert_told(&error, Code::ObjectMissing, &[&key]);
    assert_untouched(&f, &new).await;
    f.store.store.put_replace(&key, whole).await.unwrap();
    f.restore(&backup, Mode::Exact).await.unwrap();
    assert_eq!(f.contents().await, old);
    f.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_stumbles_is_asked_again() {
    for fault in [
        Fault::Fail { retry: true },
        Fault::LoseAnswer,
        Fault::Stall(Duration::from_millis(300)),
    ] {
        let (f, backup, old, _) = broken().await;
        let (store, calls) = faulty(&f, When::Call(2), fault);
        from(&f, &store, &backup, &Context::default())
            .await
            .unwrap();
        assert!(calls.calls() >= 2, "{fault:?}");
        assert_eq!(f.contents().await, old, "{fault:?}");
        f.drop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_hangs_can_be_given_up() {
    let (f, backup, _, new) = broken().await;
    let (store, calls) = faulty(&f, When::From(2), Fault::Stall(Duration::from_secs(600)));
    let ctx = Context::default();
    let giving_up = async {
        while calls.calls() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        ctx.cancel.cancel();
    };
    let (done, ()) = tokio::join!(from(&f, &store, &backup, &ctx), giving_up);
    assert_eq!(done.unwrap_err().code, Code::Cancelled);
    assert_untouched(&f, &new).await;
    f.drop().await;
}
