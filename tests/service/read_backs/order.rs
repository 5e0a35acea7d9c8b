//! What is read back first, and by how many.

use crate::jobs::workplace::Workplace;
use serde_json::Value;

/// Two schedules with three backups each, the second one read back eight days ago but for its newest; one that is under way.
const BACKUPS: &str = "
    INSERT INTO public.backup_schedules (id, tenant_id, name, cron_expression, backup_type)
    SELECT ('00000000-0000-7000-8000-00000000000' || n)::uuid, t.id, 'schedule ' || n, '0 2 * * *', 'database'
    FROM public.rovodev_tenants t, generate_series(1, 2) n WHERE t.slug = 'default';
    INSERT INTO public.backups (tenant_id, name, backup_path, backup_type, status, created_at, finished_at, manifest_key,
        schedule_id, checked_at)
    SELECT s.tenant_id, right(s.name, 1) || '-' || n, 'x', 'database', 'completed', now() - n * interval '2 days',
        now() - n * interval '2 days' + right(s.name, 1)::int * interval '1 hour', 'x', s.id,
        CASE WHEN s.name = 'schedule 2' AND n > 1 THEN now() - (6 + n) * interval '1 day' END
    FROM public.backup_schedules s, generate_series(1, 3) n;
    INSERT INTO public.backups (tenant_id, name, backup_path, backup_type, status)
    SELECT id, 'under way', 'x', 'database', 'pending' FROM public.rovodev_tenants WHERE slug = 'default'";

async fn claim(place: &Workplace, days: i32, most: Option<i32>) -> Option<Value> {
    let sql = "SELECT c::text FROM public.rovodev_claim_read_back($1, 60, $2) c";
    let row = place.owner.query_one(sql, &[&days, &most]).await.unwrap();
    let text: Option<String> = row.get(0);
    text.map(|text| serde_json::from_str(&text).unwrap())
}

async fn name(place: &Workplace, claimed: &Value) -> String {
    let id = claimed["backup"].as_str().unwrap().parse().unwrap();
    let row = place.row("backups", id).await;
    row["name"].as_str().unwrap().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_of_each_schedule_go_first_and_then_what_waits_longest() {
    let place = Workplace::start().await;
    place.run(BACKUPS).await;
    assert_eq!(claim(&place, 0, None).await, None, "nought is never");
    let mut order = Vec::new();
    while let Some(claimed) = claim(&place, 7, None).await {
        order.push(name(&place, &claimed).await);
    }
    // Read back nine days ago, it is two days late; never, it is as late as it is old.
    assert_eq!(order, ["1-1", "2-1", "1-3", "1-2", "2-3", "2-2"]);

    // Functions leave it at one; who died is followed when the lease is out.
    assert_eq!(claim(&place, 7, Some(1)).await, None);
    place
        .run("UPDATE public.rovodev_read_backs SET leased_until = now()")
        .await;
    let again = claim(&place, 7, Some(1)).await.unwrap();
    assert_eq!(
        (name(&place, &again).await.as_str(), &again["token"]),
        ("1-1", &2.into())
    );
    assert_eq!(claim(&place, 7, Some(1)).await, None);
}

/// What kills its readers waits an hour, so that the others are read.
#[tokio::test(flavor = "multi_thread")]
async fn what_kills_its_readers_holds_up_no_other() {
    let place = Workplace::start().await;
    place.run(BACKUPS).await;
    for _ in 0..5 {
        let claimed = claim(&place, 7, Some(1)).await.unwrap();
        assert_eq!(name(&place, &claimed).await, "1-1");
        place
            .run("UPDATE public.rovodev_read_backs SET leased_until = now()")
            .await;
    }
    let other = claim(&place, 7, Some(1)).await.unwrap();
    assert_eq!(name(&place, &other).await, "2-1");
    place
        .run("UPDATE public.rovodev_read_backs SET leased_until = now() - interval '61 minutes'")
        .await;
    let first = claim(&place, 7, Some(1)).await.unwrap();
    assert_eq!(name(&place, &first).await, "1-1");
}
