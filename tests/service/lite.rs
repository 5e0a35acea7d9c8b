//! The same on another PostgREST, with tokens of the older kind: nothing relies on a point where two of them differ.

use crate::stack::Running;
use crate::{backups, postgrest, rights, transitions};

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_way() {
    backups::whole_way(Running::start_on_lite().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn roles() {
    rights::walk_by_roles(Running::start_on_lite().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_shut() {
    postgrest::everything_is_shut(Running::start_on_lite().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn older_tokens() {
    transitions::older_tokens(Running::start_on_lite().await).await;
}
