//! A database that is switched to read-only, and a standby: nothing is written, and what to do is told.

use super::fixture::Fixture;
use crate::support::assert_told;
use local::home::Home;
use local::stack::throw_away_postgres;
use rovodev::core::restore_plan::Mode;
use rovodev::error::{Code, Error};
use rovodev::ports::postgres::DatabaseUrl;
use rovodev::tasks::Context;
use rovodev::tasks::restore::{RestoreRequest, database, in_place};

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 100) i;";

/// Everybody who would write.
async fn writers(
    f: &Fixture,
    request: &RestoreRequest,
    done: uuid::Uuid,
) -> Vec<(&'static str, Error)> {
    let ctx = Context::default();
    vec![
        ("check", in_place::check(&ctx, request).await.err()),
        ("restore", f.apply(request).await.err()),
        (
            "plan",
            Box::pin(in_place::plan(&ctx, &f.store.store, request))
                .await
                .err(),
        ),
        ("undo", f.undo(done).await.err()),
        ("forget", in_place::forget(&f.url, &[done]).await.err()),
        ("expiry", in_place::drop_expired(&f.url).await.err()),
        ("leftovers", in_place::drop_leftovers(&f.url).await.err()),
    ]
    .into_iter()
    .map(|(who, refused)| (who, refused.unwrap_or_else(|| panic!("{who} went on"))))
    .collect()
}

#[tokio::test]
async fn nobody_writes_where_the_disk_is_nearly_full() {
    let f = Fixture::new(TABLE).await;
    let backup = f.back_up().await;
    f.run("DELETE FROM t WHERE id = 1").await;
    let done = f.restore(&backup, Mode::Exact).await.unwrap().operation;
    f.run("DELETE FROM t WHERE id < 10").await;
    let switch = format!(
        "ALTER DATABASE \"{}\" SET default_transaction_read_only TO on",
        f.url.database()
    );
    f.run(&switch).await;
    let before = f.contents().await;
    let request = f.request(&backup, Mode::Exact);
    for (who, refused) in writers(&f, &request, done).await {
        println!("{who}");
        assert_told(
            &refused,
            Code::NoSpace,
            &["read-only", "disk", "--even-read-only"],
        );
        assert!(!refused.retry);
    }
    assert_eq!(f.contents().await, before);
    assert_eq!(f.own_schemas("staging_").await.len(), 0);
    assert_eq!(f.own_schemas("undo_").await.len(), 1);
    // Reading goes on, and whoever insists may write.
    assert_eq!(f.back_up().await.totals.rows, 91);
    let insisting = RestoreRequest {
        target: f.url.clone().even_read_only(),
        ..request
    };
    let outcome = f.apply(&insisting).await.unwrap();
    assert_eq!(outcome.rows_added, 9);
    f.drop().await;
}

#[tokio::test]
async fn a_standby_is_named() {
    let home = Home::open().unwrap();
    let folder = home.throw_away().unwrap();
    let mut server = throw_away_postgres(&home, &folder, None).await.unwrap();
    let name = server.create_database().await.unwrap();
    let mut f = Fixture::at(DatabaseUrl::parse(&server.url(&name)).unwrap(), TABLE).await;
    let backup = f.back_up().await;
    server.stop();
    // A standby of nobody: it waits for WAL for ever, and can be read.
    std::fs::write(folder.path().join("postgres/data/standby.signal"), "").unwrap();
    server.restart().await.unwrap();
    let request = f.request(&backup, Mode::Exact);
    for (who, refused) in writers(&f, &request, uuid::Uuid::now_v7()).await {
        println!("{who}");
        assert_told(&refused, Code::DatabaseReadOnly, &["standby", "primary"]);
    }
    let refused = Box::pin(database::plan(
        &Context::default(),
        &f.store.store,
        &request,
    ))
    .await;
    assert_told(
        &refused.unwrap_err(),
        Code::DatabaseReadOnly,
        &["standby", "primary"],
    );
    server.stop();
    std::fs::remove_file(folder.path().join("postgres/data/standby.signal")).unwrap();
    server.restart().await.unwrap();
    f.session = f.another_session().await;
    assert!(f.own_schemas("staging_").await.is_empty());
    f.drop().await;
}
