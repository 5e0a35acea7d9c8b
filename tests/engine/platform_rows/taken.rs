//! What a backup takes, and what it refuses.

use super::{app, back_up, with_platform_rows};
use crate::support::{Source, assert_told, changed, files, names, public, table};
use rovodev::core::ident::QName;
use rovodev::core::manifest::{Codec, Manifest, Scope, Selection};
use rovodev::error::{Code, Error};
use rovodev::ports::postgres::DatabaseUrl;

/// Whether any file of the store holds the text.
fn stored(source: &Source, text: &str) -> bool {
    let holds = |file: &String| {
        let bytes = std::fs::read(source.folder.path().join(file)).unwrap();
        bytes.windows(text.len()).any(|w| w == text.as_bytes())
    };
    files(source.folder.path()).iter().any(holds)
}

fn told(manifest: &Manifest, code: &str) -> String {
    let note = manifest.left_out.iter().find(|n| n.code == code);
    note.map(|n| n.message.clone()).unwrap_or_default()
}

#[tokio::test]
async fn no_password_hash_is_stored_unless_asked_for() {
    let source = app().await;
    let without = source.back_up(|r| r.codec = Codec::None).await.unwrap();
    assert_eq!(names(&without), ["public.profiles"]);
    assert!(!stored(&source, "hash-of-") && !stored(&source, "@example.com"));
    assert!(told(&without, "platform_rows").contains("auth"));
    assert_eq!(told(&without, "platform_rows_held"), "");

    let with = back_up(&source).await;
    let held = ["auth.users", "auth.identities", "public.profiles"];
    assert_eq!(names(&with), held);
    assert!(
        stored(&source, "hash-of-2"),
        "the search finds what is there"
    );
    let users = table(&with, "users");
    assert!(users.platform && !table(&with, "profiles").platform);
    assert!(
        !users.columns.iter().any(|c| c.name == "confirmed_at"),
        "generated"
    );
    assert!(with.selection.platform_rows && with.selection.is_whole());
    assert!(told(&with, "platform_rows_held").contains("auth.users, auth.identities"));
    source.assert_exact(&with).await;
    source.assert_sound().await;
}

#[tokio::test]
async fn a_part_takes_those_that_its_own_keys_lead_to() {
    let source = app().await;
    let client = source.client().await;
    client
        .batch_execute("CREATE TABLE lonely (id int)")
        .await
        .unwrap();
    let chosen = |table: QName| Selection {
        tables: vec![table],
        ..with_platform_rows()
    };
    let error = refused(&source, chosen(public("lonely"))).await;
    assert_told(
        &error,
        Code::NothingSelected,
        &["no foreign key", "--platform-rows"],
    );
    let profiles = source.back_up(|r| r.selection = chosen(public("profiles")));
    let held = ["auth.users", "auth.identities", "public.profiles"];
    assert_eq!(names(&profiles.await.unwrap()), held);
    let users = QName::new("auth", "users");
    let by_name = source.back_up(|r| r.selection = chosen(users.clone()));
    assert_eq!(names(&by_name.await.unwrap()), ["auth.users"]);
    let unasked = Selection {
        tables: vec![users],
        ..Selection::default()
    };
    let error = refused(&source, unasked).await;
    assert_told(&error, Code::NothingSelected, &["table auth.users"]);
}

#[tokio::test]
async fn never_with_a_tenants_rows_and_never_unread() {
    let source = app().await;
    let scoped = Selection {
        scope: Some(Scope::new("name", "own")),
        ..with_platform_rows()
    };
    let error = refused(&source, scoped).await;
    assert_told(
        &error,
        Code::Usage,
        &["one tenant's rows", "--platform-rows"],
    );

    let role = format!("role_{}", uuid::Uuid::new_v4().simple());
    let sql = format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'p4ss'; GRANT USAGE ON SCHEMA public TO {role}; GRANT SELECT ON profiles TO {role}"
    );
    source.admin().await.batch_execute(&sql).await.unwrap();
    let url = changed(&source.url, |url| {
        url.set_username(&role).unwrap();
        url.set_password(Some("p4ss")).unwrap();
    });
    let url = DatabaseUrl::parse(&url).unwrap();
    let change = |r: &mut rovodev::tasks::create::CreateRequest| {
        (r.database, r.selection) = (Some(url), with_platform_rows());
    };
    let error = source.back_up(change).await.unwrap_err();
    assert_told(
        &error,
        Code::PermissionDenied,
        &["auth.users", "auth.identities", "Grant SELECT"],
    );
    source.assert_nothing_left(&[]).await;
}

async fn refused(source: &Source, selection: Selection) -> Error {
    let asked = source.back_up(|r| r.selection = selection);
    asked.await.unwrap_err()
}
