//! Which backups a list holds, and in which order, over HTTP.

use crate::stack::{Person, Running};
use serde_json::{Value, json};

/// Name, type, why it was taken, size, and how many days ago.
const BACKUPS: &[(&str, &str, &str, i64, i32)] = &[
    ("a", "full", "manual", 500, 9),
    ("b", "database", "manual", 100, 8),
    ("c", "config", "scheduled", 300, 7),
    ("d", "full", "deploy", 200, 6),
    ("e", "database", "scheduled", 900, 5),
    ("f", "database", "manual", 700, 4),
    ("g", "config", "manual", 400, 3),
    ("h", "full", "scheduled", 600, 2),
    ("i", "database", "safety", 800, 1),
];

/// Names in order, page after page of two.
async fn names(running: &Running, token: &str, query: &str) -> String {
    let (mut all, mut cursor) = (String::new(), String::new());
    loop {
        let path = format!("/api/backups/list?limit=2&{query}{cursor}");
        let (status, page) = running.call(token, "GET", &path, None).await;
        assert_eq!(status, 200, "{path}: {page}");
        let backups = page["backups"].as_array().unwrap();
        assert!(backups.len() <= 2, "{page}");
        all.extend(backups.iter().map(|b| b["name"].as_str().unwrap()));
        match &page["nextCursor"] {
            Value::String(next) => cursor = format!("&cursor={next}"),
            _ => {
                assert_eq!(page["total"], json!(all.len()), "{path}: {page}");
                return all;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_choose_their_rows_and_orders_hold_over_pages() {
    let running = Running::start().await;
    let (admin, superuser) = (
        running.sign_in(Person::Admin).await,
        running.superuser().await,
    );
    let fill = "INSERT INTO public.backups (tenant_id, name, backup_path, backup_type, trigger, status, manifest_key, \
             finished_at, created_at, size_bytes) \
         SELECT id, $1::text, 'x', $2::text, $3::text, 'completed', 'x', now(), '2026-03-10T12:00:00Z'::timestamptz - $5::int4 * interval '1 day', \
             $4::int8 FROM public.rovodev_tenants WHERE slug = 'default'";
    for (name, kind, trigger, size, days) in BACKUPS {
        superuser
            .execute(fill, &[name, kind, trigger, size, days])
            .await
            .unwrap();
    }
    for (query, expected) in [
        ("", "ihgfedcba"),
        ("order=asc", "abcdefghi"),
        ("sort=size", "eifhagcdb"),
        ("sort=size&order=asc", "bdcgahfie"),
        ("type=full", "hda"),
        ("type=config,full&order=asc", "acdgh"),
        ("type=scheduled", "hec"),
        ("trigger=manual", "gfba"),
        ("trigger=safety,deploy", "id"),
        ("type=database&trigger=scheduled,manual&sort=size", "efb"),
        // Of the sixth of March to the eighth, each at noon.
        ("from=2026-03-06T11:59:59Z&to=2026-03-08T13:00:00Z", "hgf"),
        ("from=2026-03-08T12:00:01Z", "i"),
        ("to=2026-03-02T11:59:59Z", "a"),
        (
            "from=2026-03-04T00:00:00Z&type=full&sort=size&order=asc",
            "dh",
        ),
        ("from=2026-04-01T00:00:00Z", ""),
    ] {
        assert_eq!(names(&running, &admin, query).await, expected, "{query}");
    }
    let by_type = names(&running, &admin, "sort=type&order=asc").await;
    let kinds: Vec<&str> = by_type
        .chars()
        .map(|name| BACKUPS.iter().find(|b| b.0.starts_with(name)).unwrap().1)
        .collect();
    assert!(
        kinds.len() == BACKUPS.len() && kinds.is_sorted(),
        "{by_type}"
    );
}
