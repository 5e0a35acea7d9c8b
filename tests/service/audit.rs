//! The audit log: append only, each row sealed with the one before it.

use crate::stack::{Person, Running};

/// Nobody changes the log; who breaks the rule with the server's own rights is found.
#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_stands() {
    let running = Running::start().await;
    let viewer = running.sign_in(Person::Viewer).await;
    let admin = running.sign_in(Person::Admin).await;
    for token in [&viewer, &admin, &viewer] {
        let unknown = format!("/api/backups/{}/details", uuid::Uuid::now_v7());
        running.call(token, "DELETE", &unknown, None).await;
    }
    let superuser = running.superuser().await;
    for role in ["anon", "authenticated", "service_role", "postgres"] {
        for change in [
            "UPDATE public.rovodev_audit_log SET actor = 'nobody'",
            "DELETE FROM public.rovodev_audit_log",
            "TRUNCATE public.rovodev_audit_log",
            "INSERT INTO public.rovodev_audit_log (tenant_id, actor, door, action, outcome, hash) \
             SELECT id, 'x', 'x', 'x', 'done', '' FROM public.rovodev_tenants LIMIT 1",
        ] {
            let inserts_as_owner = role == "postgres" && change.starts_with("INSERT");
            let tried = superuser
                .batch_execute(&format!("BEGIN; SET LOCAL ROLE {role}; {change}"))
                .await;
            superuser.batch_execute("ROLLBACK").await.unwrap();
            assert!(tried.is_err() || inserts_as_owner, "{role}: {change}");
        }
    }
    let broken =
        "SELECT rovodev.broken_audit_rows(id) FROM public.rovodev_tenants WHERE slug = 'default'";
    let found = superuser.query(broken, &[]).await.unwrap();
    assert!(found.is_empty(), "the chain does not verify");
    let second = "(SELECT id FROM public.rovodev_audit_log WHERE tenant_id = \
         (SELECT id FROM public.rovodev_tenants WHERE slug = 'default') ORDER BY id OFFSET 1 LIMIT 1)";
    for tampering in [
        format!("UPDATE public.rovodev_audit_log SET actor = 'nobody' WHERE id = {second}"),
        format!(
            "UPDATE public.rovodev_audit_log SET at = at + interval '1 second' WHERE id = {second}"
        ),
        format!("UPDATE public.rovodev_audit_log SET detail = '{{\"a\": 1}}' WHERE id = {second}"),
        format!("DELETE FROM public.rovodev_audit_log WHERE id = {second}"),
    ] {
        superuser
            .batch_execute(&format!(
                "BEGIN; SET LOCAL session_replication_role = replica; {tampering}"
            ))
            .await
            .unwrap();
        let found = superuser.query(broken, &[]).await.unwrap();
        superuser.batch_execute("ROLLBACK").await.unwrap();
        assert_eq!(found.len(), 1, "{tampering}");
    }
}
