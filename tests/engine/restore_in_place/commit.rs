//! A connection that breaks exactly at COMMIT, before or after the server got it: the answer is right both times.

use super::commit_proxy::{CommitProxy, Cut};
use super::faults::broken;
use rovodev::core::restore_plan::Mode;
use rovodev::error::Code;
use rovodev::tasks::Context;
use rovodev::tasks::restore::{RestoreRequest, in_place};

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_is_lost_was_done() {
    for cut in [Cut::Before, Cut::After] {
        let (f, backup, old, _) = broken().await;
        let proxy = CommitProxy::start(&f, cut, 1, false).await;
        let request = RestoreRequest {
            operation: None,
            target: proxy.url.clone(),
            ..f.request(&backup, Mode::Exact)
        };
        let done = f.apply(&request).await.unwrap();
        assert_eq!(proxy.cuts(), 1, "{cut:?}");
        assert_eq!(f.contents().await, old, "{cut:?}");
        assert!(in_place::was_done(&f.url, done.operation).await.unwrap());
        assert_eq!(
            in_place::operations(&f.url).await.unwrap().len(),
            1,
            "{cut:?}"
        );
        assert_eq!(
            f.own_schemas("staging_").await,
            Vec::<String>::new(),
            "{cut:?}"
        );
        f.drop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_never_arrives_was_not_done() {
    let (f, backup, old, new) = broken().await;
    let proxy = CommitProxy::start(&f, Cut::Before, usize::MAX, false).await;
    let request = RestoreRequest {
        operation: None,
        target: proxy.url.clone(),
        ..f.request(&backup, Mode::Exact)
    };
    let prepared = f.prepare(&request).await.unwrap();
    let operation = prepared.plan().operation;
    let error = Box::pin(prepared.apply(&Context::default()))
        .await
        .unwrap_err();
    assert_eq!(error.code, Code::ConnectionLost, "{error}");
    assert!(proxy.cuts() > 1, "it was tried again");
    assert_eq!(f.contents().await, new);
    assert!(!in_place::was_done(&f.url, operation).await.unwrap());
    assert_eq!(
        f.own_schemas("")
            .await
            .iter()
            .filter(|s| s.starts_with("undo_") || s.starts_with("staging_"))
            .count(),
        0
    );
    f.restore(&backup, Mode::Exact).await.unwrap();
    assert_eq!(f.contents().await, old);
    f.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_knows_whether_it_was_committed() {
    for cut in [Cut::Before, Cut::After] {
        let (f, backup, old, new) = broken().await;
        let done = f.restore(&backup, Mode::Exact).await.unwrap().operation;
        let proxy = CommitProxy::start(&f, cut, 1, false).await;
        let undone = in_place::undo(
            &Context::default(),
            &proxy.url,
            in_place::UndoRequest::of(done),
        )
        .await;
        assert_eq!(proxy.cuts(), 1, "{cut:?}");
        match cut {
            Cut::After => {
                let undone = undone.unwrap();
                assert!(in_place::was_done(&f.url, undone.operation).await.unwrap());
            }
            Cut::Before => {
                assert_eq!(undone.unwrap_err().code, Code::ConnectionLost);
                assert_eq!(f.contents().await, old);
                f.undo(done).await.unwrap();
            }
        }
        assert_eq!(f.contents().await, new, "{cut:?}");
        assert_eq!(in_place::operations(&f.url).await.unwrap().len(), 2);
        assert_eq!(f.own_schemas("staging_").await, Vec::<String>::new());
        f.drop().await;
    }
}
