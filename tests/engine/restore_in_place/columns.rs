//! Columns that the backup lacks, and columns that came after the restore: no undo loses what they hold.

use super::fixture::Fixture;
use crate::support::assert_told;
use rovodev::core::restore_plan::Mode;
use rovodev::error::Code;
use rovodev::tasks::restore::in_place;

/// Two rows swap a unique value, so that the undo has to delete and insert them.
#[tokio::test]
async fn rows_that_an_undo_replaces_keep_columns_that_came_since() {
    let f = Fixture::new(
        "CREATE TABLE t (id int PRIMARY KEY, place int UNIQUE); INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)",
    )
    .await;
    let backup = f.back_up().await;
    f.run("UPDATE t SET place = -place; UPDATE t SET place = CASE id WHEN 1 THEN 2 WHEN 2 THEN 1 ELSE 3 END")
        .await;
    let restored = f.restore(&backup, Mode::Exact).await.unwrap();
    f.run(
        "ALTER TABLE t ADD phone text, ADD COLUMN n int GENERATED ALWAYS AS IDENTITY; \
         UPDATE t SET phone = 'phone of ' || id",
    )
    .await;
    let rows = "SELECT array(SELECT t::text FROM t ORDER BY id)";
    let with_phones = f.value::<Vec<String>>(rows).await;
    // The server numbers rows as they lie.
    let n = f
        .value::<Vec<i32>>("SELECT array(SELECT n FROM t ORDER BY id)")
        .await;
    let undone = f.undo(restored.operation).await.unwrap();
    let swapped = [(1, 2), (2, 1), (3, 3)]
        .map(|(id, place)| format!("({id},{place},\"phone of {id}\",{})", n[id - 1]));
    assert_eq!(f.value::<Vec<String>>(rows).await, swapped);
    f.undo(undone.operation).await.unwrap();
    assert_eq!(f.value::<Vec<String>>(rows).await, with_phones);
    f.drop().await;
}

/// What adding a column gave the rows is nobody's; what was written to it is.
#[tokio::test]
async fn inserted_rows_with_new_values_count_as_changed() {
    for key in ["PRIMARY KEY", ""] {
        let f = Fixture::new(&format!(
            "CREATE TABLE t (id int {key}, name text); INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')"
        ))
        .await;
        let backup = f.back_up().await;
        f.run("DELETE FROM t").await;
        let restored = f.restore(&backup, Mode::Exact).await.unwrap();
        f.run(
            "ALTER TABLE t ADD phone text, ADD at timestamptz NOT NULL DEFAULT now(), \
             ADD tags text[] NOT NULL DEFAULT '{}', ADD j json DEFAULT '{\"a\": \"\\\"\"}'",
        )
        .await;
        f.run("UPDATE t SET phone = '555' WHERE id = 2").await;
        let error = f.undo(restored.operation).await.unwrap_err();
        let row = if key.is_empty() { "1 row" } else { "id=2" };
        assert_told(&error, Code::UndoConflict, &["public.t", row]);
        assert_eq!(f.value::<i64>("SELECT count(*) FROM t").await, 3);
        let undone = f.undo_leaving_changed(restored.operation).await.unwrap();
        let left = "SELECT array(SELECT id || coalesce(phone, '') FROM t ORDER BY id)";
        assert_eq!(f.value::<Vec<String>>(left).await, ["2555"], "{key}");
        let restored = f.undo(undone.operation).await.unwrap();
        assert_eq!(f.value::<Vec<String>>(left).await, ["1", "2555", "3"]);
        let kept = "SELECT count(*) FROM t WHERE tags = '{}' AND j::text = '{\"a\": \"\\\"\"}' AND at = (SELECT at FROM t WHERE id = 2)";
        assert_eq!(f.value::<i64>(kept).await, 3, "as they were, {key}");
        f.run("UPDATE t SET tags = '{new}' WHERE id = 3").await;
        let error = f.undo(restored.operation).await.unwrap_err();
        assert_told(&error, Code::UndoConflict, &["1 row of public.t"]);
        f.drop().await;
    }
}

/// The restore gives them the target's defaults, which the undo has to know to tell what was written since.
#[tokio::test]
async fn columns_that_the_backup_lacks_count_as_well() {
    for key in ["PRIMARY KEY", ""] {
        let f = Fixture::new(&format!(
            "CREATE TABLE t (id int {key}, name text); INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')"
        ))
        .await;
        let backup = f.back_up().await;
        f.run(
            "ALTER TABLE t ADD token uuid DEFAULT gen_random_uuid(), ADD n bigint GENERATED ALWAYS AS IDENTITY, ADD note text DEFAULT 'none'; \
             DELETE FROM t WHERE id > 1",
        )
        .await;
        let before = f.contents().await;
        let first = f.restore(&backup, Mode::Exact).await.unwrap();
        let after = f.contents().await;
        let undone = f.undo(first.operation).await.unwrap();
        assert_eq!(f.contents().await, before, "{key}");
        let second = f.undo(undone.operation).await.unwrap();
        assert_eq!(f.contents().await, after, "the same tokens, {key}");
        f.run("UPDATE t SET note = 'mine' WHERE id = 2").await;
        let error = f.undo(second.operation).await.unwrap_err();
        assert_told(&error, Code::UndoConflict, &["1 row of public.t"]);
        f.undo_leaving_changed(second.operation).await.unwrap();
        let left = "SELECT array(SELECT id || note FROM t ORDER BY id)";
        assert_eq!(f.value::<Vec<String>>(left).await, ["1none", "2mine"]);
        f.drop().await;
    }
}

#[tokio::test]
async fn rows_cannot_come_back_without_a_column_that_takes_no_null() {
    let f = Fixture::new("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)").await;
    let backup = f.back_up().await;
    f.run("INSERT INTO t VALUES (2)").await;
    let restored = f.restore(&backup, Mode::Exact).await.unwrap();
    f.run("ALTER TABLE t ADD phone text; UPDATE t SET phone = '555'; ALTER TABLE t ALTER phone SET NOT NULL")
        .await;
    let error = f.undo(restored.operation).await.unwrap_err();
    assert_told(
        &error,
        Code::SchemaDrift,
        &["public.t.phone", "takes no NULL", "undo_"],
    );
    f.drop().await;
}

/// Rows are looked up by it, and nothing writes it.
#[tokio::test]
async fn a_computed_column_in_the_primary_key() {
    let f = Fixture::new(
        "CREATE TABLE t (a int, b varchar(20), k text GENERATED ALWAYS AS (b || '/' || a) STORED, note text, PRIMARY KEY (k, a)); \
         CREATE TABLE child (k text, a int, FOREIGN KEY (k, a) REFERENCES t (k, a)); \
         INSERT INTO t (a, b, note) SELECT i, 'b' || i, 'old' FROM generate_series(1, 20) i; \
         INSERT INTO child SELECT k, a FROM t WHERE a < 5",
    )
    .await;
    let before = f.contents().await;
    let backup = f.back_up().await;
    f.run(
        "ALTER TABLE t ADD later text DEFAULT 'later'; DELETE FROM t WHERE a > 15; UPDATE t SET note = 'new' WHERE a < 3; \
         UPDATE t SET b = 'moved' WHERE a = 10; INSERT INTO t (a, b) VALUES (30, 'b30'); DELETE FROM child WHERE a = 4",
    )
    .await;
    let broken = f.contents().await;
    let notes = "SELECT count(*) FROM t WHERE note = 'new'";
    f.restore(&backup, Mode::Missing).await.unwrap();
    assert_eq!(f.value::<i64>("SELECT count(*) FROM t").await, 22);
    assert_eq!(f.value::<i64>(notes).await, 2);
    let undone = in_place_latest(&f).await;
    f.undo(undone).await.unwrap();
    assert_eq!(f.contents().await, broken);
    let exact = f.restore(&backup, Mode::Exact).await.unwrap();
    let restored = f.contents().await;
    let undone = f.undo(exact.operation).await.unwrap();
    assert_eq!(f.contents().await, broken);
    f.undo(undone.operation).await.unwrap();
    assert_eq!(f.contents().await, restored);
    f.run("ALTER TABLE t DROP later").await;
    assert_eq!(f.contents().await, before);
    f.drop().await;
}

async fn in_place_latest(f: &Fixture) -> uuid::Uuid {
    let found = in_place::find_operation(&f.url, "latest").await.unwrap();
    found.id
}
