//! What a tenant with a scope hears of the project around its rows.

use crate::stack::{Person, Running};
use serde_json::{Value, json};

/// A tenant with a scope hears of no server, no address and no definition, neither in health nor in what jobs tell.
#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_with_a_scope_hears_of_rows_alone() {
    let running = Running::start().await;
    let (admin, customer) = (
        running.sign_in(Person::Admin).await,
        running.sign_in(Person::Customer).await,
    );
    let mut heard = Vec::new();
    for token in [&admin, &customer] {
        let made = running.call(token, "POST", "/api/backups/create", Some(json!({})));
        let (status, created) = made.await;
        assert_eq!(status, 202, "{created}");
        let id = created["id"].as_str().unwrap().to_string();
        let path = format!("/api/backups/{id}/restore/status");
        let ended = running.ended(token, &path).await;
        assert_eq!(ended["status"], "completed", "{ended}");
        let restore = format!("/api/backups/{id}/restore");
        let preview = Some(json!({ "preview": true, "mode": "exact" }));
        assert_eq!(running.call(token, "POST", &restore, preview).await.0, 202);
        let plan = running.ended(token, &path).await;
        assert_eq!(plan["status"], "completed", "{plan}");
        let place = format!("/api/backups/{id}/details");
        let details = running.call(token, "GET", &place, None);
        let (details, health) = (
            details.await.1,
            running
                .call(token, "GET", "/api/status/health", None)
                .await
                .1,
        );
        heard.push((details, plan, health));
    }
    let (operators, customers) = (heard.remove(0), heard.remove(0));
    assert!(operators.1["plan"]["target"].is_string(), "{}", operators.1);
    assert_eq!(operators.0["contents"]["schema"], "captured");
    assert!(operators.2["config"].is_object() && operators.2["deployment"].is_object());

    let (details, plan, health) = &customers;
    assert_eq!(details["contents"]["files"], json!([]), "{details}");
    assert_eq!(details["contents"]["schema"], "notIncluded", "{details}");
    assert_eq!(plan["plan"]["scope"]["column"], "organization_id", "{plan}");
    assert!(health.get("config").is_none() && health.get("deployment").is_none());
    // Of 1,145 calls some are this organization's.
    let own = health["database"]["records"].as_u64().unwrap();
    assert!(own > 0 && own < 1145, "{health}");
    assert_eq!(
        health["database"]["records"],
        details["metadata"]["records"]
    );
    let postgres = running.stack.postgres.owner_url("postgres");
    let address = url::Url::parse(&postgres).unwrap();
    let address = format!("127.0.0.1:{}", address.port().unwrap());
    for text in [details, plan, health].map(Value::to_string) {
        assert!(
            !text.contains(&address) && !text.contains("CREATE "),
            "{text}"
        );
    }
}
