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

/// Each reason once a minute and person, however often it came.
#[tokio::test(flavor = "multi_thread")]
async fn refusals_of_signed_in_people_are_written_down_and_folded() {
    let running = Running::start().await;
    let viewer = running.sign_in(Person::Viewer).await;
    let stranger = running.sign_in(Person::Stranger).await;
    let list = || running.request("GET", "/api/backups/list");
    let foreign_page = || {
        let request = running.request("POST", "/api/backups/create");
        request.header("origin", "https://evil.example")
    };
    for _ in 0..3 {
        let asked = [
            running
                .request("GET", "/api/workspace/channels")
                .bearer_auth(&viewer),
            list()
                .bearer_auth(&viewer)
                .header("x-rovodev-tenant", "northwind-dental"),
            foreign_page().bearer_auth(&viewer),
            list().bearer_auth(&stranger),
            foreign_page().bearer_auth(&stranger),
            foreign_page(),
            foreign_page().bearer_auth("made up"),
        ];
        for request in asked {
            let status = request.send().await.unwrap().status();
            assert_eq!(status, 403);
        }
    }
    let sql = "SELECT code, actor, count(*) FROM public.rovodev_audit_log WHERE action = 'request' \
         AND outcome = 'refused' GROUP BY 1, 2 ORDER BY 1";
    let superuser = running.superuser().await;
    let mut found = Vec::new();
    for _ in 0..600 {
        let rows = superuser.query(sql, &[]).await.unwrap();
        found = rows
            .iter()
            .map(|r| {
                (
                    r.get::<_, String>(0),
                    r.get::<_, String>(1),
                    r.get::<_, i64>(2),
                )
            })
            .collect();
        if found.len() == 3 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let expected = ["forbidden", "foreign_origin", "no_tenant"]
        .map(|code| (code.to_string(), Person::Viewer.email().to_string(), 1));
    assert_eq!(found, expected);
    // Nobody writes reasons of their own at PostgREST.
    let arguments = r#"{"tenant":null,"function":"x","method":"GET","code":"made_up"}"#;
    let answer = running
        .request("POST", "/rest/v1/rpc/rovodev_note_refusal")
        .header("apikey", &running.project.keys().publishable)
        .header("content-type", "application/json")
        .bearer_auth(&viewer)
        .body(arguments)
        .send();
    assert!(answer.await.unwrap().status().is_success());
    let rows = superuser.query(sql, &[]).await.unwrap();
    assert_eq!(rows.len(), 3);
}
