//! One tenant's rows come back; nobody else's move.

use super::fixture::{Fixture, scope};
use rovodev::core::restore_plan::Mode;
use rovodev::error::Code;

const TABLES: &str = "CREATE TABLE lookup (id int PRIMARY KEY, name text); INSERT INTO lookup VALUES (1, 'one'), (2, 'two'), (3, 'unused'); \
    CREATE TABLE orgs (id int PRIMARY KEY, org_id int, main_call int); INSERT INTO orgs VALUES (1, 1), (2, 2); \
    CREATE TABLE calls (id int PRIMARY KEY, org_id int, kind int REFERENCES lookup, org int REFERENCES orgs); \
    INSERT INTO calls VALUES (1, 1, 1, 1), (2, 1, 2, 1), (3, 2, 1, 2); \
    ALTER TABLE orgs ADD FOREIGN KEY (main_call) REFERENCES calls; UPDATE orgs SET main_call = 1 WHERE id = 1; \
    CREATE TABLE events (id int PRIMARY KEY, call int REFERENCES calls, note text); INSERT INTO events VALUES (1, 1), (2, 2), (3, 3); \
    CREATE TABLE notes (id int PRIMARY KEY, event int REFERENCES events); INSERT INTO notes SELECT id, id FROM events;";

const BREAK: &str = "DELETE FROM notes; UPDATE events SET note = 'changed'; DELETE FROM events WHERE id = 2; \
    INSERT INTO calls VALUES (10, 1, 1, 1), (11, 2, 1, 2); INSERT INTO events VALUES (10, 10), (11, 11); \
    UPDATE lookup SET name = 'renamed' WHERE id = 1;";

#[tokio::test]
async fn only_the_tenants_rows_move() {
    let f = Fixture::new(TABLES).await;
    let whole = f.back_up().await;
    let scoped = f.back_up_some(scope("org_id", "1")).await;
    for backup in [whole, scoped] {
        f.run("TRUNCATE notes, events, calls, orgs, lookup").await;
        f.run(
            &TABLES
                .replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS")
                .replace(
                    "ALTER TABLE orgs ADD FOREIGN KEY (main_call) REFERENCES calls;",
                    "",
                ),
        )
        .await;
        f.run(BREAK).await;
        f.run("DELETE FROM calls WHERE id = 2; DELETE FROM lookup WHERE id = 2")
            .await;
        let mut request = f.request(&backup, Mode::Exact);
        request.choice.selection = scope("org_id", "1");
        let done = f.apply(&request).await.unwrap();
        let ids = async |sql: &str| {
            f.value::<Vec<String>>(&format!("SELECT array({sql})"))
                .await
        };
        assert_eq!(
            ids("SELECT id::text FROM calls ORDER BY calls.id").await,
            ["1", "2", "3", "11"]
        );
        assert_eq!(
            ids("SELECT id || coalesce(note, '') FROM events ORDER BY id").await,
            ["1", "2", "3changed", "11"]
        );
        assert_eq!(
            ids("SELECT id::text FROM notes ORDER BY notes.id").await,
            ["1", "2"]
        );
        assert_eq!(
            ids("SELECT id || name FROM lookup ORDER BY id").await,
            ["1renamed", "2two", "3unused"]
        );
        assert_eq!((done.rows_removed, done.rows_changed), (2, 1));
    }
    f.drop().await;
}

#[tokio::test]
async fn a_row_that_is_somebody_elses_now_is_not_taken() {
    let f = Fixture::new(TABLES).await;
    let backup = f.back_up().await;
    f.run("UPDATE calls SET org_id = 2 WHERE id = 2").await;
    let before = f.contents().await;
    let mut request = f.request(&backup, Mode::Exact);
    request.choice.selection = scope("org_id", "1");
    let error = f.apply(&request).await.unwrap_err();
    assert_eq!(error.code, Code::SharedRows);
    assert!(error.message.contains("public.calls"), "{}", error.message);
    assert_eq!(f.contents().await, before);
    f.drop().await;
}

/// A cast to the column's type would cut or round the value, and bring back another tenant's rows.
#[tokio::test]
async fn a_scope_never_takes_a_value_for_another() {
    let f = Fixture::new(
        "CREATE TABLE o (id int PRIMARY KEY, tenant varchar(8), number numeric(4,0), v text); \
         INSERT INTO o VALUES (1, 'acme-eur', 2, 'old'), (2, 'globex', 3, 'old')",
    )
    .await;
    let backup = f.back_up().await;
    f.run("UPDATE o SET v = 'new'").await;
    for (column, value) in [
        ("tenant", "acme-europe"),
        ("number", "1.6"),
        ("number", "x"),
        ("nosuch", "1"),
    ] {
        let mut request = f.request(&backup, Mode::Exact);
        request.choice.selection = scope(column, value);
        let error = f.apply(&request).await.unwrap_err();
        assert_eq!(
            error.code,
            Code::NothingSelected,
            "{column}={value}: {error}"
        );
    }
    assert_eq!(
        f.value::<i64>("SELECT count(*) FROM o WHERE v = 'new'")
            .await,
        2
    );
    f.drop().await;
}
