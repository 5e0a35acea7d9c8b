//! What is refused, with which code, and that nothing was touched.

use super::fixture::Fixture;
use crate::support::assert_told;
use rovodev::core::ident::QName;
use rovodev::core::manifest::{Manifest, Selection};
use rovodev::core::restore_plan::Mode;
use rovodev::error::{Code, Error};
use rovodev::tasks::Context;
use rovodev::tasks::restore::in_place;

async fn refused(f: &Fixture, backup: &Manifest, mode: Mode) -> Error {
    let before = f.contents().await;
    let error = f.restore(backup, mode).await.unwrap_err();
    assert_eq!(f.contents().await, before);
    assert_eq!(f.own_schemas("staging_").await, Vec::<String>::new());
    assert_eq!(f.own_schemas("undo_").await, Vec::<String>::new());
    error
}

#[tokio::test]
async fn changed_tables_are_drift_and_new_columns_with_defaults_are_not() {
    let f = Fixture::new(
        "CREATE TABLE gone (i int); CREATE TABLE t (id int PRIMARY KEY, a int, b int, c text); INSERT INTO t VALUES (1, 1, 1, 'x'), (2, 2, 2, 'y');",
    )
    .await;
    let backup = f.back_up().await;
    f.run("DROP TABLE gone; ALTER TABLE t DROP a, ALTER b TYPE bigint, ADD d int NOT NULL DEFAULT 1; ALTER TABLE t ALTER d DROP DEFAULT").await;
    let error = refused(&f, &backup, Mode::Exact).await;
    assert_eq!(error.code, Code::SchemaDrift);
    for part in [
        "public.gone does not exist",
        "public.t.a does not exist any more",
        "public.t.b was integer and is bigint now",
        "public.t.d is new",
    ] {
        assert!(error.message.contains(part), "{part}: {}", error.message);
    }
    f.run("CREATE TABLE gone (i int); ALTER TABLE t ADD a int, ALTER b TYPE int, ALTER d SET DEFAULT 7; UPDATE t SET a = id; \
           UPDATE t SET d = 5, c = 'changed' WHERE id = 1; DELETE FROM t WHERE id = 2").await;
    let before = f.contents().await;
    let done = f.restore(&backup, Mode::Exact).await.unwrap();
    assert!(
        done.warnings.iter().any(|w| w.code == "schema_drift"),
        "{:?}",
        done.warnings
    );
    let rows: Vec<String> = f
        .value("SELECT array(SELECT row(id, a, b, c, d)::text FROM t ORDER BY id)")
        .await;
    assert_eq!(rows, ["(1,1,1,x,5)", "(2,2,2,y,7)"]);
    f.undo(done.operation).await.unwrap();
    assert_eq!(f.contents().await, before);
    f.drop().await;
}

/// Each partition of the backup brings the same complaint: it is made once, under the table's own name.
#[tokio::test]
async fn drift_of_a_partitioned_table_is_told_once() {
    let f = Fixture::new(
        "CREATE TABLE e (id int, at int, note text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at); \
         CREATE TABLE e_1 PARTITION OF e FOR VALUES FROM (0) TO (10); CREATE TABLE e_2 PARTITION OF e FOR VALUES FROM (10) TO (20); \
         INSERT INTO e VALUES (1, 1, 'a'), (2, 11, 'b')",
    )
    .await;
    let backup = f.back_up().await;
    f.run("ALTER TABLE e DROP note").await;
    let mut request = f.request(&backup, Mode::Exact);
    let whole = f.apply(&request).await.unwrap_err();
    request.choice.selection.tables = vec![crate::support::public("e_1")];
    let leaf = f.apply(&request).await.unwrap_err();
    request.choice.selection.tables = vec![crate::support::public("e")];
    let root = f.apply(&request).await.unwrap_err();
    for (error, name) in [
        (whole, "public.e"),
        (leaf, "public.e_1"),
        (root, "public.e"),
    ] {
        let told = format!("{name}.note does not exist any more");
        assert_told(&error, Code::SchemaDrift, &[&told]);
        assert_eq!(error.message.matches("note").count(), 1, "{error}");
    }
    f.drop().await;
}

#[tokio::test]
async fn a_missing_parent_is_named_or_its_rows_are_left_out_with_theirs() {
    let f = Fixture::new(
        "CREATE SCHEMA auth; CREATE TABLE auth.users (id int PRIMARY KEY); INSERT INTO auth.users VALUES (1), (2); \
         CREATE TABLE profiles (id int PRIMARY KEY REFERENCES auth.users ON DELETE CASCADE); INSERT INTO profiles VALUES (1), (2); \
         CREATE TABLE posts (id int PRIMARY KEY, owner int REFERENCES profiles ON DELETE CASCADE); INSERT INTO posts VALUES (10, 1), (20, 2);",
    )
    .await;
    let backup = f.back_up().await;
    f.run("DELETE FROM auth.users WHERE id = 2").await;
    let error = refused(&f, &backup, Mode::Exact).await;
    assert_eq!(error.code, Code::MissingParent);
    assert!(
        error.message.contains("auth.users") && error.message.contains("id=2"),
        "{}",
        error.message
    );
    f.run("DELETE FROM posts").await;
    let done = f
        .apply(&rovodev::tasks::restore::RestoreRequest {
            operation: None,
            leave_out_orphans: true,
            ..f.request(&backup, Mode::Exact)
        })
        .await
        .unwrap();
    assert_eq!(done.rows_added, 1);
    assert!(done.warnings.iter().any(|w| w.code == "rows_left_out"));
    assert_eq!(
        f.value::<Vec<i32>>("SELECT array(SELECT id FROM posts)")
            .await,
        [10]
    );
    f.drop().await;
}

/// Its program died or slept at the commit, and somebody else took the restore up.
#[tokio::test]
async fn what_was_done_is_not_done_again_over_what_was_written_since() {
    let f = Fixture::new(
        "CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 1), (2, 2)",
    )
    .await;
    let backup = f.back_up().await;
    f.run("DELETE FROM t").await;
    let request = rovodev::tasks::restore::RestoreRequest {
        operation: Some(uuid::Uuid::now_v7()),
        ..f.request(&backup, Mode::Exact)
    };
    assert_eq!(f.apply(&request).await.unwrap().rows_added, 2);
    f.run("INSERT INTO t VALUES (3, 3)").await;
    let written = f.contents().await;
    let error = f.apply(&request).await.unwrap_err();
    assert_told(
        &error,
        Code::RestoreRunning,
        &["an attempt before this one"],
    );
    assert!(error.retry, "tried again, it is found done");
    assert_eq!(f.contents().await, written);
    assert_eq!(f.own_schemas("staging_").await, Vec::<String>::new());
    f.drop().await;
}

#[tokio::test]
async fn constraints_publications_room_and_another_restore_are_told_beforehand() {
    let f = Fixture::new(
        "CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 1), (2, 2); CREATE TABLE l (line text); INSERT INTO l VALUES ('a');",
    )
    .await;
    let backup = f.back_up().await;
    f.run("DELETE FROM t; ALTER TABLE t ADD CONSTRAINT small CHECK (v < 2) NOT VALID")
        .await;
    let error = refused(&f, &backup, Mode::Exact).await;
    assert_eq!(error.code, Code::ConstraintViolated);
    assert!(
        error
            .message
            .contains("CHECK small of public.t does not hold for 1 row to be restored"),
        "{}",
        error.message
    );
    f.run("ALTER TABLE t DROP CONSTRAINT small; INSERT INTO l VALUES ('b'); CREATE PUBLICATION all_l FOR TABLE l").await;
    assert_eq!(
        refused(&f, &backup, Mode::Exact).await.code,
        Code::PublishedWithoutIdentity
    );
    f.run("DROP PUBLICATION all_l").await;
    let request = rovodev::tasks::restore::RestoreRequest {
        operation: None,
        room: Some(10),
        ..f.request(&backup, Mode::Exact)
    };
    let error = f.apply(&request).await.unwrap_err();
    assert_told(&error, Code::NoSpace, &["--room"]);
    let first = f.prepare(&f.request(&backup, Mode::Exact)).await.unwrap();
    assert_eq!(
        f.restore(&backup, Mode::Exact).await.unwrap_err().code,
        Code::RestoreRunning
    );
    assert_eq!(
        in_place::drop_leftovers(&f.url).await.unwrap(),
        Vec::<String>::new()
    );
    drop(first);
    f.drop().await;
}

/// An address that was given to somebody else since. The plan says so, not the merge.
#[tokio::test]
async fn a_value_that_another_row_took_since_is_told_beforehand() {
    let f = Fixture::new(
        "CREATE TABLE people (id int PRIMARY KEY, org int, email text, gone boolean DEFAULT false, n int GENERATED ALWAYS AS (id * 2) STORED UNIQUE); \
         CREATE UNIQUE INDEX addresses ON people (org, lower(email)) WHERE NOT gone; \
         INSERT INTO people VALUES (1, 1, 'A@x'), (2, 1, 'b@x'), (3, 2, 'c@x'), (4, 1, NULL);",
    )
    .await;
    let backup = f.back_up().await;
    f.run("DELETE FROM people WHERE id < 3; INSERT INTO people VALUES (11, 1, 'a@X', false), (12, 1, 'B@x', true), (14, 1, NULL, false)")
        .await;
    let before = f.contents().await;
    for mode in [Mode::Missing, Mode::KeepNewer] {
        let request = f.request(&backup, mode);
        let Err(error) = f.prepare(&request).await else {
            panic!("the plan of {mode:?} promised what the merge cannot do");
        };
        let told = ["1 row of public.people", "lower(email)", "addresses"];
        assert_told(&error, Code::ConstraintViolated, &told);
    }
    let mut tenants = f.request(&backup, Mode::Exact);
    tenants.choice.selection = super::fixture::scope("org", "2");
    f.run("UPDATE people SET org = 3 WHERE id = 11; DELETE FROM people WHERE id = 3; INSERT INTO people VALUES (3, 2, 'new')").await;
    f.run("CREATE UNIQUE INDEX everywhere ON people (email); UPDATE people SET email = 'c@x' WHERE id = 11")
        .await;
    let Err(error) = f.prepare(&tenants).await else {
        panic!("another tenant's row has the address");
    };
    assert_told(&error, Code::ConstraintViolated, &["everywhere"]);
    f.run("DROP INDEX everywhere; UPDATE people SET org = 1, email = 'a@X' WHERE id = 11")
        .await;
    f.run("UPDATE people SET email = 'c@x' WHERE id = 3").await;
    assert_eq!(f.contents().await, before);
    // What has the value now gives it up.
    f.restore(&backup, Mode::Exact).await.unwrap();
    f.run("UPDATE people SET email = 'swapped' WHERE id = 1; UPDATE people SET email = 'A@x' WHERE id = 2; UPDATE people SET email = 'b@x' WHERE id = 1")
        .await;
    let swapped = f.restore(&backup, Mode::KeepNewer).await.unwrap();
    assert_eq!(swapped.rows_changed, 2);
    f.drop().await;
}

#[tokio::test]
async fn undo_refuses_rows_that_changed_since_or_leaves_them_alone() {
    let f = Fixture::new("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c');").await;
    let backup = f.back_up().await;
    f.run("DELETE FROM t WHERE id = 1; UPDATE t SET v = 'x' WHERE id > 1")
        .await;
    let done = f.restore(&backup, Mode::Exact).await.unwrap();
    f.run("UPDATE t SET v = 'since' WHERE id = 2").await;
    let error = f.undo(done.operation).await.unwrap_err();
    assert_eq!(error.code, Code::UndoConflict);
    assert_told(
        &error,
        Code::UndoConflict,
        &["1 row of public.t (id=2)", "--leave-changed"],
    );
    let ctx = rovodev::tasks::Context::default();
    in_place::undo(
        &ctx,
        &f.url,
        in_place::UndoRequest {
            leave_changed: true,
            dry_run: true,
            ..in_place::UndoRequest::of(done.operation)
        },
    )
    .await
    .unwrap();
    assert_eq!(
        f.value::<i64>("SELECT count(*) FROM t").await,
        3,
        "a dry run changes nothing"
    );
    f.undo_leaving_changed(done.operation).await.unwrap();
    assert_eq!(
        f.value::<Vec<String>>("SELECT array(SELECT id || v FROM t ORDER BY id)")
            .await,
        ["2since", "3x"]
    );
    let operations = in_place::operations(&f.url).await.unwrap();
    assert_eq!(operations.len(), 2);
    assert_eq!(operations[0].reverses, Some(done.operation));
    assert_eq!(
        f.undo(done.operation).await.unwrap_err().code,
        Code::UndoConflict
    );
    assert_eq!(
        f.undo(uuid::Uuid::nil()).await.unwrap_err().code,
        Code::OperationNotFound
    );
    f.drop().await;
}

#[tokio::test]
async fn a_name_that_the_backup_does_not_hold_is_no_smaller_restore() {
    let f =
        Fixture::new("CREATE TABLE calls (id int PRIMARY KEY); INSERT INTO calls VALUES (1)").await;
    let backup = f.back_up().await;
    f.run("DELETE FROM calls").await;
    for (tables, schemas, missing) in [
        (vec!["calls", "cals"], vec![], "table public.cals"),
        (vec!["calls"], vec!["Public"], "schema Public"),
    ] {
        let mut request = f.request(&backup, Mode::Exact);
        request.choice.selection = Selection {
            tables: tables.iter().map(|t| QName::new("public", *t)).collect(),
            schemas: schemas.into_iter().map(String::from).collect(),
            scope: None,
            ..Selection::default()
        };
        let refused = f.prepare(&request).await.err().unwrap();
        assert_eq!(refused.code, Code::NothingSelected);
        assert_eq!(refused.message, format!("not in the backup: {missing}"));
    }
    f.drop().await;
}

/// What is kept of each row for the undo has columns of its own, and a table has 1,600 at most.
#[tokio::test]
async fn a_table_of_too_many_columns_is_refused_beforehand() {
    let columns = |n: usize| {
        let each: Vec<_> = (1..=n).map(|i| format!("c{i} int2")).collect();
        each.join(", ")
    };
    let sql = format!(
        "CREATE TABLE wide (id int PRIMARY KEY, {}); INSERT INTO wide (id, c7) VALUES (1, 1), (2, 2)",
        columns(1596)
    );
    let f = Fixture::new(&sql).await;
    let backup = f.back_up().await;
    f.run("UPDATE wide SET c7 = 9 WHERE id = 1; DELETE FROM wide WHERE id = 2")
        .await;
    let ctx = Context::default();
    let request = f.request(&backup, Mode::Exact);
    let planned = in_place::plan(&ctx, &f.store.store, &request).await;
    let error = refused(&f, &backup, Mode::Exact).await;
    for error in [planned.unwrap_err(), error] {
        let parts = ["public.wide has 1597 columns", "1596", "--target-url"];
        assert_told(&error, Code::TooManyColumns, &parts);
    }

    f.run("ALTER TABLE wide DROP c1596").await;
    let (changed, backup) = (f.contents().await, f.back_up().await);
    f.run("UPDATE wide SET c7 = 10 WHERE id = 1; INSERT INTO wide (id) VALUES (3)")
        .await;
    let before = f.contents().await;
    let done = f.restore(&backup, Mode::Exact).await.unwrap();
    assert_eq!(f.contents().await, changed, "1,596 columns are kept");
    f.undo(done.operation).await.unwrap();
    assert_eq!(f.contents().await, before);
    f.drop().await;
}

/// What goes is kept for the undo, however small the backup is.
#[tokio::test]
async fn room_is_counted_by_the_rows_that_go_too() {
    let f = Fixture::new(
        "CREATE TABLE t (id int PRIMARY KEY, body text); ALTER TABLE t ALTER body SET STORAGE EXTERNAL",
    )
    .await;
    let backup = f.back_up().await;
    f.run("INSERT INTO t SELECT n, repeat('x', 100000) FROM generate_series(1, 100) n")
        .await;
    let prepared = f.prepare(&f.request(&backup, Mode::Exact)).await.unwrap();
    let needed = prepared.plan().bytes_needed;
    assert!(needed > 10_000_000, "{needed} bytes");
    prepared.discard().await.unwrap();
    f.drop().await;
}
