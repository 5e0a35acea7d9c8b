//! `init` for a catalog: from an empty project to one that answers, and once more without a change.

use crate::shell::Shell;
use crate::stack::{CRON_SECRET, Running};
use local::supabase::connect;
use serde_json::{Value, json};

fn step<'a>(told: &'a Value, name: &str) -> &'a Value {
    let steps = told["steps"].as_array().unwrap();
    steps
        .iter()
        .find(|s| s["name"] == name)
        .unwrap_or(&Value::Null)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_project_is_set_up_once() {
    let running = Running::start().await;
    let owner = connect(&running.stack.postgres.owner_url("postgres"))
        .await
        .unwrap();
    // As before anybody set it up, but for the queue and a user.
    owner
        .batch_execute(
            "DROP SCHEMA rovodev CASCADE; DO $$ DECLARE t record; BEGIN \
             FOR t IN SELECT c.oid::regclass AS name FROM pg_class c WHERE c.relkind = 'r' \
                AND obj_description(c.oid, 'pg_class') LIKE 'rovodev:catalog%' LOOP \
                EXECUTE format('DROP TABLE %s CASCADE', t.name); END LOOP; \
             FOR t IN SELECT p.oid::regprocedure AS name FROM pg_proc p \
                WHERE obj_description(p.oid, 'pg_proc') LIKE 'rovodev:catalog%' LOOP \
                EXECUTE format('DROP FUNCTION %s CASCADE', t.name); END LOOP; END $$; \
             SELECT pgmq.drop_queue(q) FROM unnest(ARRAY['rovodev_jobs', 'rovodev_long_jobs']) q; \
             CREATE TABLE public.backups (mine int)",
        )
        .await
        .unwrap();
    let shell = Shell::beside(&running).with("BACKUP_STORE", "s3://not-there-yet/app");
    shell.write("vercel.json", include_str!("../../vercel.json"));
    let admin = [
        "init",
        "--admin",
        "admin@callcenter.example",
        "--plan",
        "pro",
        "--json",
    ];

    let bucket = shell.run(&admin).await;
    assert_eq!(
        (bucket.code, &bucket.json()["error"]["code"]),
        (5, &json!("confirmation_needed"))
    );
    let agreed = [&admin[..], &["--yes", "--region", "fra1"]].concat();
    let taken = shell.run(&agreed).await;
    assert_eq!(
        (taken.code, &taken.json()["error"]["code"]),
        (5, &json!("catalog_taken")),
        "{taken:?}"
    );
    owner
        .batch_execute("DROP TABLE public.backups")
        .await
        .unwrap();
    let nobody = shell
        .run(&["init", "--admin", "nobody@example.com", "--json"])
        .await;
    assert_eq!(
        (nobody.code, &nobody.json()["error"]["code"]),
        (4, &json!("user_not_found")),
        "{nobody:?}"
    );

    let first = shell.run(&agreed).await;
    assert_eq!(first.code, 0, "{first:?}");
    let first = first.json();
    assert_eq!(step(&first, "admin")["changed"], true, "{first}");
    assert_eq!(step(&first, "vercel.json")["changed"], true);
    let vercel: Value = serde_json::from_str(&shell.read("vercel.json")).unwrap();
    assert_eq!(
        (&vercel["regions"][0], &vercel["crons"][0]["schedule"]),
        (&json!("fra1"), &json!("* * * * *"))
    );
    assert_eq!(vercel["functions"]["api/cron/tick.rs"]["maxDuration"], 800);
    let secrets = first["variables"].as_array().unwrap().iter();
    let secrets: Vec<_> = secrets
        .filter(|v| v["secret"] == true)
        .map(|v| &v["name"])
        .collect();
    assert!(secrets.contains(&&json!("SUPABASE_SECRET_KEY")), "{first}");
    assert!(!first.to_string().contains(&running.project.keys().secret));
    let checks = first["checks"].as_array().unwrap();
    assert!(checks.iter().all(|c| c["verdict"] == "ok"), "{first}");

    let before = (shell.read(".env"), shell.read("vercel.json"));
    let second = shell.run(&agreed).await;
    assert_eq!(second.code, 0, "{second:?}");
    let second = second.json();
    assert_eq!(second["written"], json!([]));
    let steps = second["steps"].as_array().unwrap();
    assert!(
        steps.len() == 3 && steps.iter().all(|s| s["changed"] == false),
        "{second}"
    );
    assert_eq!((shell.read(".env"), shell.read("vercel.json")), before);
    assert_eq!(
        shell.run(&["backup", "--json"]).await.code,
        0,
        "what it set up works"
    );
}

/// What Supabase's extensions bring, with their signatures; none of them runs on a server of the tests.
const EXTENSIONS: &str = "
    CREATE SCHEMA cron; CREATE SCHEMA net;
    CREATE TABLE cron.job (jobid bigserial, jobname text UNIQUE, schedule text, command text, active boolean DEFAULT true);
    CREATE FUNCTION cron.schedule(job_name text, schedule text, command text) RETURNS bigint LANGUAGE sql AS $$
        INSERT INTO cron.job (jobname, schedule, command) VALUES ($1, $2, $3) ON CONFLICT (jobname)
        DO UPDATE SET schedule = excluded.schedule, command = excluded.command RETURNING jobid $$;
    CREATE FUNCTION cron.unschedule(job_id bigint) RETURNS boolean LANGUAGE sql AS $$
        DELETE FROM cron.job WHERE jobid = $1 RETURNING true $$;
    CREATE TABLE vault.secrets (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text UNIQUE, description text, hidden text);
    CREATE VIEW vault.decrypted_secrets AS SELECT *, reverse(hidden) AS decrypted_secret FROM vault.secrets;
    CREATE FUNCTION vault.create_secret(new_secret text, new_name text DEFAULT NULL, new_description text DEFAULT '') RETURNS uuid
        LANGUAGE sql AS $$ INSERT INTO vault.secrets (name, description, hidden) VALUES ($2, $3, reverse($1)) RETURNING id $$;
    CREATE FUNCTION vault.update_secret(secret_id uuid, new_secret text DEFAULT NULL) RETURNS void
        LANGUAGE sql AS $$ UPDATE vault.secrets SET hidden = reverse($2) WHERE id = $1 $$;
    CREATE TABLE net.asked (url text, headers jsonb);
    CREATE FUNCTION net.http_get(url text, params jsonb DEFAULT '{}', headers jsonb DEFAULT '{}', timeout_milliseconds int DEFAULT 5000)
        RETURNS bigint LANGUAGE sql AS $$ INSERT INTO net.asked VALUES ($1, $3) RETURNING 1::bigint $$;
    GRANT USAGE ON SCHEMA cron, net TO postgres;
    GRANT ALL ON ALL TABLES IN SCHEMA cron, net, vault TO postgres; GRANT ALL ON ALL SEQUENCES IN SCHEMA cron TO postgres;";

#[tokio::test(flavor = "multi_thread")]
async fn on_hobby_the_database_calls_the_tick_each_minute_and_on_pro_no_more() {
    let running = Running::start().await;
    let postgres = &running.stack.postgres;
    let (platform, database) = (postgres.url("postgres"), postgres.owner_url("postgres"));
    let platform = connect(&platform).await.unwrap();
    let owner = connect(&database).await.unwrap();
    let shell = Shell::beside(&running);
    shell.write("vercel.json", include_str!("../../vercel.json"));
    let hobby = ["init", "--plan", "hobby", "--json", "--deployment"];
    let to = async |place: &str| shell.run(&[&hobby[..], &[place]].concat()).await;

    let nowhere = to("https://app.example").await;
    assert_eq!(nowhere.json()["error"]["code"], "config", "{nowhere:?}");
    assert!(nowhere.out.contains("no pg_cron"), "{nowhere:?}");
    platform.batch_execute(EXTENSIONS).await.unwrap();
    let plain = to("http://app.example").await;
    assert!(plain.out.contains("https alone"), "{plain:?}");

    let first = to("https://app.example/settings/backups").await.json();
    assert_eq!(step(&first, "tick")["changed"], true, "{first}");
    let second = to("https://app.example").await.json();
    assert_eq!(step(&second, "tick")["changed"], false, "{second}");

    let jobs = "SELECT jobname, schedule, command FROM cron.job ORDER BY jobid";
    let jobs = owner.query(jobs, &[]).await.unwrap();
    assert_eq!(jobs.len(), 2);
    let (name, when): (&str, &str) = (jobs[0].get(0), jobs[0].get(1));
    assert_eq!((name, when), ("rovodev-tick", "* * * * *"));
    let command: String = jobs[0].get(2);
    let secret = CRON_SECRET;
    assert!(!command.contains(secret), "the secret stands in the job");
    owner.batch_execute(&command).await.unwrap();
    let asked = "SELECT url, headers ->> 'Authorization' FROM net.asked";
    let asked = owner.query_one(asked, &[]).await.unwrap();
    let (url, shown): (String, String) = (asked.get(0), asked.get(1));
    assert_eq!(url, "https://app.example/api/cron/tick");
    assert_eq!(shown, format!("Bearer {secret}"));
    let answer = running.request("GET", "/api/cron/tick");
    let answer = answer.header("authorization", shown).send().await.unwrap();
    assert_eq!(
        answer.status(),
        200,
        "the tick takes what the database shows"
    );

    let renewed = Shell::beside(&running).with("CRON_SECRET", "another-secret-that-is-long-enough");
    renewed.write("vercel.json", include_str!("../../vercel.json"));
    let told = renewed
        .run(&[&hobby[..], &["https://app.example"]].concat())
        .await
        .json();
    assert_eq!(step(&told, "tick")["changed"], true, "{told}");
    let pro = shell
        .run(&["init", "--plan", "pro", "--region", "fra1", "--json"])
        .await
        .json();
    assert_eq!(step(&pro, "tick")["changed"], true, "{pro}");
    let left = owner
        .query_one("SELECT count(*) FROM cron.job", &[])
        .await
        .unwrap();
    assert_eq!(left.get::<_, i64>(0), 0);
}
