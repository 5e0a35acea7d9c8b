//! The check is made once, by `init`.

use super::vercel::{Api, Trouble};
use crate::shell::Shell;
use crate::stack::Running;
use axum::http::Method;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn init_makes_the_check_once_and_tells_no_secret() {
    let api = Api::with_checks(Vec::new()).await;
    let running = Running::start().await;
    let mut shell = Shell::beside(&running);
    for (name, value) in api.settings() {
        shell = shell.with(name, &value);
    }
    shell.write("vercel.json", include_str!("../../../vercel.json"));
    let plan = ["init", "--plan", "pro", "--yes", "--json"];
    for changed in [true, false] {
        let said = shell.run(&plan).await;
        assert_eq!(said.code, 0, "{said:?}");
        let told = said.json();
        let steps = told["steps"].as_array().unwrap();
        let step = steps.iter().find(|s| s["name"] == "deployments").unwrap();
        assert_eq!(step["changed"], changed, "{told}");
        let shown = format!("{} {}", said.out, said.err);
        assert!(!shown.contains("a-token-of-vercel"), "{shown}");
    }
    let made = |c: &&(Method, String)| c.0 == Method::POST;
    assert_eq!(api.book().calls.iter().filter(made).count(), 1);
    api.book().trouble = Trouble::Status(401);
    let refused = shell.run(&plan).await;
    assert_eq!(
        (refused.code, &refused.json()["error"]["code"]),
        (1, &json!("vercel_refused"))
    );
}
