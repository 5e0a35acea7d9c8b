//! `init` for a catalog: from an empty project to one that answers, and once more without a change.

use crate::shell::Shell;
use crate::stack::Running;
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
