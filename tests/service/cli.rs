//! The command line with a catalog: the dashboard's list, queue and audit log.

use crate::shell::{Shell, said, signal};
use crate::stack::{CRON_SECRET, Person, Running};
use local::supabase::connect;
use serde_json::{Value, json};
use std::time::Duration;
use tokio_postgres::Client;

async fn owner(running: &Running) -> Client {
    connect(&running.stack.postgres.owner_url("postgres"))
        .await
        .unwrap()
}

/// A text, or an empty one, that a query answers.
async fn ask(client: &Client, query: &str) -> String {
    let row = client.query_opt(query, &[]).await.unwrap();
    row.and_then(|r| r.get::<_, Option<String>>(0))
        .unwrap_or_default()
}

/// Waits until a query answers `expected`.
async fn until(client: &Client, query: &str, expected: &str) {
    for _ in 0..1200 {
        if ask(client, query).await == expected {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!(
        "{query} is {:?}, not {expected:?}",
        ask(client, query).await
    );
}

/// Nobody can read `calls` while this lives.
async fn barred(running: &Running) -> Client {
    let client = owner(running).await;
    client
        .batch_execute("BEGIN; LOCK TABLE public.calls IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    client
}

const STATUS: &str = "SELECT status::text FROM public.backups ORDER BY created_at DESC LIMIT 1";
const WAITS_FOR_CALLS: &str = "SELECT count(*)::text FROM pg_locks WHERE NOT granted AND relation = \
                               'public.calls'::regclass";

#[tokio::test(flavor = "multi_thread")]
async fn backups_of_both_are_the_same_ones() {
    let running = Running::start().await;
    let (shell, mut owner) = (Shell::beside(&running), owner(&running).await);
    let before = local::demo::contents(&mut owner).await.unwrap();
    let taken = shell.run(&["backup", "--name", "mine", "--json"]).await;
    assert_eq!(taken.code, 0, "{taken:?}");
    let taken = taken.json();
    assert_eq!(taken["tenant"], "default");
    let id = taken["id"].as_str().unwrap();

    // The dashboard shows it, and who took it.
    let admin = running.sign_in(Person::Admin).await;
    let (_, list) = running.call(&admin, "GET", "/api/backups/list", None).await;
    let shown = &list["backups"][0];
    assert_eq!(
        [
            &shown["id"],
            &shown["name"],
            &shown["createdBy"],
            &shown["records"]
        ],
        [
            &json!(id),
            &json!("mine"),
            &json!("olivia"),
            &taken["totals"]["rows"]
        ],
        "{list}"
    );
    // And the other way round, with the same words as without a catalog.
    let body = Some(json!({ "type": "database", "name": "theirs" }));
    let (_, created) = running
        .call(&admin, "POST", "/api/backups/create", body)
        .await;
    let path = format!(
        "/api/backups/{}/restore/status",
        created["id"].as_str().unwrap()
    );
    running.ended(&admin, &path).await;
    let list = shell.run(&["list", "--json"]).await.json();
    assert_eq!(list["total"], 2);
    assert_eq!(list["backups"][0]["name"], "theirs");
    assert_eq!(
        list["backups"][1]["totals"]["rows"],
        taken["totals"]["rows"]
    );
    let (listed, told) = (
        shell.run(&["list"]).await,
        shell.run(&["show", "mine"]).await,
    );
    assert!(
        listed.out.contains("mine") && listed.out.contains("theirs"),
        "{listed:?}"
    );
    let alone = shell.run(&["show", "mine", "--without-catalog"]).await;
    // The catalog's times are those of the job around the snapshot.
    let words = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|l| !l.starts_with("Taken"));
        lines.map(str::to_string).collect()
    };
    assert_eq!(words(&told.out), words(&alone.out));

    // Status looks at the catalog, and counts the app's tables without the catalog's.
    let status = shell.run(&["status", "--json"]).await.json();
    let (source, catalog) = (&status["source"]["ok"], &status["catalog"]["ok"]);
    assert_eq!(
        (&catalog["backups"], &catalog["newest"]["name"]),
        (&json!(2), &json!("theirs")),
        "{status}"
    );
    assert_eq!(source["tables"], taken["totals"]["tables"], "{status}");
    let away = shell.run(&["status", "--without-catalog", "--json"]).await;
    assert!(away.json().get("catalog").is_none(), "{away:?}");

    local::demo::damage(&mut owner).await.unwrap();
    let plan = shell
        .run(&["restore", "--input", "mine", "--dry-run", "--json"])
        .await;
    assert_eq!(plan.code, 0, "{plan:?}");
    assert_eq!(plan.json()["plan"]["backupName"], "mine");
    assert_ne!(local::demo::contents(&mut owner).await.unwrap(), before);
    let refused = shell.run(&["restore", "--input", "mine"]).await;
    assert_eq!(refused.code, 5, "nobody is there to be asked: {refused:?}");
    let restored = shell
        .run(&["restore", "--input", "mine", "--force", "--json"])
        .await;
    assert_eq!(restored.code, 0, "{restored:?}");
    let restored = restored.json();
    assert_eq!(local::demo::contents(&mut owner).await.unwrap(), before);
    assert_eq!(restored["safetyBackup"]["trigger"], "safety", "{restored}");

    let undone = shell
        .run(&["restore", "--undo", "latest", "--force", "--json"])
        .await;
    assert_eq!(undone.code, 0, "{undone:?}");
    assert_eq!(
        undone.json()["undone"]["id"],
        restored["outcome"]["operation"]
    );
    assert_ne!(local::demo::contents(&mut owner).await.unwrap(), before);

    let deleted = shell.run(&["delete", "mine", "--force", "--json"]).await;
    assert_eq!(deleted.code, 0, "{deleted:?}");
    let gone = shell.run(&["show", "mine"]).await;
    let gone_alone = shell.run(&["show", id, "--without-catalog"]).await;
    assert_eq!(
        (gone.code, gone_alone.code),
        (4, 4),
        "{gone:?} {gone_alone:?}"
    );

    let log = "SELECT string_agg(concat_ws(' ', action, actor, outcome), ', ' ORDER BY id) \
               FROM public.rovodev_audit_log WHERE door = 'cli'";
    assert_eq!(
        ask(&owner, log).await,
        "backup.create olivia done, backup.preview olivia done, backup.preview olivia done, \
         backup.restore olivia done, backup.restore olivia done, backup.delete olivia done"
    );
    let broken = "SELECT count(*)::text FROM rovodev.broken_audit_rows((SELECT id FROM public.rovodev_tenants \
                  WHERE slug = 'default'))";
    assert_eq!(ask(&owner, broken).await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_killed_is_taken_up_by_a_tick_and_whoever_slept_sees_it() {
    let running = Running::start().await;
    let (shell, owner) = (Shell::beside(&running), owner(&running).await);
    for (name, how) in [("killed", "-KILL"), ("asleep", "-STOP")] {
        let bar = barred(&running).await;
        let mut child = shell.start(&["backup", "--name", name, "--json"]);
        until(&owner, WAITS_FOR_CALLS, "1").await;
        signal(&child, how).await;
        if how == "-KILL" {
            child.wait().await.unwrap();
        }
        bar.batch_execute("ROLLBACK").await.unwrap();
        let query = format!("SELECT status::text FROM public.backups WHERE name = '{name}'");
        assert_eq!(ask(&owner, &query).await, "in_progress");
        // The lease would run out by itself within a minute.
        owner
            .batch_execute("SELECT pgmq.set_vt('rovodev_jobs', msg_id, 0) FROM pgmq.q_rovodev_jobs")
            .await
            .unwrap();
        let (status, _) = running
            .call(CRON_SECRET, "GET", "/api/cron/tick", None)
            .await;
        assert_eq!(status, 200);
        until(&owner, &query, "completed").await;
        if how == "-STOP" {
            signal(&child, "-CONT").await;
            let told = said(child).await;
            assert_eq!(told.code, 0, "{told:?}");
            assert_eq!(told.json()["name"], "asleep");
        }
    }
    let first = "SELECT string_agg(name, ',') FROM public.backups WHERE attempt < 2";
    assert_eq!(ask(&owner, first).await, "", "the tick worked on both");
    let list = shell
        .run(&["list", "--json", "--without-catalog"])
        .await
        .json();
    assert_eq!(list["total"], 2, "each is in the store once: {list}");
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelled_from_the_dashboard_or_by_ctrl_c() {
    let running = Running::start().await;
    let (shell, owner) = (Shell::beside(&running), owner(&running).await);
    let admin = running.sign_in(Person::Admin).await;
    for from_afar in [true, false] {
        let bar = barred(&running).await;
        let child = shell.start(&["backup", "--json"]);
        // Not the one before: a session that was cancelled may still stand in the queue of the lock.
        until(&owner, STATUS, "in_progress").await;
        until(&owner, WAITS_FOR_CALLS, "1").await;
        match from_afar {
            true => {
                let id = "SELECT id::text FROM public.backups ORDER BY created_at DESC LIMIT 1";
                let path = format!("/api/backups/{}/restore", ask(&owner, id).await);
                let (status, told) = running.call(&admin, "DELETE", &path, None).await;
                assert_eq!(status, 202, "{told}");
            }
            false => signal(&child, "-INT").await,
        }
        let told = said(child).await;
        assert_eq!(told.code, 130, "{told:?}");
        assert_eq!(told.json()["error"]["code"], "cancelled");
        assert_eq!(ask(&owner, STATUS).await, "cancelled");
        bar.batch_execute("ROLLBACK").await.unwrap();
    }
    let log = "SELECT string_agg(actor, ', ' ORDER BY id) FROM public.rovodev_audit_log WHERE action = 'backup.cancel'";
    assert_eq!(ask(&owner, log).await, "admin@callcenter.example, olivia");
    let list = shell
        .run(&["list", "--json", "--without-catalog"])
        .await
        .json();
    assert_eq!(list["total"], 0, "{list}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_at_once() {
    let running = Running::start().await;
    let (shell, owner) = (Shell::beside(&running), owner(&running).await);
    let both = tokio::join!(
        shell.run(&["backup", "--name", "one", "--json"]),
        shell.run(&["backup", "--name", "two", "--json"])
    );
    assert_eq!((both.0.code, both.1.code), (0, 0), "{both:?}");
    assert_ne!(both.0.json()["id"], both.1.json()["id"]);
    // Of two restores the later one is refused, and the first goes on.
    let bar = barred(&running).await;
    let first = shell.start(&["restore", "--input", "one", "--force", "--json"]);
    let restores = "SELECT string_agg(status::text, ',' ORDER BY created_at) FROM public.restore_operations \
                    WHERE NOT preview";
    let preview = "SELECT count(*)::text FROM pg_locks WHERE NOT granted AND relation = 'public.calls'::regclass";
    until(&owner, preview, "1").await;
    bar.batch_execute("ROLLBACK").await.unwrap();
    until(&owner, restores, "in_progress").await;
    let second = shell
        .run(&["restore", "--input", "two", "--force", "--json"])
        .await;
    let first = said(first).await;
    let codes = [first.code, second.code];
    assert!(codes == [0, 5] || codes == [0, 0], "{first:?} {second:?}");
    if second.code == 5 {
        assert_eq!(
            second.json()["error"]["code"],
            "restore_running",
            "{second:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_catalog_only_when_said_so() {
    let running = Running::start().await;
    let dead = format!("http://127.0.0.1:{}", local::port::free().unwrap());
    let shell = Shell::beside(&running).with("SUPABASE_URL", dead);
    for arguments in [&["backup", "--json"][..], &["list", "--json"]] {
        let told = shell.run(arguments).await;
        assert_eq!(told.code, 6, "{told:?}");
        let error: Value = told.json()["error"].clone();
        assert_eq!(error["code"], "catalog_unreachable");
        assert!(
            error["hint"]
                .as_str()
                .unwrap()
                .contains("--without-catalog"),
            "{error}"
        );
    }
    let taken = shell.run(&["backup", "--json", "--without-catalog"]).await;
    assert_eq!(taken.code, 0, "{taken:?}");
    let list = shell
        .run(&["list", "--json", "--without-catalog"])
        .await
        .json();
    assert_eq!(list["total"], 1, "{list}");
    // The right address again: the catalog does not know that backup.
    let shell = Shell::beside(&running);
    assert_eq!(shell.run(&["list", "--json"]).await.json()["total"], 0);
    let foreign = shell.run(&["list", "--json", "--tenant", "nobody"]).await;
    assert_eq!(foreign.code, 2, "{foreign:?}");
    assert_eq!(foreign.json()["error"]["code"], "tenant_not_found");
    let wrong = Shell::beside(&running).with("SUPABASE_SECRET_KEY", "sb_secret_wrong");
    let refused = wrong.run(&["list", "--json"]).await;
    assert_eq!(
        (refused.code, &refused.json()["error"]["code"]),
        (6, &json!("catalog_refused"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenants_scope_holds_at_a_terminal_too() {
    let running = Running::start().await;
    let shell = Shell::beside(&running).with("ROVODEV_TENANT", "northwind-dental");
    let taken = shell.run(&["backup", "--json"]).await;
    assert_eq!(taken.code, 0, "{taken:?}");
    let taken = taken.json();
    assert_eq!(
        taken["selection"]["scope"]["column"], "organization_id",
        "{taken}"
    );
    assert_eq!(
        (&taken["type"], &taken["tenant"]),
        (&json!("database"), &json!("northwind-dental"))
    );
    let config = shell.run(&["backup", "--type", "config", "--json"]).await;
    assert_eq!(
        (config.code, &config.json()["error"]["code"]),
        (5, &json!("forbidden"))
    );
    let other = Shell::beside(&running)
        .run(&["show", taken["id"].as_str().unwrap()])
        .await;
    assert_eq!(other.code, 4, "{other:?}");
    let part = shell
        .run(&["restore", "--input", "latest", "--dry-run", "--json"])
        .await;
    assert_eq!(
        part.json()["plan"]["scope"]["column"],
        "organization_id",
        "{part:?}"
    );
}
