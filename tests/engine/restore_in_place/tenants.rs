//! One tenant's rows come back; nobody else's move.

use super::fixture::{Fixture, scope};
use rovodev::core::restore_plan::Mode;
use rovodev::error::Code;
use rovodev::tasks::Context;

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
        let prepared = f.prepare(&request).await.unwrap();
        let note = prepared
            .plan()
            .notes
            .iter()
            .find(|n| n.code == "shared_rows_differ");
        let told = &note.expect("a shared row differs").message;
        assert!(told.ends_with(": 1 row of public.lookup"), "{told}");
        let done = prepared.apply(&Context::default()).await.unwrap();
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
        ("number", "02"),
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

const GENERATED: &str = "CREATE TABLE docs (id int PRIMARY KEY, path text, tenant varchar(8) GENERATED ALWAYS AS (split_part(path, '/', 1)) STORED); \
    CREATE TABLE parts (id int PRIMARY KEY, doc int REFERENCES docs, v text); \
    INSERT INTO docs VALUES (1, 'acme/a'), (2, 'acme/b'), (3, 'globex/c'); INSERT INTO parts SELECT id * 10, id, 'old' FROM docs;";

/// No backup stores what the database computes; it tells tenants apart all the same.
#[tokio::test]
async fn a_generated_tenant_column_is_a_tenant_column() {
    let f = Fixture::new(GENERATED).await;
    let whole = f.back_up().await;
    let scoped = f.back_up_some(scope("tenant", "acme")).await;
    assert_eq!(crate::support::table(&scoped, "docs").rows, 2);
    assert_eq!(crate::support::table(&scoped, "parts").rows, 2);
    for backup in [whole, scoped] {
        f.run("DELETE FROM parts; DELETE FROM docs WHERE id <> 2; UPDATE docs SET path = 'acme/moved'; \
               INSERT INTO docs VALUES (4, 'globex/new'), (5, 'acme/new')").await;
        let mut request = f.request(&backup, Mode::Exact);
        request.choice.selection = scope("tenant", "acme");
        f.apply(&request).await.unwrap();
        let docs = "SELECT array(SELECT id || path || tenant FROM docs ORDER BY id)";
        assert_eq!(
            f.value::<Vec<String>>(docs).await,
            ["1acme/aacme", "2acme/bacme", "4globex/newglobex"]
        );
        assert_eq!(
            f.value::<Vec<i32>>("SELECT array(SELECT id FROM parts ORDER BY id)")
                .await,
            [10, 20]
        );
        f.run("DELETE FROM docs WHERE id = 4").await;
    }
    f.drop().await;
}

/// A choice narrows what is looked at; of what a scope says nothing, nothing is restored in silence.
#[tokio::test]
async fn a_choice_narrows_a_scope() {
    let sql = format!(
        "{TABLES} CREATE TABLE countries (id int PRIMARY KEY); INSERT INTO countries VALUES (1); \
        CREATE TABLE other (id int PRIMARY KEY, org_id int, v int); INSERT INTO other VALUES (1, 2, 1)"
    );
    let f = Fixture::new(&sql).await;
    let backup = f.back_up().await;
    f.run("DELETE FROM notes; DELETE FROM events WHERE id = 2; DELETE FROM lookup WHERE id = 3; DELETE FROM countries; \
           ALTER TABLE other ALTER v TYPE bigint; ALTER TABLE notes ADD made_since int NOT NULL").await;
    let chosen = |table: &str| {
        let mut request = f.request(&backup, Mode::Exact);
        request.choice.selection = scope("org_id", "1");
        request.choice.selection.tables = vec![crate::support::public(table)];
        request
    };
    let plan = async |table: &str| {
        let ctx = rovodev::tasks::Context::default();
        Box::pin(rovodev::tasks::restore::in_place::plan(
            &ctx,
            &f.store.store,
            &chosen(table),
        ))
        .await
    };
    // Drift elsewhere is no concern of these rows; what tells whose they are is looked at.
    let events = plan("events").await.unwrap();
    assert_eq!(events.scope, scope("org_id", "1").scope);
    let told: Vec<_> = events
        .tables
        .iter()
        .map(|t| (t.table.name.as_str(), t.rows_in_backup, t.add))
        .collect();
    assert_eq!(told, [("events", 2, 1)]);
    assert_eq!(plan("notes").await.unwrap_err().code, Code::SchemaDrift);
    let error = plan("countries").await.unwrap_err();
    crate::support::assert_told(
        &error,
        Code::NothingSelected,
        &["selects nothing of public.countries", "without --scope"],
    );
    f.run("ALTER TABLE notes DROP made_since; ALTER TABLE other ALTER v TYPE int")
        .await;
    let lookup = plan("lookup").await.unwrap();
    assert_eq!(
        (lookup.tables[0].rows_in_backup, lookup.tables[0].add),
        (2, 0)
    );
    let mut all = f.request(&backup, Mode::Exact);
    all.choice.selection = scope("org_id", "1");
    let ctx = rovodev::tasks::Context::default();
    let all = Box::pin(rovodev::tasks::restore::in_place::plan(
        &ctx,
        &f.store.store,
        &all,
    ))
    .await
    .unwrap();
    let listed: Vec<_> = all.tables.iter().map(|t| t.table.name.as_str()).collect();
    assert_eq!(listed, ["calls", "events", "lookup", "notes", "orgs"]);
    f.apply(&chosen("events")).await.unwrap();
    assert_eq!(f.value::<i64>("SELECT count(*) FROM events").await, 3);
    f.drop().await;
}
