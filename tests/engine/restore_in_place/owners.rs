//! As the owner that Supabase gives: no superuser, `BYPASSRLS`, and the right to the replica role, or not.

use super::fixture::Fixture;
use rovodev::core::ident::quote;
use rovodev::core::restore_plan::Mode;
use rovodev::error::Code;
use rovodev::ports::postgres::DatabaseUrl;
use rovodev::tasks::restore::RestoreRequest;

const TABLES: &str = "CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text UNIQUE DEFERRABLE, parent int REFERENCES t); \
    INSERT INTO t (name) VALUES ('a'), ('b'), ('c'); ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY; \
    CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.name := NEW.name || '!'; RETURN NEW; END $$; \
    CREATE TRIGGER always BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION change(); \
    ALTER TABLE t ENABLE ALWAYS TRIGGER always;";

/// A role of its own that owns everything, and a request in its name.
async fn owned(f: &Fixture, role: &str, attributes: &str) -> (DatabaseUrl, String) {
    let name = format!("inplace_{role}_{}", uuid::Uuid::new_v4().simple());
    let (role, database) = (quote(&name), quote(f.url.database()));
    f.run(&format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'x' {attributes}; GRANT CREATE ON DATABASE {database} TO {role}; \
         ALTER TABLE t OWNER TO {role}; GRANT ALL ON SCHEMA public TO {role}; GRANT EXECUTE ON FUNCTION pg_control_system() TO {role}"
    ))
    .await;
    let server = std::env::var("ROVODEV_TEST_SUPERUSER_URL").unwrap();
    let mut url = url::Url::parse(&server).unwrap();
    url.set_username(&name).unwrap();
    url.set_password(Some("x")).unwrap();
    url.set_path(f.url.database());
    (DatabaseUrl::parse(url.as_str()).unwrap(), role)
}

async fn forget(f: &Fixture, role: &str) {
    f.run(&format!("DROP OWNED BY {role} CASCADE; DROP ROLE {role}"))
        .await;
}

#[tokio::test]
async fn an_owner_with_the_replica_role_restores_under_triggers_and_policies() {
    let f = Fixture::new(TABLES).await;
    let backup = f.back_up().await;
    let (target, role) = owned(&f, "replica", "BYPASSRLS").await;
    f.run(&format!(
        "GRANT SET ON PARAMETER session_replication_role TO {}",
        role
    ))
    .await;
    f.run("SET session_replication_role = replica; ALTER TABLE t DISABLE TRIGGER always; \
           UPDATE t SET name = CASE name WHEN 'a' THEN 'b' WHEN 'b' THEN 'a' ELSE 'c2' END; DELETE FROM t WHERE id = 3; \
           SET session_replication_role = origin; ALTER TABLE t ENABLE ALWAYS TRIGGER always").await;
    let request = RestoreRequest {
        operation: None,
        target: target.clone(),
        ..f.request(&backup, Mode::Exact)
    };
    let done = f.apply(&request).await.unwrap();
    assert_eq!(
        (done.rows_added, done.rows_changed, done.rows_removed),
        (1, 2, 0)
    );
    assert_eq!(
        f.value::<Vec<String>>("SELECT array(SELECT id || name FROM t ORDER BY t.id)")
            .await,
        ["1a", "2b", "3c"]
    );
    assert_eq!(
        f.value::<String>("SELECT tgenabled::text FROM pg_trigger WHERE tgname = 'always'")
            .await,
        "A"
    );
    forget(&f, &role).await;
    f.drop().await;
}

#[tokio::test]
async fn without_the_rights_it_is_refused_beforehand() {
    let f = Fixture::new(TABLES).await;
    let backup = f.back_up().await;
    f.run("DELETE FROM t WHERE id = 3").await;
    let before = f.contents().await;
    for (name, attributes, code) in [
        ("plain", "", Code::RowSecurity),
        ("triggers", "BYPASSRLS", Code::TriggersFire),
    ] {
        let (target, role) = owned(&f, name, attributes).await;
        let request = RestoreRequest {
            operation: None,
            target: target.clone(),
            ..f.request(&backup, Mode::Exact)
        };
        let error = f.apply(&request).await.unwrap_err();
        assert_eq!(error.code, code, "{error}");
        f.run("ALTER TABLE t OWNER TO CURRENT_USER").await;
        f.run(&format!("REVOKE ALL ON t FROM {}", role)).await;
        let error = f.apply(&request).await.unwrap_err();
        assert_eq!(error.code, Code::PermissionDenied, "{error}");
        forget(&f, &role).await;
    }
    assert_eq!(f.contents().await, before);
    f.drop().await;
}

/// The trigger that checks a deferrable constraint is silent in the replica role: we check ourselves.
#[tokio::test]
async fn a_deferrable_unique_constraint_holds_afterwards() {
    let f = Fixture::new("CREATE TABLE t (id int PRIMARY KEY, name text UNIQUE DEFERRABLE); INSERT INTO t VALUES (1, 'a'), (2, 'b')").await;
    let backup = f.back_up().await;
    f.run("DELETE FROM t WHERE id = 1; INSERT INTO t VALUES (3, 'a')")
        .await;
    let before = f.contents().await;
    let error = f.restore(&backup, Mode::KeepNewer).await.unwrap_err();
    assert_eq!(error.code, Code::ConstraintViolated, "{error}");
    assert_eq!(f.contents().await, before);
    f.restore(&backup, Mode::Exact).await.unwrap();
    f.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_of_somebody_else_is_waited_for() {
    let f = Fixture::new("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)").await;
    let backup = f.back_up().await;
    f.run("DELETE FROM t").await;
    let other = f.another_session().await;
    other
        .batch("holding a lock", "BEGIN; INSERT INTO t VALUES (2)")
        .await
        .unwrap();
    let waiting = f.prepare(&f.request(&backup, Mode::Exact)).await.unwrap();
    let ctx = rovodev::tasks::Context::default();
    let applied = tokio::spawn(async move { Box::pin(waiting.apply(&ctx)).await });
    // The first turn has timed out once its lock is waited for a second time.
    let waits = "SELECT coalesce(max(virtualtransaction), '') FROM pg_locks WHERE NOT granted AND relation = 't'::regclass";
    let mut turns = std::collections::BTreeSet::new();
    while turns.len() < 2 {
        let turn: String = f.value(waits).await;
        if !turn.is_empty() {
            turns.insert(turn);
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(
        f.value::<i64>("SELECT count(*) FROM t").await,
        0,
        "readers go on"
    );
    other.batch("committing", "COMMIT").await.unwrap();
    let done = applied.await.unwrap().unwrap();
    assert_eq!((done.rows_added, done.rows_removed), (1, 1));
    f.drop().await;
}
