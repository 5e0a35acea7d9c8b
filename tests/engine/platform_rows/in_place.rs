//! In place: deleted users come back whatever the mode, and nothing else happens to the platform's tables.

use super::{ALL_USERS, app, back_up, identities, lines, profiles, users};
use crate::support::{Source, assert_told, public};
use rovodev::core::manifest::{Manifest, Selection};
use rovodev::core::restore_plan::{Choice, Mode, Outcome, Plan};
use rovodev::error::{Code, Result};
use rovodev::tasks::Context;
use rovodev::tasks::restore::in_place::{self, UndoRequest};
use rovodev::tasks::restore::{RestoreRequest, safety};

/// One is deleted with all that is theirs, one has changed, one is new.
const MEANWHILE: &str = "
    DELETE FROM auth.users WHERE email = 'u2@example.com';
    UPDATE auth.users SET encrypted_password = 'changed' WHERE email = 'u1@example.com';
    INSERT INTO auth.users (id, email, encrypted_password) VALUES (md5('9')::uuid, 'u9@example.com', 'new');";
const MEANWHILE_USERS: [&str; 3] = [
    "u1@example.com changed",
    "u3@example.com hash-of-3",
    "u9@example.com new",
];

fn request(source: &Source, backup: &Manifest, mode: Mode) -> RestoreRequest {
    RestoreRequest {
        mode,
        ..crate::platform_rows::another_database::request(backup, &source.database())
    }
}

async fn restore(source: &Source, request: &RestoreRequest) -> Result<(Plan, Outcome)> {
    let ctx = Context::default();
    let store = &source.opened.store;
    let prepared = Box::pin(in_place::prepare(&ctx, store, request, None)).await?;
    let plan = prepared.plan().clone();
    Ok((plan, Box::pin(prepared.apply(&ctx)).await?))
}

async fn undo(source: &Source, operation: uuid::Uuid) -> Result<Outcome> {
    let request = UndoRequest::of(operation);
    in_place::undo(&Context::default(), &source.database(), request).await
}

#[tokio::test]
async fn deleted_users_come_back_in_every_mode_and_go_by_an_undo() {
    let source = app().await;
    let backup = back_up(&source).await;
    let owner = source.client().await;
    owner.batch_execute(MEANWHILE).await.unwrap();
    let before = profiles(&owner).await;
    for mode in [Mode::Missing, Mode::KeepNewer, Mode::Exact] {
        let (plan, done) = restore(&source, &request(&source, &backup, mode))
            .await
            .unwrap();
        let planned = plan.tables.iter().filter(|t| t.table.schema == "auth");
        let planned: Vec<_> = planned
            .map(|t| (t.table.name.as_str(), t.add, t.change + t.remove))
            .collect();
        assert_eq!(planned, [("identities", 1, 0), ("users", 1, 0)], "{mode:?}");
        let all = [
            MEANWHILE_USERS[0],
            ALL_USERS[1],
            MEANWHILE_USERS[1],
            MEANWHILE_USERS[2],
        ];
        assert_eq!(users(&owner).await, all, "{mode:?}");
        let of_all = ["u1@example.com", "u2@example.com", "u3@example.com"];
        assert_eq!(identities(&owner).await, of_all, "{mode:?}");
        let profiles_now = profiles(&owner).await;
        assert!(
            profiles_now.contains(&"u2@example.com own".to_string()),
            "{profiles_now:?}"
        );
        assert_eq!(profiles_now.len(), if mode == Mode::Exact { 3 } else { 4 });
        let undone = undo(&source, done.operation).await.unwrap();
        assert_eq!(undone.rows_removed, 3, "{mode:?}");
        assert_eq!(users(&owner).await, MEANWHILE_USERS, "{mode:?}");
        assert_eq!(profiles(&owner).await, before, "{mode:?}");
    }
}

#[tokio::test]
async fn an_undo_leaves_a_user_to_whom_something_newer_refers() {
    let source = app().await;
    let backup = back_up(&source).await;
    let owner = source.client().await;
    owner
        .batch_execute("DELETE FROM auth.users WHERE email = 'u2@example.com'")
        .await
        .unwrap();
    let (_, done) = restore(&source, &request(&source, &backup, Mode::Missing))
        .await
        .unwrap();
    let signs_in = "INSERT INTO auth.sessions VALUES (2, md5('2')::uuid)";
    owner.batch_execute(signs_in).await.unwrap();
    let error = undo(&source, done.operation).await.unwrap_err();
    assert_told(
        &error,
        Code::MissingParent,
        &["auth.sessions", "auth.users"],
    );
    assert_eq!(users(&owner).await, ALL_USERS);
}

#[tokio::test]
async fn a_choice_leaves_them_out_and_a_newer_version_of_the_table_takes_them() {
    let source = app().await;
    let backup = back_up(&source).await;
    let owner = source.client().await;
    // As an update of the platform does.
    let update = "ALTER TABLE auth.users DROP COLUMN phone_change, ADD COLUMN nickname text NOT NULL DEFAULT 'none'";
    source.admin().await.batch_execute(update).await.unwrap();
    owner
        .batch_execute("DELETE FROM auth.users WHERE email = 'u2@example.com'")
        .await
        .unwrap();
    let mut part = request(&source, &backup, Mode::Exact);
    part.choice.selection.schemas = vec!["public".into()];
    let error = restore(&source, &part).await.unwrap_err();
    let told = [
        "profiles_id_fkey",
        "Choose auth.users too",
        "--leave-out-orphans",
    ];
    assert_told(&error, Code::MissingParent, &told);
    part.leave_out_orphans = true;
    restore(&source, &part).await.unwrap();
    assert_eq!(users(&owner).await.len(), 2);

    let (plan, done) = restore(&source, &request(&source, &backup, Mode::Exact))
        .await
        .unwrap();
    assert!(
        plan.warnings.iter().any(|w| w.message.contains("nickname")),
        "{:?}",
        plan.warnings
    );
    assert_eq!(users(&owner).await, ALL_USERS);
    let nicknames = "SELECT DISTINCT nickname FROM auth.users";
    assert_eq!(lines(&owner, nicknames).await, ["none"]);
    undo(&source, done.operation).await.unwrap();
    assert_eq!(users(&owner).await.len(), 2);
    // Another one has the address by now.
    let taken = "INSERT INTO auth.users (id, email) VALUES (md5('8')::uuid, 'u2@example.com')";
    owner.batch_execute(taken).await.unwrap();
    let error = restore(&source, &request(&source, &backup, Mode::Exact))
        .await
        .unwrap_err();
    assert_told(&error, Code::ConstraintViolated, &["auth.users", "email"]);
}

#[tokio::test]
async fn the_safety_backup_holds_them_where_they_may_come_back() {
    let source = app().await;
    let backup = back_up(&source).await;
    let keeper = safety::Keeper {
        store: &source.opened.store,
        store_key: None,
        tenant: crate::support::TENANT,
        pg_dump: std::env::var_os("PG_DUMP").map(Into::into),
    };
    let taken = async |selection: Selection| {
        let mut request = request(&source, &backup, Mode::Exact);
        request.choice = Choice {
            selection,
            ..Choice::default()
        };
        let manifest = Box::pin(keeper.take(&Context::default(), &request, None)).await;
        crate::support::names(&manifest.unwrap())
    };
    let all = ["auth.users", "auth.identities", "public.profiles"];
    assert_eq!(taken(Selection::default()).await, all);
    let profiles = Selection {
        tables: vec![public("profiles")],
        ..Selection::default()
    };
    assert_eq!(taken(profiles).await, ["public.profiles"]);
}
