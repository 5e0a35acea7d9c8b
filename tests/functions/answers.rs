//! A backup through the programs, from the request to its end.

use crate::function::{Function, program};
use local::demo_project::DemoProject;
use local::visitor::{ADMIN, Visitor};
use serde_json::{Value, json};
use tokio::process::Command;

/// The project without functions: those are the programs under test.
struct Platform {
    demo: DemoProject,
    token: String,
}

impl Platform {
    async fn start() -> Platform {
        let mut demo = DemoProject::start(false).await.unwrap();
        if std::env::var_os("ROVODEV_VERCEL_OUTPUT").is_some() {
            // The function brings its own.
            demo.variables.retain(|(name, _)| *name != "PG_DUMP");
        }
        let admin = Visitor::sign_in(&demo.project, ADMIN).await.unwrap();
        let token = admin.token().to_string();
        Platform { demo, token }
    }

    async fn function(&self, name: &str) -> Function {
        Function::start(Command::new(program(name)), &self.demo.variables).await
    }

    async fn get(&self, function: &Function, path: &str) -> Value {
        let (_, request) = function.request("GET", path);
        let answer = request.bearer_auth(&self.token).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn work_goes_on_behind_the_response_and_ends_before_the_invocation() {
    let platform = Platform::start().await;
    let create = platform.function("backups/create").await;
    let (number, request) = create.request("POST", "/api/backups/create");
    let answer = request
        .bearer_auth(&platform.token)
        .header("content-type", "application/json")
        .body(json!({ "type": "database" }).to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 202);
    let created: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert!(!create.has_ended(number), "nothing can be done by now");

    let id = created["id"].as_str().unwrap();
    let status = platform.function("backups/[id]/restore/status").await;
    let path = format!("/api/backups/{id}/restore/status");
    let told = status.events_at_end(&path, &platform.token).await;
    assert!(told.contains("text/event-stream"), "{told}");
    let last = told.rsplit("data: ").next().unwrap();
    assert!(last.contains(r#""status":"completed""#), "{told}");
    create.end(number).await;

    let list = platform.function("backups/list").await;
    let listed = platform.get(&list, "/api/backups/list").await;
    assert_eq!(
        (&listed["total"], &listed["backups"][0]["id"]),
        (&json!(1), &json!(id))
    );
    let details = platform.function("backups/[id]/details").await;
    let details = platform
        .get(&details, &format!("/api/backups/{id}/details"))
        .await;
    assert_eq!(details["contents"]["schema"], "captured", "{details}");
    assert!(create.stop().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_without_its_settings_answers_and_does_not_die() {
    let list = Function::start(Command::new(program("backups/list")), &[]).await;
    for _ in 0..2 {
        let (number, request) = list.request("GET", "/api/backups/list");
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 500);
        let told = answer.text().await.unwrap();
        assert!(
            told.contains("\"code\"") && !told.contains("SUPABASE"),
            "{told}"
        );
        list.end(number).await;
    }
}
