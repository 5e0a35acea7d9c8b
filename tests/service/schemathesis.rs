//! Schemathesis asks whatever `docs/openapi.json` lets it think of: nothing breaks, and no answer is undocumented.

use crate::stack::{CRON_SECRET, Person, Running};
use local::home::{Home, checkout};
use serde_json::json;
use tokio::process::Command;

const METRICS_SECRET: &str = "what-the-scraper-shows";
/// Requests that are thought of for one function, besides those that the document's limits give.
const EXAMPLES: &str = "20";

/// Calls a minute are not limited where they do little, so that more is seen than 429.
const FREE: &str = "
    ALTER FUNCTION rovodev.over_rate(uuid, text, integer) RENAME TO over_rate_of_people;
    CREATE FUNCTION rovodev.over_rate(tenant uuid, limited_action text, allowed integer) RETURNS integer
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
        SELECT CASE WHEN limited_action IN ('backup.create', 'backup.restore', 'backup.preview')
            THEN rovodev.over_rate_of_people(tenant, limited_action, allowed) END
    $$;
";

#[tokio::test(flavor = "multi_thread")]
async fn nothing_breaks_and_no_answer_is_undocumented() {
    let program = local::schemathesis::program(&Home::open().unwrap()).unwrap();
    let running = Running::start_with(&[("METRICS_SECRET", METRICS_SECRET.into())]).await;
    running.owner().await.batch_execute(FREE).await.unwrap();
    let admin = running.sign_in(Person::Admin).await;
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("schemathesis.toml");
    std::fs::write(&config, settings(&running, &admin).await).unwrap();
    let output = Command::new(program)
        .arg("--config-file")
        .arg(&config)
        .args(["run", "--max-examples", EXAMPLES, "--continue-on-failure"])
        .args(["--generation-deterministic", "--request-timeout", "30"])
        .args(["--no-color", "--url", &running.project.url()])
        .arg(checkout().join("docs/openapi.json"))
        .current_dir(folder.path())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    let wrong = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}\n{wrong}");
    let tested = format!("Tested: {}\n", operations());
    assert!(
        told.contains(&tested),
        "not every function was asked: {told}"
    );
}

fn operations() -> usize {
    let document = crate::codes::document();
    let paths = document["paths"].as_object().unwrap().values();
    let items = paths.flat_map(|item| item.as_object().unwrap().values());
    items.filter(|o| o.get("responses").is_some()).count()
}

/// A schedule whose hook is called.
async fn hooked(running: &Running, admin: &str) -> String {
    let body = json!({ "name": "hooked", "trigger": "deploy", "type": "config" });
    running.scheduled(admin, body).await
}

/// What is asked for is there: a backup that stays, one that may be deleted, one whose links may end, and a link.
async fn settings(running: &Running, admin: &str) -> String {
    let kept = running.backed_up(admin, json!({})).await;
    let small = || running.backed_up(admin, json!({ "type": "config" }));
    let (deleted, revoked) = (small().await, small().await);
    let schedule = || running.scheduled(admin, json!({ "name": "n", "cron": "0 2 * * *" }));
    let (schedule, unscheduled) = (schedule().await, schedule().await);
    let webhook = json!({ "kind": "webhook", "name": "n", "target": "https://example.com/", "events": ["restore.done"] });
    let (channel, _) = running.channel(admin, webhook.clone()).await;
    let (unheard, _) = running.channel(admin, webhook).await;
    let hook = json!({ "makeHook": hooked(running, admin).await });
    let (_, made) = running
        .call(admin, "POST", "/api/schedules", Some(hook))
        .await;
    let hook = made["secret"].as_str().unwrap();
    let path = format!("/api/backups/{kept}/download");
    let (_, made) = running.call(admin, "POST", &path, Some(json!({}))).await;
    let (_, link) = made["url"].as_str().unwrap().split_once('=').unwrap();
    format!(
        r#"
[auth.openapi.supabase]
bearer = "{admin}"
[auth.openapi.scheduler]
bearer = "{CRON_SECRET}"
[auth.openapi.hook]
bearer = "{hook}"
[auth.openapi.scraper]
bearer = "{METRICS_SECRET}"

[parameters]
"path.id" = "{kept}"
"header.X-Rovodev-Tenant" = "default"

[[operations]]
include-operation-id = "deleteBackup"
parameters = {{ "path.id" = "{deleted}" }}

[[operations]]
include-operation-id = "revokeDownloads"
parameters = {{ "path.id" = "{revoked}" }}

[[operations]]
include-operation-id = "changeSchedule"
parameters = {{ "query.id" = "{schedule}" }}
checks = {{ positive_data_acceptance = {{ enabled = false }} }}

[[operations]]
include-operation-id = "deleteSchedule"
parameters = {{ "query.id" = "{unscheduled}" }}

[[operations]]
include-operation-id = "changeChannel"
parameters = {{ "query.id" = "{channel}" }}
checks = {{ positive_data_acceptance = {{ enabled = false }} }}

[[operations]]
include-operation-id = "deleteChannel"
parameters = {{ "query.id" = "{unheard}" }}

[[operations]]
include-operation-id = "download"
parameters = {{ "query.link" = "{link}" }}

# Which parameters go together, what a cursor is, what a cron expression, and where an address leads, no schema can say.
[[operations]]
include-operation-id = ["callHook", "createChannel", "createSchedule", "health", "listBackups", "listSchedules", "readWorkspace", "showProgress"]
checks = {{ positive_data_acceptance = {{ enabled = false }} }}

# A name of a table that has more bytes than PostgreSQL's have is refused, which no schema counts.
[[operations]]
include-operation-id = "restoreBackup"
checks = {{ positive_data_acceptance = {{ expected-statuses = ["2xx", "400", "401", "403", "404", "409", "429", "5xx"] }} }}

# The same here, and a key that was used for another request is refused, good as both may be. Of several ways to show who one
# is, sequences of calls make up tokens of their own.
[[operations]]
include-operation-id = "createBackup"
parameters = {{ "header.Authorization" = "Bearer {admin}" }}
checks = {{ positive_data_acceptance = {{ expected-statuses = ["2xx", "400", "409", "422", "429"] }} }}
"#
    )
}
