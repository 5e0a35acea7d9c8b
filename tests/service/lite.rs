//! The catalog on another PostgREST, with tokens of the older kind.
//!
//! Supabase Lite 0.10 hands an argument of type `jsonb` over as the text of a string, writes times as Postgres does, and
//! knows no older keys.

use crate::backups;
use crate::postgrest;
use crate::rights;
use crate::stack::{CRON_SECRET, Person, Running};
use crate::transitions;
use crate::undo_dates;
use local::demo;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_shut() {
    postgrest::everything_is_shut(Running::start_on_lite().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn undos_have_their_dates() {
    undo_dates::dates_are_kept_and_told(Running::start_on_lite().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_read_their_own() {
    let running = Running::start_on_lite().await;
    running
        .owner()
        .await
        .batch_execute(
            "INSERT INTO public.backups (tenant_id, name, backup_path, backup_type, status, manifest_key, finished_at, selection) \
             SELECT id, 'of ' || slug, 'x', 'database', 'completed', 'x', now(), \
                 jsonb_strip_nulls(jsonb_build_object('scope', rovodev.scope(t))) FROM public.rovodev_tenants t",
        )
        .await
        .unwrap();
    for (person, own) in [
        (Person::Viewer, "of default"),
        (Person::CustomerViewer, "of northwind-dental"),
    ] {
        let token = running.sign_in(person).await;
        let (status, list) = running.call(&token, "GET", "/api/backups/list", None).await;
        let names = (&list["backups"][0]["name"], &list["total"]);
        assert_eq!((status, names), (200, (&json!(own), &json!(1))), "{list}");
        let health = running.well(&token).await;
        assert_eq!(health["services"]["catalog"]["status"], "ok", "{health}");
        assert_eq!(health.get("config").is_some(), person == Person::Viewer);
    }
    let stranger = running.sign_in(Person::Stranger).await;
    for path in ["/api/backups/list", "/api/status/health"] {
        let (status, told) = running.call(&stranger, "GET", path, None).await;
        assert_eq!(
            (status, &told["code"]),
            (403, &json!("no_tenant")),
            "{path}"
        );
    }
    let (status, tick) = running
        .call(CRON_SECRET, "GET", "/api/cron/tick", None)
        .await;
    assert_eq!((status, &tick["waiting"]), (200, &json!(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_and_its_restore_go_all_the_way() {
    let running = Running::start_on_lite().await;
    let admin = running.sign_in(Person::Admin).await;
    let mut owner = running.owner().await;
    let before = demo::contents(&mut owner).await.unwrap();
    let id = running
        .backed_up(
            &admin,
            json!({ "type": "full", "name": "by hand", "compress": "gzip" }),
        )
        .await;
    let details = format!("/api/backups/{id}/details");
    let (status, told) = running.call(&admin, "GET", &details, None).await;
    assert_eq!(status, 200, "{told}");
    assert_eq!(
        (&told["name"], &told["codec"]),
        (&json!("by hand"), &json!("gzip"))
    );
    assert!(
        told["metadata"]["records"].as_u64().unwrap() > 1000,
        "{told}"
    );
    let (status, told) = running
        .call(
            &admin,
            "PATCH",
            &details,
            Some(json!({ "note": "kept", "pinned": true })),
        )
        .await;
    assert_eq!(
        (status, &told["note"], &told["pinned"]),
        (200, &json!("kept"), &json!(true))
    );

    demo::damage(&mut owner).await.unwrap();
    let restore = format!("/api/backups/{id}/restore");
    let (status, asked) = running
        .call(&admin, "POST", &restore, Some(json!({ "mode": "exact" })))
        .await;
    assert_eq!(status, 202, "{asked}");
    let ended = running.ended(&admin, &format!("{restore}/status")).await;
    assert_eq!(ended["status"], "completed", "{ended}");
    assert!(
        ended["result"]["recordsRestored"].as_u64().unwrap() > 0,
        "{ended}"
    );
    assert_eq!(demo::contents(&mut owner).await.unwrap(), before);

    let link = running
        .call(
            &admin,
            "POST",
            &format!("/api/backups/{id}/download"),
            Some(json!({ "format": "tar" })),
        )
        .await;
    assert_eq!(link.0, 201, "{}", link.1);
    let file = running
        .follow(link.1["url"].as_str().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(file.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tick_takes_up_what_nobody_works_on() {
    let running = Running::start_on_lite().await;
    let admin = running.sign_in(Person::Admin).await;
    // Past the functions, so that no work goes on behind a response.
    let request = json!({ "request": { "type": "database", "name": "waiting", "tables": [
        { "schema": "public", "name": "calls" }
    ] } });
    let asked = running.rpc(&admin, "rovodev_create_backup", request).await;
    assert_eq!(asked["outcome"], "done", "{asked}");
    let (status, tick) = running
        .call(CRON_SECRET, "GET", "/api/cron/tick", None)
        .await;
    assert_eq!((status, &tick["waiting"]), (200, &json!(1)));
    let path = format!(
        "/api/backups/{}/restore/status",
        asked["id"].as_str().unwrap()
    );
    let ended = running.ended(&admin, &path).await;
    assert_eq!(ended["status"], "completed", "{ended}");
    let (_, list) = running.call(&admin, "GET", "/api/backups/list", None).await;
    let backup = &list["backups"][0];
    assert_eq!(
        (&backup["name"], &backup["tables"]),
        (&json!("waiting"), &json!(1)),
        "{list}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_token_and_a_second_end_change_nothing() {
    transitions::older_tokens(Running::start_on_lite().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_open_what_is_theirs_and_nothing_else() {
    rights::walk_by_roles(Running::start_on_lite().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn asked_for_taken_listed_restored() {
    backups::whole_way(Running::start_on_lite().await).await;
}
