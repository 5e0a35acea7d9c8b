//! Into another project of the platform, by its owner.

use super::{POLICY, app};
use crate::restore_database::kills::child_at;
use crate::restore_database::support::{assert_same, dumped, request};
use crate::support::{Source, assert_told, restore};
use rovodev::core::manifest::{Manifest, SchemaStatus};
use rovodev::core::restore_plan::Outcome;
use rovodev::error::Code;
use rovodev::ports::postgres::{DatabaseUrl, Purpose, Session, unfinished};
use rovodev::ports::store::{Fault, Op, Rule, Store, Unreliable, When};
use std::os::unix::process::ExitStatusExt;

/// The source's users, whose rows are in no backup.
const USERS: &str = "INSERT INTO auth.users (id, email) SELECT md5(i::text)::uuid, 'u' || i FROM generate_series(1, 3) i";

/// Everything that `pg_dump` says, and the owners of extensions, of which it says nothing.
async fn all_of(source: &Source) -> String {
    let owners = "SELECT string_agg(extname || ' of ' || extowner::regrole, E'\\n' ORDER BY extname) FROM pg_extension";
    let owners: String = source
        .admin()
        .await
        .query_one(owners, &[])
        .await
        .unwrap()
        .get(0);
    let admin = DatabaseUrl::parse(&source.admin_url).unwrap();
    format!("{owners}\n{}", dumped(&admin, &[]))
}

/// What a new user sees: the trigger on `auth.users` makes a profile, whose own triggers act on it, and a policy shows it
/// to that user alone.
async fn goes_on(source: &Source) -> String {
    let owner = source.client().await;
    let sql = "BEGIN; INSERT INTO auth.users (id, email) VALUES (md5('new')::uuid, 'new'); \
        SELECT set_config('request.jwt.claim.sub', md5('new')::uuid::text, true); SET LOCAL ROLE authenticated;";
    owner.batch_execute(sql).await.unwrap();
    let seen = "SELECT string_agg(id || ' ' || name, ', ') FROM public.profiles";
    let seen = owner.query_one(seen, &[]).await.unwrap().get(0);
    owner.batch_execute("ROLLBACK").await.unwrap();
    seen
}

/// What the owner may not make is told, and nothing else is missing: once the platform has made it, all is as it was.
async fn assert_restored(source: &Source, target: &Source, backup: &Manifest, done: &Outcome) {
    let told: Vec<&str> = done.warnings.iter().map(|w| w.message.as_str()).collect();
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(
        told[0].starts_with("policy app_reads on auth.users: ")
            && told[0].contains("must be owner"),
        "{told:?}"
    );
    assert_eq!(done.rows_added, backup.totals.rows);
    target.admin().await.batch_execute(POLICY).await.unwrap();
    assert_same(&all_of(source).await, &all_of(target).await);
    let seen = goes_on(target).await;
    assert!(seen.contains("new!!"), "{seen}");
    assert_eq!(seen, goes_on(source).await);
}

#[tokio::test]
async fn everything_comes_back_in_another_project() {
    let source = app().await;
    let backup = source.back_up(|_| {}).await.unwrap();
    assert_eq!(backup.schema.status, SchemaStatus::Captured);
    let target = Source::new(USERS).await;
    let wanted = request(&backup, &target.database());

    // A restore that fails leaves the project as it was.
    let before = all_of(&target).await;
    let fail = Rule::new(When::From(1), Fault::Fail { retry: false }).on(Op::Get, "segments/");
    let broken = Store::Unreliable(Unreliable::new(source.opened.store.clone(), [fail]));
    let failed = restore(&broken, &wanted).await.unwrap_err();
    assert_told(&failed, Code::StoreError, &["as empty as before"]);
    assert_same(&before, &all_of(&target).await);

    let done = restore(&source.opened.store, &wanted).await.unwrap();
    assert_restored(&source, &target, &backup, &done).await;
}

#[tokio::test]
async fn a_killed_restore_is_begun_anew() {
    let source = app().await;
    let backup = source.back_up(|_| {}).await.unwrap();
    for stage in ["Rows", "Finish"] {
        let target = Source::new(USERS).await;
        let ended = child_at(source.folder.path(), &backup, &target.url, stage);
        assert_eq!(ended.signal(), Some(9), "{stage}: {ended:?}");
        let session = Session::connect(&target.database(), Purpose::Read)
            .await
            .unwrap();
        assert_eq!(
            unfinished::restores(&session).await.unwrap().len(),
            1,
            "{stage}"
        );
        let mut wanted = request(&backup, &target.database());
        let refused = restore(&source.opened.store, &wanted).await.unwrap_err();
        let told = ["holds a restore that never ended", &backup.name, "--force"];
        assert_told(&refused, Code::NotEmpty, &told);

        wanted.force = true;
        let done = restore(&source.opened.store, &wanted).await.unwrap();
        assert_restored(&source, &target, &backup, &done).await;
        assert!(
            unfinished::restores(&session).await.unwrap().is_empty(),
            "{stage}"
        );
    }
}
