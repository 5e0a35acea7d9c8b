//! Keys of a project, new and older.

use crate::stack::{Person, Running};
use rovodev::error::Code;
use rovodev::ports::catalog::{ApiKey, As, Catalog, Repeat};
use rovodev::ports::web;
use serde_json::{Value, json};

/// New keys are no tokens, older ones are: both say which project, and who asks where no person does.
#[tokio::test(flavor = "multi_thread")]
async fn new_keys_and_older_ones_serve_alike() {
    let running = Running::start().await;
    let keys = running.project.keys();
    let older = keys.older(&running.project.url()).unwrap();
    let token = running.sign_in(Person::Viewer).await;
    for (publishable, secret) in [
        (&keys.publishable, &keys.secret),
        (&older.anon, &older.service_role),
    ] {
        let catalog = Catalog::new(
            web::client().unwrap(),
            &running.project.url(),
            ApiKey::new(publishable.as_str()),
            Some(ApiKey::new(secret.as_str())),
        );
        let none = json!({});
        let waiting: Value = catalog
            .call(As::Jobs, "rovodev_waiting_jobs", &none, Repeat::Safely)
            .await
            .unwrap();
        assert_eq!(waiting["waiting"], 0);
        let me: Value = catalog
            .call(As::Person(&token), "rovodev_whoami", &none, Repeat::Safely)
            .await
            .unwrap();
        assert_eq!(me["tenants"][0]["role"], "viewer");
        for caller in [As::Person(&token), As::Anybody] {
            let asked =
                catalog.call::<Value>(caller, "rovodev_waiting_jobs", &none, Repeat::Safely);
            let refused = asked.await.unwrap_err();
            assert_eq!(refused.code, Code::CatalogRefused, "{refused}");
        }
    }
}
