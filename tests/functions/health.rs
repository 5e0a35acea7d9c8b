//! What health tells of the deployment around the program, and what it tells while settings are missing.

use crate::function::Function;
use crate::platform::Platform;
use crate::program::Program;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn the_deployment_and_what_is_missing_are_told() {
    let mut platform = Platform::start().await;
    let variables = &mut platform.demo.variables;
    variables.retain(|(name, _)| !["CRON_SECRET", "STORE_KEY"].contains(name));
    variables.extend([
        ("VERCEL_ENV", "production".to_string()),
        ("VERCEL_URL", "app-x.vercel.app".into()),
        ("VERCEL_REGION", "fra1".into()),
        ("VERCEL_GIT_COMMIT_SHA", "0123abc".into()),
    ]);
    let health = platform.function("status/health").await;
    let told = platform.get(&health, "/api/status/health").await;
    assert_eq!(
        told["deployment"],
        json!({
            "healthy": true, "status": "Running", "environment": "production",
            "url": "https://app-x.vercel.app", "region": "fra1", "commit": "0123abc",
        })
    );
    assert_eq!(
        told["config"],
        json!({ "complete": false, "missing": ["STORE_KEY", "CRON_SECRET"] })
    );
    assert_eq!(told["healthy"], false, "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_live_probe_answers_without_any_setting() {
    let whole = [
        ("SUPABASE_URL", "http://127.0.0.1:1".to_string()),
        ("SUPABASE_PUBLISHABLE_KEY", "sb_publishable_x".into()),
    ];
    for left in [&whole[..0], &whole[..1], &whole[1..]] {
        let health = Function::start(Program::of("status/health"), left).await;
        for (method, query, expected) in [
            ("GET", "?probe=live", 200),
            ("HEAD", "?probe=live", 200),
            ("POST", "?probe=live", 500),
            ("GET", "?probe=dead", 500),
            ("GET", "", 500),
        ] {
            let path = format!("/api/status/health{query}");
            let (_, request) = health.request(method, &path);
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), expected, "{method} {query}");
            assert!(answer.headers().contains_key("x-request-id"));
            assert_eq!(answer.headers()["cache-control"], "no-store");
            let text = answer.text().await.unwrap();
            if (method, expected) == ("GET", 200) {
                let told: Value = serde_json::from_str(&text).unwrap();
                assert_eq!(told, json!({ "status": "ok" }));
            }
        }
        let list = Function::start(Program::of("backups/list"), left).await;
        let (_, request) = list.request("GET", "/api/backups/list?probe=live");
        assert_eq!(request.send().await.unwrap().status(), 500);
    }
}
