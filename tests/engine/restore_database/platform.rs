//! What the platform keeps for the app beside its tables: scheduled jobs, the vault, the platform's own privileges.

use super::support::{Source, request};
use crate::pg_dump::Database;

/// pg_cron's interface (its README); the extension itself wants a server of its own.
const CRON: &str = "
    CREATE SCHEMA cron;
    CREATE TABLE cron.job (jobid bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, schedule text NOT NULL, command text NOT NULL,
        nodename text NOT NULL DEFAULT 'localhost', database text NOT NULL DEFAULT current_database(),
        username text NOT NULL DEFAULT current_user, active boolean NOT NULL DEFAULT true, jobname text);
    CREATE FUNCTION cron.schedule(job_name text, schedule text, command text) RETURNS bigint LANGUAGE sql AS
        'INSERT INTO cron.job (jobname, schedule, command) VALUES (job_name, schedule, command) RETURNING jobid';
    CREATE FUNCTION cron.schedule(schedule text, command text) RETURNS bigint LANGUAGE sql AS
        'INSERT INTO cron.job (schedule, command) VALUES (schedule, command) RETURNING jobid';
    CREATE FUNCTION cron.alter_job(job_id bigint, schedule text DEFAULT NULL, command text DEFAULT NULL, database text DEFAULT NULL,
        username text DEFAULT NULL, active boolean DEFAULT NULL) RETURNS void LANGUAGE sql AS
        'UPDATE cron.job j SET active = coalesce(alter_job.active, j.active) WHERE jobid = job_id'";

#[tokio::test]
async fn scheduled_jobs_come_back_and_the_vaults_secrets_are_named() {
    let source = Source::new("CREATE TABLE t (id int)").await;
    let session = source.database.session().await;
    let platform = format!(
        "{CRON};
         SELECT cron.schedule('nightly ''n'' odd', '0 2 * * *', $$SELECT 'it''s %L'$$);
         SELECT cron.alter_job(cron.schedule('*/5 * * * *', 'VACUUM t'), active := false);
         INSERT INTO cron.job (schedule, command, database) VALUES ('1 1 1 1 *', 'SELECT 1', 'another');
         CREATE SCHEMA IF NOT EXISTS vault; CREATE TABLE vault.secrets (id uuid DEFAULT gen_random_uuid(), name text, secret text);
         INSERT INTO vault.secrets (name, secret) VALUES ('stripe key', 'hush');
         ALTER DEFAULT PRIVILEGES FOR ROLE supabase_admin IN SCHEMA public GRANT SELECT ON TABLES TO anon;
         ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA public GRANT SELECT ON TABLES TO authenticated"
    );
    session.batch("the platform", &platform).await.unwrap();
    let backup = source.back_up().await;
    let target = Database::create("restoredb_target").await;
    let restored = target.session().await;
    restored.batch("the platform", CRON).await.unwrap();

    let outcome = source
        .restore(&request(&backup, &target.url))
        .await
        .unwrap();

    let named = "not part of the backup: vault secret \"stripe key\"";
    let mut told = outcome.warnings.iter().map(|w| w.message.as_str());
    assert!(told.any(|w| w == named), "{:?}", outcome.warnings);
    assert!(!format!("{:?}", outcome.warnings).contains("hush"));
    let jobs = "SELECT string_agg(concat_ws('|', coalesce(jobname, '-'), schedule, command, active), E'\\n' ORDER BY jobid)
        FROM cron.job WHERE database = current_database()";
    let before: String = session.query_one("", jobs, &[]).await.unwrap().get(0);
    let after: String = restored.query_one("", jobs, &[]).await.unwrap().get(0);
    assert_eq!(after, before);
    assert_eq!(after.lines().count(), 2, "the other database's is not ours");
    let defaults = "SELECT string_agg(defaclrole::regrole || ' ' || defaclacl::text, E'\\n') FROM pg_default_acl
        WHERE defaclnamespace = 'public'::regnamespace";
    let defaults: String = restored.query_one("", defaults, &[]).await.unwrap().get(0);
    assert_eq!(defaults, "postgres {authenticated=r/postgres}");
    drop((session, restored));
    target.drop().await;
    source.database.drop().await;
}
