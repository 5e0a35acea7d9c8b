//! One tenant's rows elsewhere: into tables that the app's migrations made, as their owner, who is no superuser.

use super::support::request;
use crate::store::psql::shell;
use crate::support::{Source, assert_told};
use rovodev::core::manifest::{Manifest, Scope};
use rovodev::core::restore_plan::Outcome;
use rovodev::error::{Code, Result};
use rovodev::tasks::Context;
use rovodev::tasks::download::{DownloadFormat, download};
use rovodev::tasks::restore::{RestoreRequest, in_place};

/// What the app's migrations make in every database.
const MIGRATIONS: &str = "
    CREATE TABLE kinds (id int PRIMARY KEY, name text);
    CREATE TABLE profiles (id uuid PRIMARY KEY REFERENCES auth.users, tenant_id int NOT NULL);
    CREATE TABLE calls (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tenant_id int NOT NULL,
      kind int REFERENCES kinds, by_whom uuid REFERENCES profiles, reply_to bigint REFERENCES calls, note text);
    CREATE TABLE events (id serial PRIMARY KEY, call_id bigint NOT NULL REFERENCES calls);
    CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.note := NEW.note || '!'; RETURN NEW; END $$;
    CREATE TRIGGER shout BEFORE INSERT OR UPDATE ON calls FOR EACH ROW EXECUTE FUNCTION public.shout();
    ALTER TABLE calls ENABLE ROW LEVEL SECURITY;";
const USERS: &str = "INSERT INTO auth.users (id, email) SELECT pg_catalog.md5(i::text)::uuid, i || '@example.com' FROM generate_series(1, 4) i;";
const ROWS: &str = "INSERT INTO kinds VALUES (1, 'in'), (2, 'out'), (3, 'never');
    INSERT INTO profiles SELECT md5(i::text)::uuid, i % 2 FROM generate_series(1, 4) i;
    INSERT INTO calls (tenant_id, kind, by_whom, note) SELECT i % 2, 1 + i % 2, md5((4 - i % 4)::text)::uuid, 'n' || i FROM generate_series(1, 100) i;
    UPDATE calls SET reply_to = id + 2 WHERE id < 50;
    INSERT INTO events (call_id) SELECT id FROM calls;";
const STATE: &str = "SELECT (SELECT string_agg(c::text, ' ' ORDER BY id) FROM calls c WHERE tenant_id = 1)
    || (SELECT string_agg(e::text, ' ' ORDER BY e.id) FROM events e JOIN calls c ON c.id = call_id WHERE tenant_id = 1)";

async fn app() -> (Source, Manifest, String) {
    let source = Source::new(&format!("{MIGRATIONS}{USERS}{ROWS}")).await;
    let scope = Scope::new("tenant_id", "1");
    let backup = source.back_up(|r| r.selection.scope = Some(scope)).await;
    let state = state(&source).await;
    (source, backup.unwrap(), state)
}

async fn state(of: &Source) -> String {
    let row = of.client().await.query_one(STATE, &[]).await;
    row.unwrap().get(0)
}

/// The app goes on: its next rows get numbers of their own, and its trigger acts on them.
async fn goes_on(target: &Source) {
    let sql = "INSERT INTO calls (tenant_id, note) VALUES (1, 'new'); INSERT INTO events (call_id) VALUES (99)";
    let client = target.client().await;
    client.batch_execute(sql).await.unwrap();
    let note = "SELECT note FROM calls ORDER BY id DESC LIMIT 1";
    let note: String = client.query_one(note, &[]).await.unwrap().get(0);
    assert_eq!(note, "new!");
}

async fn restore(source: &Source, request: &RestoreRequest) -> Result<Outcome> {
    crate::support::restore(&source.opened.store, request).await
}

#[tokio::test]
async fn a_tenants_download_loads_into_the_apps_tables() {
    let (source, backup, before) = app().await;
    let folder = source.folder.path();
    for format in DownloadFormat::ALL {
        let file = folder.join(format!("file.{}", format.suffix()));
        let mut out = tokio::fs::File::create(&file).await.unwrap();
        let (ctx, store) = (Context::default(), &source.opened.store);
        let done = download(&ctx, store, &backup, format, &mut out).await;
        assert!(done.unwrap().rows_only);
        let psql = "psql -Xq -v ON_ERROR_STOP=1 --single-transaction \"$1\"";
        let load = match format {
            DownloadFormat::SqlZst => format!("zstd -dc file.sql.zst | tee file.sql | {psql}"),
            DownloadFormat::SqlGz => format!("gzip -dc file.sql.gz | {psql}"),
            DownloadFormat::Tar => {
                format!("tar xf file.tar && cd rovodev-*/ && {psql} -f restore.sql")
            }
        };
        for users in [USERS, ""] {
            let target = Source::new(&format!("{MIGRATIONS}{users}")).await;
            let said = shell(folder, &load, &[&target.url]);
            let told = said.contains(
                "2 row(s) of public.profiles refer by profiles_id_fkey to rows of auth.users",
            );
            assert_eq!(told, users.is_empty(), "{format:?}: {said}");
            assert_eq!(said.matches("WARNING").count(), usize::from(told), "{said}");
            assert_eq!(state(&target).await, before, "{format:?}");
            goes_on(&target).await;
        }
    }
    let script = std::fs::read_to_string(folder.join("file.sql")).unwrap();
    let head: String = script.lines().take(12).collect();
    for part in [
        "ROWS ALONE of one tenant (tenant_id=1)",
        "migrations",
        "--single-transaction",
    ] {
        assert!(head.contains(part), "{part}: {head}");
    }
    // Twice is refused by the primary keys, and changes nothing.
    let target = Source::new(&format!("{MIGRATIONS}{USERS}")).await;
    let twice = "zstd -dc file.sql.zst | psql -Xq -v ON_ERROR_STOP=1 --single-transaction \"$1\" && ! zstd -dc file.sql.zst | psql -Xq -v ON_ERROR_STOP=1 --single-transaction \"$1\"";
    shell(folder, twice, &[&target.url]);
    assert_eq!(state(&target).await, before);
}

#[tokio::test]
async fn a_tenants_backup_fills_the_apps_tables() {
    let (source, backup, before) = app().await;
    let target = Source::new(&format!("{MIGRATIONS}{USERS}")).await;
    let done = restore(&source, &request(&backup, &target.database()))
        .await
        .unwrap();
    assert!(done.warnings.is_empty(), "{:#?}", done.warnings);
    assert_eq!(state(&target).await, before);
    goes_on(&target).await;

    // Users of the platform who are not there: told, and the rows are there.
    let target = Source::new(MIGRATIONS).await;
    let done = restore(&source, &request(&backup, &target.database()))
        .await
        .unwrap();
    let codes: Vec<&str> = done.warnings.iter().map(|w| w.code.as_str()).collect();
    assert_eq!(codes, ["missing_parent"], "{:#?}", done.warnings);
    assert!(done.warnings[0].message.contains("profiles_id_fkey"));
    assert_eq!(state(&target).await, before);

    // Without the tables there is nothing to fill.
    let target = Source::new("").await;
    let refused = restore(&source, &request(&backup, &target.database())).await;
    let told = ["one tenant holds rows alone", "your migrations"];
    assert_told(&refused.unwrap_err(), Code::SchemaMissing, &told);
}

/// A key into a table whose rows the backup lacks: nothing stays half done.
#[tokio::test]
async fn a_tenants_rows_without_their_parents_are_refused() {
    let (source, _, _) = app().await;
    let scope = Scope::new("tenant_id", "1");
    let narrow = source.back_up(|r| {
        r.selection.scope = Some(scope);
        let names = ["profiles", "calls", "events"];
        r.selection.tables = names.map(crate::support::public).into();
    });
    let narrow = narrow.await.unwrap();
    // A table that is none of the restore's refers to one that it fills.
    let outside = "CREATE TABLE outside (id int, call bigint REFERENCES calls);";
    let target = Source::new(&format!("{MIGRATIONS}{USERS}{outside}")).await;
    let refused = restore(&source, &request(&narrow, &target.database())).await;
    let told = [
        "50 rows of table public.calls refer by \"calls_kind_fkey\" to rows of public.kinds",
        "put these rows into it first",
        "as empty as before",
    ];
    assert_told(&refused.unwrap_err(), Code::ConstraintViolated, &told);
    let client = target.client().await;
    let left = "SELECT (SELECT count(*) FROM calls) + (SELECT count(*) FROM events) + (SELECT count(*) FROM profiles)";
    let left: i64 = client.query_one(left, &[]).await.unwrap().get(0);
    assert_eq!(left, 0);
}

/// Lookups come with the migrations and other tenants are there: the hint names the way that works.
#[tokio::test]
async fn beside_other_rows_a_tenant_is_merged_in_place() {
    let (source, backup, before) = app().await;
    let others = "INSERT INTO kinds VALUES (1, 'in'), (2, 'out');
        INSERT INTO profiles VALUES (md5('2')::uuid, 0), (md5('4')::uuid, 0);
        INSERT INTO calls (id, tenant_id, note) OVERRIDING SYSTEM VALUE VALUES (2, 0, 'theirs')";
    let target = Source::new(&format!("{MIGRATIONS}{USERS}{others}")).await;
    let wanted = request(&backup, &target.database());
    let refused = restore(&source, &wanted).await.unwrap_err();
    assert_told(
        &refused,
        Code::NotEmpty,
        &["public.kinds", "leave out --target-url", "--database-url"],
    );
    let ctx = Context::default();
    let store = &source.opened.store;
    let prepared = Box::pin(in_place::prepare(&ctx, store, &wanted, None))
        .await
        .unwrap();
    assert_eq!(prepared.plan().notes[0].code, "another_source");
    let done = Box::pin(prepared.apply(&ctx)).await.unwrap();
    assert_eq!(done.rows_removed, 0);
    assert!(done.warnings.is_empty(), "{:#?}", done.warnings);
    assert_eq!(state(&target).await, before);
    let theirs = "SELECT count(*) FROM calls WHERE note = 'theirs!'";
    let theirs: i64 = target
        .client()
        .await
        .query_one(theirs, &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(theirs, 1);
    goes_on(&target).await;
}
