//! Into another database: what it lacks is added, and what it has stays.

use super::{ALL_USERS, app, back_up, identities, lines, profiles, project, users};
use crate::support::{Source, assert_told};
use rovodev::core::manifest::Manifest;
use rovodev::core::restore_plan::{Choice, Mode, Outcome};
use rovodev::error::{Code, Result};
use rovodev::ports::postgres::DatabaseUrl;
use rovodev::tasks::Context;
use rovodev::tasks::restore::{RestoreRequest, database};

pub fn request(backup: &Manifest, target: &DatabaseUrl) -> RestoreRequest {
    RestoreRequest {
        operation: None,
        backup: backup.clone(),
        target: target.clone(),
        source: None,
        mode: Mode::Exact,
        choice: Choice::default(),
        force: false,
        leave_out_orphans: false,
        writers: 2,
        room: None,
        undo_days: 7,
    }
}

async fn restore(source: &Source, request: &RestoreRequest) -> Result<Outcome> {
    let (ctx, store) = (Context::default(), &source.opened.store);
    let plan = Box::pin(database::plan(&ctx, store, request)).await?;
    Box::pin(database::apply(&ctx, store, request, &plan)).await
}

const VALID: &str = "SELECT conname || ' ' || convalidated FROM pg_constraint WHERE conrelid = 'public.profiles'::regclass AND contype = 'f'";
/// Another project: one of the users is known there under another password, one address is taken, columns differ, and a
/// trigger tells of each new user.
const OTHER: &str = "
    ALTER TABLE auth.users DROP COLUMN phone_change, ADD COLUMN nickname text NOT NULL DEFAULT 'none';
    INSERT INTO auth.users (id, email, encrypted_password) VALUES
        (md5('1')::uuid, 'u1@example.com', 'theirs'), (md5('7')::uuid, 'u3@example.com', 'taken');
    CREATE TABLE auth.fired (id uuid);
    CREATE FUNCTION auth.tell() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN INSERT INTO auth.fired VALUES (NEW.id); RETURN NEW; END $$;
    CREATE TRIGGER tell AFTER INSERT ON auth.users FOR EACH ROW EXECUTE FUNCTION auth.tell();
    GRANT ALL ON auth.fired TO postgres;";
const OTHER_USERS: [&str; 3] = [
    "u1@example.com theirs",
    "u2@example.com hash-of-2",
    "u3@example.com taken",
];

#[tokio::test]
async fn an_empty_plain_database_gets_all_of_them() {
    let source = app().await;
    let backup = back_up(&source).await;
    let admin = source.admin().await;
    let name = format!("plain_{}", uuid::Uuid::new_v4().simple());
    admin
        .batch_execute(&format!("CREATE DATABASE {name} OWNER postgres"))
        .await
        .unwrap();
    let url = crate::support::changed(&source.url, |url| url.set_path(&name));
    let target = DatabaseUrl::parse(&url).unwrap();
    let done = restore(&source, &request(&backup, &target)).await.unwrap();
    let client = local::supabase::connect(&url).await.unwrap();
    assert_eq!((done.rows_added, done.tables), (9, 3));
    assert_eq!(users(&client).await, ALL_USERS);
    assert_eq!(identities(&client).await.len(), 3);
    let own = [
        "u1@example.com own",
        "u2@example.com own",
        "u3@example.com own",
    ];
    assert_eq!(profiles(&client).await, own);
    assert_eq!(lines(&client, VALID).await, ["profiles_id_fkey true"]);
    let left = "SELECT nspname::text FROM pg_namespace WHERE nspname LIKE 'rovodev%'";
    assert_eq!(lines(&client, left).await, Vec::<String>::new());
}

#[tokio::test]
async fn another_project_keeps_its_users_and_gets_those_that_it_lacks() {
    let source = app().await;
    let backup = back_up(&source).await;
    let target = project().await;
    target.admin().await.batch_execute(OTHER).await.unwrap();
    let client = target.client().await;
    for force in [false, true] {
        let mut request = request(&backup, &target.database());
        request.force = force;
        let done = restore(&source, &request).await.unwrap();
        assert_eq!(users(&client).await, OTHER_USERS);
        assert_eq!(
            identities(&client).await,
            ["u1@example.com", "u2@example.com"]
        );
        let fired = "SELECT id::text FROM auth.fired WHERE id = md5('2')::uuid";
        assert_eq!(lines(&client, fired).await, Vec::<String>::new());
        // The third has no user here, which is told, and the key holds for new rows alone.
        let own = ["u1@example.com own", "u2@example.com own"];
        assert_eq!(profiles(&client).await[..2], own);
        assert_eq!(lines(&client, VALID).await, ["profiles_id_fkey false"]);
        let told = |code: &str, part: &str| {
            done.warnings
                .iter()
                .any(|w| w.code == code && w.message.contains(part))
        };
        assert!(
            told("platform_rows_left_out", "1 row of auth.users"),
            "{:?}",
            done.warnings
        );
        assert!(
            told("missing_parent", "profiles_id_fkey"),
            "{:?}",
            done.warnings
        );
        assert_eq!(done.rows_added, if force { 3 } else { 6 });
    }
}

#[tokio::test]
async fn what_stops_takes_back_the_users_that_it_added() {
    let source = app().await;
    let orphans = "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (a int REFERENCES a); \
                   SET session_replication_role = replica; INSERT INTO b VALUES (1)";
    source.client().await.batch_execute(orphans).await.unwrap();
    let backup = back_up(&source).await;
    let target = project().await;
    target.admin().await.batch_execute(OTHER).await.unwrap();
    let error = restore(&source, &request(&backup, &target.database()))
        .await
        .unwrap_err();
    assert_told(
        &error,
        Code::ConstraintViolated,
        &["b_a_fkey", "as empty as before"],
    );
    let client = target.client().await;
    assert_eq!(users(&client).await, [OTHER_USERS[0], OTHER_USERS[2]]);
    assert_eq!(identities(&client).await, Vec::<String>::new());
}
