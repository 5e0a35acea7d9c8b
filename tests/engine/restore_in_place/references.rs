//! Foreign keys that a restore or its undo would break: counted beforehand, refused with a way out.

use super::fixture::Fixture;
use crate::support::{assert_told, public};
use rovodev::core::restore_plan::{Broken, Mode};
use rovodev::error::Code;
use rovodev::tasks::Context;
use rovodev::tasks::restore::{RestoreRequest, in_place};

const TABLES: &str = "CREATE TABLE p (id int PRIMARY KEY, code text UNIQUE); CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p); \
    INSERT INTO p VALUES (1, 'one'), (2, 'two'); INSERT INTO c VALUES (1, 1), (2, 2);";

/// Only `table` is restored, without the rows that would have no parent.
fn only(f: &Fixture, backup: &rovodev::core::manifest::Manifest, table: &str) -> RestoreRequest {
    let mut request = f.request(backup, Mode::Exact);
    request.leave_out_orphans = true;
    request.choice.selection.tables = vec![public(table)];
    request
}

async fn plan(f: &Fixture, request: &RestoreRequest) -> rovodev::core::restore_plan::Plan {
    let ctx = Context::default();
    let plan = in_place::plan(&ctx, &f.store.store, request);
    Box::pin(plan).await.unwrap()
}

#[tokio::test]
async fn rows_outside_the_choice_keep_their_parents() {
    let f = Fixture::new(TABLES).await;
    let backup = f.back_up().await;
    f.run("INSERT INTO p VALUES (3, 'three'), (4, 'four'); INSERT INTO c VALUES (3, 3), (4, 4), (5, 4); \
           CREATE TABLE later (p int REFERENCES p); INSERT INTO later VALUES (3)").await;
    let before = f.contents().await;
    let request = only(&f, &backup, "p");
    let planned = plan(&f, &request).await.broken_references;
    assert_eq!(planned.len(), 2, "{planned:?}");
    assert!(planned.iter().all(|b| b.why == Broken::ParentRemoved));
    assert_eq!((planned[0].rows, planned[1].rows), (3, 1));
    let error = f.apply(&request).await.unwrap_err();
    let told = [
        "3 rows of public.c refer by c_p_fkey to rows of public.p that would be removed: p=",
        "1 row of public.later refers by later_p_fkey",
        "Choose public.c too (--table public.c), or use --mode keep-newer",
        "Remove these rows of public.later first, or use --mode keep-newer",
    ];
    assert_told(&error, Code::MissingParent, &told);
    assert!(
        !format!("{:?}", error.hint).contains("--leave-out-orphans"),
        "{error:?}"
    );
    assert_eq!(f.contents().await, before);
    assert_eq!(f.own_schemas("staging_").await, Vec::<String>::new());
    f.run("DELETE FROM later").await;
    let mut both = request.clone();
    both.choice.selection.tables.push(public("c"));
    assert_eq!(plan(&f, &both).await.broken_references, []);
    assert_eq!(f.apply(&both).await.unwrap().rows_removed, 5);
    f.drop().await;
}

/// What the remedies name is what works.
#[tokio::test]
async fn a_milder_mode_is_a_way_out() {
    let f = Fixture::new(TABLES).await;
    let backup = f.back_up().await;
    f.run("INSERT INTO p VALUES (3, 'three'); INSERT INTO c VALUES (3, 3)")
        .await;
    let mut request = only(&f, &backup, "p");
    request.mode = Mode::KeepNewer;
    assert_eq!(plan(&f, &request).await.broken_references, []);
    f.apply(&request).await.unwrap();
    // A key on another unique column breaks by a change too.
    f.run("CREATE TABLE by_code (code text REFERENCES p (code)); UPDATE p SET code = 'uno' WHERE id = 1; \
           INSERT INTO by_code VALUES ('uno')").await;
    let error = f.apply(&request).await.unwrap_err();
    assert_told(&error, Code::MissingParent, &["by_code", "--mode missing"]);
    request.mode = Mode::Missing;
    f.apply(&request).await.unwrap();
    f.drop().await;
}

#[tokio::test]
async fn parents_outside_the_choice_are_asked_for() {
    let f = Fixture::new(TABLES).await;
    let backup = f.back_up().await;
    f.run("DELETE FROM c WHERE id = 2; DELETE FROM p WHERE id = 2")
        .await;
    let mut request = only(&f, &backup, "c");
    (request.force, request.leave_out_orphans) = (true, false);
    let planned = plan(&f, &request).await.broken_references;
    assert_eq!((planned.len(), planned[0].why), (1, Broken::ParentMissing));
    let error = f.apply(&request).await.unwrap_err();
    assert_told(
        &error,
        Code::MissingParent,
        &[
            "1 row of public.c refers by c_p_fkey to rows of public.p that are not there: id=2",
            "Choose public.p too (--table public.p), or leave these rows out by --leave-out-orphans",
        ],
    );
    request.leave_out_orphans = true;
    let planned = plan(&f, &request).await;
    assert!(
        planned
            .warnings
            .iter()
            .any(|w| w.message.starts_with("1 row left out"))
    );
    request.choice.selection.tables.push(public("p"));
    request.leave_out_orphans = false;
    assert_eq!(f.apply(&request).await.unwrap().rows_added, 2);
    f.drop().await;
}

/// Rows that refer since then to a row that came back, and rows whose parent went since then.
#[tokio::test]
async fn an_undo_breaks_no_reference_and_can_leave_the_rest() {
    let f = Fixture::new(TABLES).await;
    let backup = f.back_up().await;
    f.run("DELETE FROM c WHERE id = 2; DELETE FROM p WHERE id = 2; INSERT INTO p VALUES (5, 'five'); INSERT INTO c VALUES (5, 1), (6, 5)").await;
    let done = f.restore(&backup, Mode::Exact).await.unwrap();
    f.run("CREATE TABLE later (p int REFERENCES p); INSERT INTO later VALUES (2)")
        .await;
    let before = f.contents().await;
    let ctx = Context::default();
    for dry_run in [true, false] {
        let undone = in_place::undo(
            &ctx,
            &f.url,
            in_place::UndoRequest {
                dry_run,
                ..in_place::UndoRequest::of(done.operation)
            },
        )
        .await;
        assert_told(
            &undone.unwrap_err(),
            Code::MissingParent,
            &[
                "1 row of public.later refers by later_p_fkey",
                "public.p that would be removed",
                "--leave-changed",
            ],
        );
    }
    assert_eq!(f.contents().await, before);
    let undone = f.undo_leaving_changed(done.operation).await.unwrap();
    assert!(
        undone
            .warnings
            .iter()
            .any(|w| w.message.contains("1 row left out")),
        "{:?}",
        undone.warnings
    );
    let ids = |sql: &str| format!("SELECT array({sql})");
    assert_eq!(
        f.value::<Vec<i32>>(&ids("SELECT id FROM p ORDER BY id"))
            .await,
        [1, 2, 5]
    );
    assert_eq!(
        f.value::<Vec<i32>>(&ids("SELECT id FROM c ORDER BY id"))
            .await,
        [1, 5, 6]
    );
    f.drop().await;
}

#[tokio::test]
async fn an_undo_without_the_parents_names_them() {
    let f = Fixture::new(TABLES).await;
    let backup = f.back_up().await;
    f.run("INSERT INTO c VALUES (5, 1)").await;
    let mut request = f.request(&backup, Mode::Exact);
    request.choice.selection.tables = vec![public("c")];
    let done = f.apply(&request).await.unwrap();
    f.run("DELETE FROM c WHERE p = 1; DELETE FROM p WHERE id = 1")
        .await;
    let error = f.undo(done.operation).await.unwrap_err();
    assert_told(
        &error,
        Code::MissingParent,
        &[
            "1 row of public.c refers",
            "public.p that are not there",
            "Bring the rows of public.p back first",
            "--leave-changed",
        ],
    );
    let undone = f.undo_leaving_changed(done.operation).await.unwrap();
    assert_eq!(undone.rows_added, 0);
    f.run("INSERT INTO p VALUES (1, 'one')").await;
    f.drop().await;
}
