//! The command line against a deployment, as CI runs it.

use crate::proxy::{Cut, Proxy};
use crate::shell::{Shell, said, signal};
use crate::stack::{Person, Running};
use local::supabase::connect;
use serde_json::json;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn everything_works_from_afar() {
    let running = Running::start().await;
    let token = running.sign_in(Person::Admin).await;
    let shell = Shell::afar(&running.project.url(), &token);
    let url = running.stack.postgres.owner_url("postgres");
    let mut owner = connect(&url).await.unwrap();
    let before = local::demo::contents(&mut owner).await.unwrap();

    let taken = shell
        .run(&["backup", "--wait", "--name", "ci", "--json"])
        .await;
    assert_eq!(taken.code, 0, "{taken:?}");
    let taken = taken.json();
    // The same object as where the work is done.
    let beside = Shell::beside(&running);
    let alone = beside
        .run(&["list", "--without-catalog", "--json"])
        .await
        .json();
    for (field, value) in alone["backups"][0].as_object().unwrap() {
        // The catalog's times are those of the job around the snapshot.
        if ["startedAt", "finishedAt"].contains(&field.as_str()) {
            continue;
        }
        assert_eq!(&taken[field], value, "{field}");
    }
    let at_once = shell.run(&["backup", "--type", "config", "--json"]).await;
    assert_eq!(
        (at_once.code, &at_once.json()["status"]),
        (0, &json!("pending"))
    );

    let (near, far) = (
        beside.run(&["show", "ci"]).await,
        shell.run(&["show", "ci"]).await,
    );
    assert_eq!(
        (far.code, without_age(&far.out)),
        (0, without_age(&near.out))
    );
    let list = shell.run(&["list", "--limit", "0", "--json"]).await.json();
    assert_eq!(list["total"], 2, "{list}");
    // A place of one's own is not the deployment's: nothing is deleted there in its stead.
    for own in [
        &["delete", "ci", "--force", "--store", "backups"][..],
        &["list", "--without-catalog"],
    ] {
        let refused = shell.run(own).await;
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(refused.err.contains("through --api"), "{refused:?}");
    }
    assert_eq!(shell.run(&["show", "ci"]).await.code, 0);
    running.well(&running.sign_in(Person::Admin).await).await;
    let health = shell.run(&["status", "--json"]).await;
    assert_eq!(
        (health.code, &health.json()["healthy"]),
        (0, &json!(true)),
        "{health:?}"
    );
    assert!(shell.run(&["status"]).await.out.contains("All is well."));

    local::demo::damage(&mut owner).await.unwrap();
    let restore = ["restore", "--input", "latest", "--json"];
    let plan = shell.run(&[&restore[..], &["--dry-run"]].concat()).await;
    assert_eq!(plan.code, 0, "{plan:?}");
    assert_eq!(plan.json()["plan"]["backupName"], "ci");
    assert_ne!(local::demo::contents(&mut owner).await.unwrap(), before);
    assert_eq!(
        shell.run(&restore).await.code,
        5,
        "nobody is there to be asked"
    );
    let restored = shell
        .run(&[&restore[..], &["--force", "--wait"]].concat())
        .await;
    assert_eq!(restored.code, 0, "{restored:?}");
    assert_eq!(local::demo::contents(&mut owner).await.unwrap(), before);
    let undo = ["restore", "--undo", "latest", "--force", "--wait", "--json"];
    let undone = shell.run(&undo).await;
    assert_eq!(undone.code, 0, "{undone:?}");
    let changes = &undone.json()["outcome"]["changes"];
    assert!(
        changes.as_array().is_some_and(|c| !c.is_empty()),
        "{undone:?}"
    );
    assert_ne!(local::demo::contents(&mut owner).await.unwrap(), before);
    let asked = shell.run(&["restore", "--input", "ci", "--force"]).await;
    assert_eq!(asked.code, 0, "{asked:?}");
    let (_, follow) = asked.out.split_once("Follow it with:  rovodev ").unwrap();
    let follow: Vec<&str> = follow.split_whitespace().chain(["--json"]).collect();
    let states = async || {
        let shown = shell.run(&follow).await.json();
        let restores = shown["restores"].as_array().unwrap().iter();
        restores
            .map(|r| r["status"].as_str().unwrap().to_string())
            .collect::<Vec<_>>()
    };
    let begun = std::time::Instant::now();
    while states().await != ["completed", "completed", "completed"] {
        assert!(begun.elapsed().as_secs() < 60, "{:?}", states().await);
    }
    let shown = shell.run(&["show", "ci"]).await;
    assert!(shown.out.contains("undo of "), "{shown:?}");
    let detailed = shell.run(&["status", "--verbose"]).await;
    assert!(
        detailed.out.contains("services.store.status"),
        "{detailed:?}"
    );

    let deleted = shell.run(&["delete", "ci", "--force", "--json"]).await;
    assert_eq!(deleted.code, 0, "{deleted:?}");
    assert_eq!(shell.run(&["show", "ci"]).await.code, 4);
    let doors = "SELECT string_agg(DISTINCT door, ',') FROM public.rovodev_audit_log WHERE actor_id IS NOT NULL";
    let doors: String = owner.query_one(doors, &[]).await.unwrap().get(0);
    assert_eq!(doors, "cli");
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_say_what_to_do() {
    let running = Running::start().await;
    let url = running.project.url();
    let [admin, viewer, customer] = [
        running.sign_in(Person::Admin).await,
        running.sign_in(Person::Viewer).await,
        running.sign_in(Person::Customer).await,
    ];
    let taken = Shell::afar(&url, &admin)
        .run(&["backup", "--wait", "--json"])
        .await;
    let id = taken.json()["id"].as_str().unwrap().to_string();
    let nobody = format!("http://127.0.0.1:{}", local::port::free().unwrap());
    for (url, token, arguments, exit, code) in [
        (url.as_str(), "forged", &["list"][..], 6, "unauthorized"),
        (&url, &viewer, &["backup", "--wait"], 5, "forbidden"),
        (&url, &customer, &["show", &id], 4, "backup_not_found"),
        (
            &url,
            &customer,
            &["list", "--tenant", "default"],
            2,
            "tenant_not_found",
        ),
        (&url, &admin, &["show", "nothing"], 4, "backup_not_found"),
        (&url, &admin, &["check"], 2, "usage"),
        (&url, &admin, &["backup", "--scope", "a=1"], 2, "usage"),
        (&url, &admin, &["restore", "--list-undo"], 2, "usage"),
        (&url, "", &["list"], 2, "config"),
        ("http://elsewhere.example", &admin, &["list"], 2, "config"),
        (&nobody, &admin, &["list"], 6, "service_unreachable"),
    ] {
        let told = Shell::afar(url, token)
            .run(&[arguments, &["--json"]].concat())
            .await;
        let error = &told.json()["error"];
        assert_eq!(
            (told.code, &error["code"]),
            (exit, &json!(code)),
            "{arguments:?}: {told:?}"
        );
        assert!(error["hint"].is_string() || code == "forbidden", "{told:?}");
        assert!(!told.out.contains(&admin) && !told.err.contains(&admin));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_breaks_makes_no_second_backup_and_loses_no_end() {
    let running = Running::start().await;
    let token = running.sign_in(Person::Admin).await;
    // The answer to the request is lost, and so are the first two streams after their first event.
    let proxy = Proxy::before(&running.project.url(), |request, seen| {
        if request.starts_with("POST /api/backups/create") && seen == 0 {
            Cut::Answer
        } else if request.contains("text/event-stream") && seen < 2 {
            Cut::AfterEvent
        } else {
            Cut::Nothing
        }
    })
    .await;
    let shell = Shell::afar(&proxy.url(), &token);
    let client = connect(&running.stack.postgres.owner_url("postgres"))
        .await
        .unwrap();
    client
        .batch_execute("BEGIN; LOCK TABLE public.calls IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    let child = shell.start(&["backup", "--wait", "--json"]);
    proxy
        .until(|requests| {
            let streams = requests.iter().filter(|r| r.contains("text/event-stream"));
            streams.count() >= 2
        })
        .await;
    client.batch_execute("ROLLBACK").await.unwrap();
    let told = said(child).await;
    assert_eq!(told.code, 0, "{told:?}");
    let list = shell.run(&["list", "--json"]).await.json();
    assert_eq!(list["total"], 1, "{list}");
    let requests = proxy.requests();
    let created: Vec<_> = requests
        .iter()
        .filter(|r| r.starts_with("POST /api/backups/create"))
        .collect();
    assert_eq!(created.len(), 2, "asked again after the answer was lost");
    let key = |r: &String| {
        r.lines()
            .find(|l| l.starts_with("idempotency-key"))
            .map(str::to_string)
    };
    assert!(key(created[0]).is_some() && key(created[0]) == key(created[1]));
    assert!(
        requests.iter().any(|r| r.contains("last-event-id: ")),
        "{requests:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_cancels_it_there() {
    let running = Running::start().await;
    let token = running.sign_in(Person::Admin).await;
    let shell = Shell::afar(&running.project.url(), &token);
    let client = connect(&running.stack.postgres.owner_url("postgres"))
        .await
        .unwrap();
    client
        .batch_execute("BEGIN; LOCK TABLE public.calls IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    let child = shell.start(&["backup", "--wait", "--json"]);
    let waits =
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'public.calls'::regclass";
    for attempt in 0.. {
        assert!(attempt < 600, "the backup never began");
        if client.query_one(waits, &[]).await.unwrap().get::<_, i64>(0) > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    signal(&child, "-INT").await;
    let told = said(child).await;
    assert_eq!(told.code, 130, "{told:?}");
    let (_, list) = running.call(&token, "GET", "/api/backups/list", None).await;
    assert_eq!(list["backups"][0]["status"], "cancelled", "{list}");
}

/// A moment passes between two answers.
fn without_age(shown: &str) -> String {
    let aged = |line: &&str| line.starts_with("Taken ");
    assert_eq!(shown.lines().filter(aged).count(), 1, "{shown}");
    let line = |line: &str| match line.split_once(" (") {
        Some((taken, _)) if line.starts_with("Taken ") => taken.to_string(),
        _ => line.to_string(),
    };
    shown.lines().map(line).collect::<Vec<_>>().join("\n")
}
