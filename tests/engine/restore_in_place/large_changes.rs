//! Changes of nearly every row of large tables: no check compares each row with each.

use super::fixture::Fixture;
use crate::support::{PATIENCE, public};
use rovodev::core::restore_plan::Mode;
use rovodev::error::Code;
use std::future::Future;

/// Each with each would be 900 million comparisons, which take a minute.
const TABLES: &str = "CREATE TABLE p (id int PRIMARY KEY, code text UNIQUE, v text);
    INSERT INTO p SELECT i, 'c' || i, 'v' FROM generate_series(1, 30000) i;
    CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p, code text REFERENCES p (code) DEFERRABLE);
    INSERT INTO c SELECT i, i, 'c' || i FROM generate_series(1, 30000) i;
    CREATE TABLE loose (p int REFERENCES p, n int); INSERT INTO loose SELECT i, i FROM generate_series(1, 30000) i";

async fn soon<T>(what: &str, work: impl Future<Output = T>) -> T {
    let ended = tokio::time::timeout(PATIENCE, work).await;
    ended.unwrap_or_else(|_| panic!("{what} does not end"))
}

/// The table that was emptied looks to the planner as if it had one row, full again as it is.
#[tokio::test]
async fn parents_changed_and_children_gone() {
    let f = Fixture::new(TABLES).await;
    let backup = f.back_up().await;
    let old = f.contents().await;
    f.run("UPDATE p SET v = 'lost'; DELETE FROM c; UPDATE loose SET p = 30001 - p")
        .await;
    let broken = f.contents().await;
    let done = soon("the restore", f.restore(&backup, Mode::Exact)).await;
    assert_eq!(f.contents().await, old);
    soon("the undo", f.undo(done.unwrap().operation))
        .await
        .unwrap();
    assert_eq!(f.contents().await, broken);
    f.drop().await;
}

#[tokio::test]
async fn children_whose_parents_are_gone_are_refused_or_left_out() {
    let f = Fixture::new(TABLES).await;
    let backup = f.back_up().await;
    f.run("TRUNCATE p, c, loose").await;
    let mut request = f.request(&backup, Mode::Missing);
    request.choice.selection.tables = vec![public("c"), public("loose")];
    let refused = soon("the refusal", f.apply(&request)).await;
    assert_eq!(refused.unwrap_err().code, Code::MissingParent);
    request.leave_out_orphans = true;
    soon("leaving out", f.apply(&request)).await.unwrap();
    assert_eq!(f.value::<i64>("SELECT count(*) FROM c").await, 0);
    f.drop().await;
}
