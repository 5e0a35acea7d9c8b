//! Backups that are unlike those before them, and tenants that store more than they shall: told, and no reason to stop.

use crate::jobs::workplace::Workplace;
use rovodev::tasks::Context;
use rovodev::tasks::jobs::work_off;
use rovodev::tasks::operators::Operator;
use serde_json::{Value, json};
use uuid::Uuid;

/// A channel that hears everything, and whose messages stay in the catalog.
const HEARS: &str = "
    INSERT INTO public.rovodev_notification_channels (tenant_id, kind, name, events, target)
    SELECT id, 'email', 'n', rovodev.events(), 'somebody@example.com' FROM public.rovodev_tenants";

/// Messages of a kind, the oldest first.
async fn told(place: &Workplace, event: &str) -> Vec<Value> {
    let sql = "SELECT message::text FROM public.rovodev_notification_deliveries WHERE event = $1 ORDER BY place";
    let rows = place.owner.query(sql, &[&event]).await.unwrap();
    let texts = rows.iter().map(|r| r.get::<_, String>(0));
    texts.map(|t| serde_json::from_str(&t).unwrap()).collect()
}

/// Takes a backup; its row.
async fn backed_up(place: &Workplace) -> Value {
    let asked = place.ask_for_backup().await;
    work_off(&place.workshop(), &Context::default())
        .await
        .unwrap();
    let row = place.row("backups", asked.id).await;
    assert_eq!(row["status"], "completed", "{row}");
    row
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_lost_its_rows_is_told_once() {
    let place = Workplace::start().await;
    place.run(HEARS).await;
    let notes = "CREATE TABLE public.notes (id integer PRIMARY KEY); INSERT INTO public.notes SELECT generate_series(1, 1145)";
    place.owner.batch_execute(notes).await.unwrap();
    for _ in 0..5 {
        assert_eq!(backed_up(&place).await["anomalies"], json!([]));
    }
    place.run("DELETE FROM public.notes").await;
    let odd = backed_up(&place).await;
    let text = "notes: 1,145 rows in the backups before, 0 now";
    let expected = json!([{ "kind": "emptyTable", "table": "public.notes", "usual": 1145, "now": 0, "text": text }]);
    assert_eq!(odd["anomalies"], expected);
    let messages = told(&place, "backup.anomaly").await;
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0]["anomalies"], json!([text]));
    assert_eq!(messages[0]["backup"]["id"], odd["id"]);

    // What stays so is what is usual.
    assert_eq!(backed_up(&place).await["anomalies"], json!([]));
    assert_eq!(told(&place, "backup.anomaly").await.len(), 1);

    // A comparison that cannot be made costs no backup.
    place
        .run("DROP FUNCTION public.rovodev_earlier_backups")
        .await;
    assert_eq!(backed_up(&place).await["anomalies"], json!([]));
}

/// What stays odd while the median follows is told with the first backup alone.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_anomaly_again_is_no_news() {
    let place = Workplace::start().await;
    place.run(HEARS).await;
    let odd = |rows: u64| json!([{ "kind": "fewRows", "table": null, "usual": 900, "now": rows, "text": "few" }]);
    let many =
        json!([{ "kind": "manyRows", "table": null, "usual": 9, "now": 900, "text": "many" }]);
    let end = async |anomalies: Value| {
        let sql = format!(
            "WITH made AS (INSERT INTO public.backups (tenant_id, name, backup_path, backup_type, status)
                 SELECT id, 'b', 'x', 'database', 'in_progress' FROM public.rovodev_tenants WHERE slug = 'default' RETURNING id)
             SELECT set_config('a.id', id::text, false) FROM made;
             UPDATE public.backups SET status = 'completed', manifest_key = 'x', finished_at = now(), anomalies = '{anomalies}'
             WHERE id = current_setting('a.id')::uuid;
             UPDATE public.rovodev_notification_folds SET told_at = told_at - interval '1 day'"
        );
        place.run(&sql).await;
        told(&place, "backup.anomaly").await.len()
    };
    assert_eq!(end(odd(300)).await, 1);
    assert_eq!(end(odd(310)).await, 1, "the same, a day later");
    assert_eq!(end(many).await, 2, "another");
    assert_eq!(end(json!([])).await, 2);
    assert_eq!(end(odd(300)).await, 3, "it comes back");
}

/// A backup of the default tenant that ends at once.
async fn stores(place: &Workplace, bytes: u64) -> Uuid {
    let id = Uuid::now_v7();
    let sql = format!(
        "INSERT INTO public.backups (id, tenant_id, name, backup_path, backup_type, status)
         SELECT '{id}', id, 'b', 'x', 'config', 'in_progress' FROM public.rovodev_tenants WHERE slug = 'default';
         UPDATE public.backups SET status = 'completed', manifest_key = 'x', finished_at = now(), new_bytes = {bytes},
             size_bytes = 100 WHERE id = '{id}'"
    );
    place.run(&sql).await;
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_is_told_at_each_crossing_and_stops_no_backup() {
    let place = Workplace::start().await;
    place.run(HEARS).await;
    let operator = Operator::new(&place.settings(), "me".into())
        .unwrap()
        .unwrap();
    let count = async || {
        (
            told(&place, "quota.near").await.len(),
            told(&place, "quota.exceeded").await.len(),
        )
    };
    stores(&place, 700).await;
    let set = operator.set_quota(Some(1000)).await.unwrap();
    assert_eq!((set.stored, set.quota), (700, Some(1000)));
    assert_eq!(count().await, (0, 0));
    let crossing = stores(&place, 100).await;
    assert_eq!(count().await, (1, 0));
    let message = &told(&place, "quota.near").await[0];
    assert_eq!(message["quota"], json!({ "stored": 800, "limit": 1000 }));
    stores(&place, 50).await;
    assert_eq!(count().await, (1, 0), "near is near");
    let over = stores(&place, 150).await;
    assert_eq!(count().await, (1, 1));
    let deleted =
        |id: Uuid| format!("UPDATE public.backups SET deleted_at = now() WHERE id = '{id}'");
    // A little less and more again is no crossing.
    place.run(&deleted(crossing)).await;
    place.run(&deleted(over)).await;
    let later = "UPDATE public.rovodev_notification_folds SET told_at = told_at - interval '1 day'";
    place.run(later).await;
    stores(&place, 100).await;
    assert_eq!(count().await, (1, 1), "850 of 1000 was 750 in between");
    stores(&place, 100).await;
    stores(&place, 100).await;
    assert_eq!(count().await, (1, 2), "it is exceeded anew");

    let row = backed_up(&place).await;
    assert_eq!(row["status"], "completed", "a quota stops nothing");
    let tenants = operator.tenants().await.unwrap();
    let own = tenants.iter().find(|t| t.slug == "default").unwrap();
    assert!(own.stored >= 1050 && own.quota == Some(1000));
    assert_eq!(operator.set_quota(None).await.unwrap().quota, None);
    stores(&place, 10_000).await;
    assert_eq!(count().await, (1, 2));
    let audited = "SELECT count(*) FROM public.rovodev_audit_log WHERE action = 'tenant.quota' AND actor = 'me'";
    let row = place.owner.query_one(audited, &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 2);
}
