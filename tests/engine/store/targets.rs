//! A download, and the store by hand, load into every kind of target with what rights its owner has.

use super::places;
use super::psql::{back_up, shell};
use super::sample::opened;
use crate::support::Source;
use rovodev::core::manifest::{Codec, Manifest};
use rovodev::ports::postgres::DatabaseUrl;
use rovodev::tasks::Context;
use rovodev::tasks::download::{DownloadFormat, download};
use std::path::Path;
use std::process::Command;

const NEW_PUBLIC: &str = "DROP SCHEMA public CASCADE; CREATE SCHEMA public;";

struct Target {
    name: String,
    /// As who loads it.
    url: String,
}

impl Target {
    /// Of the tests' cluster, whose owner is no superuser.
    async fn create(is_supabase: bool, as_superuser: bool) -> Self {
        let (admin, owner) = servers();
        let name = format!("target_{}", uuid::Uuid::new_v4().simple());
        let admin_url = at(&admin, &name);
        if is_supabase {
            let made = local::supabase::create_database(&admin, &admin_url, &name);
            made.await.unwrap();
        } else {
            run(&admin, &format!("CREATE DATABASE {name} OWNER postgres")).await;
        }
        let url = if as_superuser {
            admin_url
        } else {
            at(&owner, &name)
        };
        Self { name, url }
    }

    async fn drop(self) {
        run(&servers().0, &format!("DROP DATABASE {}", self.name)).await;
    }
}

fn servers() -> (String, String) {
    let named = |name: &str| std::env::var(name).unwrap();
    (
        named("ROVODEV_TEST_SUPERUSER_URL"),
        named("ROVODEV_TEST_OWNER_URL"),
    )
}

fn at(server: &str, database: &str) -> String {
    let (server, _) = server.rsplit_once('/').unwrap();
    format!("{server}/{database}")
}

async fn run(url: &str, sql: &str) {
    let client = local::supabase::connect(url).await.unwrap();
    client.batch_execute(sql).await.unwrap();
}

/// A Supabase project with an app, as its owner sees it, and a backup of it.
async fn app(dir: &places::DirStore) -> (Source, Manifest) {
    let source = Source::new("").await;
    local::demo::seed(&mut source.client().await).await.unwrap();
    let trigger = "CREATE EXTENSION citext SCHEMA extensions; CREATE TABLE labels (label extensions.citext PRIMARY KEY); INSERT INTO labels VALUES ('A');
        CREATE FUNCTION public.greet() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
        CREATE TRIGGER greet AFTER INSERT ON auth.users FOR EACH ROW EXECUTE FUNCTION public.greet();
        REVOKE ALL ON labels FROM anon; REVOKE ALL ON FUNCTION public.greet() FROM PUBLIC, anon, authenticated";
    run(&source.url, trigger).await;
    let url = DatabaseUrl::parse(&source.url).unwrap();
    let to = opened(&dir.store).await;
    let manifest = back_up(&url, &to, Codec::Zstd).await.unwrap();
    (source, manifest)
}

/// The app's rows, tables, keys, indexes, policies, triggers, functions, and what it adds to the platform.
async fn state(url: &str) -> String {
    let mut client = local::supabase::connect(url).await.unwrap();
    let rows = local::demo::contents(&mut client).await.unwrap();
    let outside = "SELECT coalesce(string_agg(what, E'\\n' ORDER BY what), '') FROM (
        SELECT pubname || ' ' || tablename FROM pg_publication_tables
        UNION ALL SELECT tgrelid::regclass || ' ' || tgname FROM pg_trigger WHERE NOT tgisinternal
        UNION ALL SELECT oid::regprocedure || prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace
        UNION ALL SELECT extname || ' ' || extnamespace::regnamespace FROM pg_extension) AS all_of_it(what)";
    let outside: String = client.query_one(outside, &[]).await.unwrap().get(0);
    let dump = "pg_dump --schema-only --no-privileges --table 'public.*' \"$1\"";
    let definitions = shell(&std::env::temp_dir(), dump, &[url]);
    let lines = definitions.lines().filter(|l| !l.contains("restrict "));
    // Rows of `auth` are in no backup, so keys into it are not checked.
    let lines = lines.map(|l| l.replace(" NOT VALID;", ";") + "\n");
    format!("{rows:#?}\n{outside}\n{}", lines.collect::<String>())
}

/// Who may do what with the app's tables, views and functions, whatever the target grants by default.
fn grants(url: &str) -> String {
    let dump = "pg_dump --schema-only --schema public \"$1\" | grep -E '^(GRANT|REVOKE) .* ON (TABLE|SEQUENCE|FUNCTION|TYPE)' | sort";
    shell(&std::env::temp_dir(), dump, &[url])
}

/// Loads with `load` into every kind of target.
async fn every_target_is_filled(source: &Source, load: impl Fn(&str)) {
    let (before, granted) = (state(&source.url).await, grants(&source.url));
    for (is_supabase, as_superuser) in [(false, false), (true, false), (false, true), (true, true)]
    {
        let target = Target::create(is_supabase, as_superuser).await;
        load(&target.url);
        super::psql::assert_same(&before, &state(&target.url).await);
        super::psql::assert_same(&granted, &grants(&target.url));
        // What a restore made outside `public` is there already the next time.
        run(&target.url, NEW_PUBLIC).await;
        load(&target.url);
        super::psql::assert_same(&before, &state(&target.url).await);
        super::psql::assert_same(&granted, &grants(&target.url));
        target.drop().await;
    }
}

#[tokio::test]
async fn a_download_loads_into_every_target_with_its_owners_rights() {
    let dir = places::directory();
    let (source, manifest) = app(&dir).await;
    let folder = dir.folder.path();
    for (format, script) in [
        (
            DownloadFormat::SqlZst,
            "zstd -dcq file | psql -Xq -1 -v ON_ERROR_STOP=1 -d \"$1\"",
        ),
        (
            DownloadFormat::SqlGz,
            "gzip -dc < file | psql -Xq -v ON_ERROR_STOP=1 -d \"$1\"",
        ),
        (
            DownloadFormat::Tar,
            "rm -rf rovodev-* && tar xf file && cd rovodev-*/ && psql -Xq -v ON_ERROR_STOP=1 -d \"$1\" -f restore.sql",
        ),
    ] {
        let mut file = tokio::fs::File::create(folder.join("file")).await.unwrap();
        let ctx = Context::default();
        let done = download(&ctx, &dir.store, &manifest, format, &mut file).await;
        done.unwrap();
        every_target_is_filled(&source, |url| {
            let told = shell(folder, script, &[url]);
            assert!(!told.contains("ERROR"), "{told}");
        })
        .await;
        let target = Target::create(true, false).await;
        run(&target.url, "CREATE TABLE public.calls (id int)").await;
        assert!(fails(folder, script, &target.url), "a table in the way");
        target.drop().await;
    }
}

#[tokio::test]
async fn the_store_loads_by_hand_into_every_target_with_its_owners_rights() {
    let dir = places::directory();
    let (source, manifest) = app(&dir).await;
    let folder = dir.folder.path();
    let text = std::fs::read_to_string(folder.join("RECOVERY.md")).unwrap();
    let (_, script) = text.split_once("```bash\n").unwrap();
    let (script, _) = script.split_once("```\n").unwrap();
    let backup = format!("backups/default/{}", manifest.id);
    // It says itself that this key has to be added by hand.
    let key = "ALTER TABLE public.profiles ADD FOREIGN KEY (id) REFERENCES auth.users (id) ON DELETE CASCADE NOT VALID";
    every_target_is_filled(&source, |url| {
        shell(folder, script, &[".", &backup, url]);
        let add = "psql -Xq -v ON_ERROR_STOP=1 -d \"$1\" -c \"$2\"";
        shell(folder, add, &[url, key]);
    })
    .await;
    let target = Target::create(true, false).await;
    let no_tables =
        "REVOKE ALL ON SCHEMA public FROM postgres; ALTER SCHEMA public OWNER TO supabase_admin";
    run(&at(&servers().0, &target.name), no_tables).await;
    let output = command(folder, script, &[".", &backup, &target.url]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(
        told.contains("could not be made:") && told.contains("public.agents"),
        "{told}"
    );
    target.drop().await;
}

fn fails(folder: &Path, script: &str, url: &str) -> bool {
    !command(folder, script, &[url]).status.success()
}

fn command(folder: &Path, script: &str, arguments: &[&str]) -> std::process::Output {
    let mut command = Command::new("bash");
    command.current_dir(folder).env("PATH", super::psql::path());
    command.args(["-o", "pipefail", "-c", script, "test"]);
    command.args(arguments).output().unwrap()
}
