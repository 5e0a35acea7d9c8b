//! The catalog on another PostgREST, with tokens of the older kind.
//!
//! Supabase Lite 0.10 hands an argument of type `jsonb` over as the text of a string, so that functions which take one
//! read nothing in it; as a guest of the database it sees no foreign key to follow; and it knows no older keys. What
//! asks for none of these is tried here.

use crate::postgrest;
use crate::stack::{Person, Running};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_shut() {
    postgrest::everything_is_shut(Running::start_on_lite().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_read_their_own() {
    let running = Running::start_on_lite().await;
    running
        .owner()
        .await
        .batch_execute(
            "INSERT INTO public.backups (tenant_id, name, backup_path, backup_type, status, manifest_key, finished_at) \
             SELECT id, 'of ' || slug, 'x', 'database', 'completed', 'x', now() FROM public.rovodev_tenants",
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
        let (status, health) = running
            .call(&token, "GET", "/api/status/health", None)
            .await;
        assert_eq!(
            (status, &health["services"]["catalog"]["status"]),
            (200, &json!("ok")),
            "{health}"
        );
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
        .call(crate::stack::CRON_SECRET, "GET", "/api/cron/tick", None)
        .await;
    assert_eq!((status, &tick["waiting"]), (200, &json!(0)));
}
