//! Until when a restore can be undone, over HTTP, and what is told after that.

use crate::shell::Shell;
use crate::stack::{CRON_SECRET, Person, Running};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

struct Place {
    running: Running,
    admin: String,
    backup: String,
}

impl Place {
    async fn on(running: Running) -> Self {
        let admin = running.sign_in(Person::Admin).await;
        let backup = running
            .backed_up(&admin, json!({ "type": "database" }))
            .await;
        Self {
            running,
            admin,
            backup,
        }
    }

    async fn ask(&self, body: Value) -> (u16, Value) {
        let path = format!("/api/backups/{}/restore", self.backup);
        let call = self.running.call(&self.admin, "POST", &path, Some(body));
        call.await
    }

    /// What it ended as.
    async fn done(&self, body: Value) -> Value {
        let (status, asked) = self.ask(body).await;
        assert_eq!(status, 202, "{asked}");
        let operation = asked["operationId"].as_str().unwrap();
        self.running
            .ended(&self.admin, &self.status(operation))
            .await
    }

    fn status(&self, operation: &str) -> String {
        format!(
            "/api/backups/{}/restore/status?operation={operation}",
            self.backup
        )
    }

    /// A restore that changes something; its id and what it ended as.
    async fn restored(&self) -> (String, Value) {
        let mut owner = self.running.owner().await;
        local::demo::damage(&mut owner).await.unwrap();
        let ended = self.done(json!({ "mode": "exact" })).await;
        assert_eq!(ended["status"], "completed", "{ended}");
        (ended["operationId"].as_str().unwrap().into(), ended)
    }

    async fn run(&self, sql: &str) {
        let superuser = self.running.superuser().await;
        superuser.batch_execute(sql).await.unwrap();
    }

    /// As if the date had passed, in the database that keeps the rows and in the catalog.
    async fn pass(&self, operation: &str) {
        let schema = schema(operation);
        self.run(&format!(
            "UPDATE {schema}.operation SET undo_until = now() - interval '1 minute'; \
             UPDATE public.restore_operations SET undo_until = now() - interval '1 minute' WHERE id = '{operation}'"
        ))
        .await;
    }

    /// Calls the tick, and waits until it has told the catalog.
    async fn tick(&self) {
        self.run("DELETE FROM public.rovodev_chores").await;
        let call = self
            .running
            .call(CRON_SECRET, "GET", "/api/cron/tick", None);
        assert_eq!(call.await.0, 200);
        let superuser = self.running.superuser().await;
        // The chore that comes after it.
        let pruned = "SELECT count(*) FROM public.rovodev_chores WHERE name = 'prune'";
        for _ in 0..600 {
            let row = superuser.query_one(pruned, &[]).await.unwrap();
            if row.get::<_, i64>(0) == 1 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("the tick did not clean up");
    }

    async fn is_kept(&self, operation: &str) -> bool {
        let sql = "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)";
        let superuser = self.running.superuser().await;
        let row = superuser.query_one(sql, &[&schema(operation)]).await;
        row.unwrap().get(0)
    }

    /// What progress, details and the list of restores say, which is the same.
    async fn undo_until(&self, operation: &str) -> Value {
        let get = async |path: &str| {
            let (status, told) = self.running.call(&self.admin, "GET", path, None).await;
            assert_eq!(status, 200, "{told}");
            told
        };
        let progress = get(&self.status(operation)).await;
        let details = get(&format!("/api/backups/{}/details", self.backup)).await;
        let listed = get("/api/workspace/restores").await;
        let of = |all: &Value| {
            let mut all = all.as_array().unwrap().iter();
            all.find(|r| r["operationId"] == operation).unwrap()["undoUntil"].clone()
        };
        assert_eq!(
            instant(&of(&details["restores"]["operations"])),
            instant(&progress["undoUntil"])
        );
        assert_eq!(
            instant(&of(&listed["restores"])),
            instant(&progress["undoUntil"])
        );
        progress["undoUntil"].clone()
    }
}

fn schema(operation: &str) -> String {
    format!("undo_{}", operation.replace('-', ""))
}

fn instant(told: &Value) -> Option<DateTime<Utc>> {
    told.as_str().map(|text| text.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_can_be_undone_until_its_date_and_says_so() {
    dates_are_kept_and_told(Running::start().await).await;
}

pub async fn dates_are_kept_and_told(running: Running) {
    let place = Place::on(running).await;
    let planned = place
        .done(json!({ "mode": "exact", "preview": true }))
        .await;
    assert_eq!(planned["plan"]["undoDays"], 7, "{planned}");
    assert!(planned["undoUntil"].is_null(), "{planned}");
    let nothing = place.done(json!({ "mode": "exact" })).await;
    assert!(nothing["undoUntil"].is_null(), "{nothing}");

    let (early, _) = place.restored().await;
    let (late, ended) = place.restored().await;
    let until = instant(&ended["undoUntil"]).unwrap();
    let left = until - instant(&ended["startedAt"]).unwrap();
    assert!(
        left >= TimeDelta::days(7) && left < TimeDelta::days(8),
        "{left}"
    );
    assert_eq!(instant(&place.undo_until(&late).await), Some(until));

    // The date is a promise: as long as the rows are there, they can be had back.
    place.pass(&early).await;
    let dry = place.done(json!({ "undo": early, "preview": true, "leaveChanged": true }));
    assert_eq!(dry.await["status"], "completed");
    assert!(place.undo_until(&early).await.is_string());

    place.tick().await;
    assert!(!place.is_kept(&early).await && place.is_kept(&late).await);
    assert_eq!(place.undo_until(&early).await, Value::Null);
    assert_eq!(instant(&place.undo_until(&late).await), Some(until));
    let (status, refused) = place.ask(json!({ "undo": early })).await;
    assert_eq!(
        (status, &refused["code"]),
        (409, &json!("undo_expired")),
        "{refused}"
    );
    let detail = refused["detail"].as_str().unwrap();
    let day = (Utc::now() - TimeDelta::minutes(1)).format("kept for its undo until %Y-%m-");
    assert!(detail.contains(&day.to_string()), "{detail}");

    let undone = place.done(json!({ "undo": late })).await;
    assert_eq!(undone["status"], "completed", "{undone}");
    assert_eq!(place.undo_until(&late).await, Value::Null, "it is undone");
}

/// The catalog remembers that there was something, whoever dropped it.
#[tokio::test(flavor = "multi_thread")]
async fn an_undo_whose_rows_are_gone_says_until_when_they_were_kept() {
    let place = Place::on(Running::start().await).await;
    for (passed, code, part) in [
        (false, "operation_not_found", "but was dropped before"),
        (true, "undo_expired", "was kept for its undo until 20"),
    ] {
        let (operation, _) = place.restored().await;
        if passed {
            place.pass(&operation).await;
        }
        place
            .run(&format!("DROP SCHEMA {} CASCADE", schema(&operation)))
            .await;
        let failed = place.done(json!({ "undo": operation })).await;
        assert_eq!(
            (&failed["status"], &failed["errorCode"]),
            (&json!("failed"), &json!(code)),
            "{failed}"
        );
        assert!(failed["error"].as_str().unwrap().contains(part), "{failed}");
        // A date ahead is left to people: somebody may have set another database for a while.
        place.tick().await;
        let told = place.undo_until(&operation).await;
        assert_eq!(told.is_null(), passed, "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_says_the_same_beside_the_catalog_and_from_afar() {
    let place = Place::on(Running::start().await).await;
    let beside = Shell::beside(&place.running);
    let afar = Shell::afar(&place.running.project.url(), &place.admin);
    let (early, _) = place.restored().await;
    let (late, _) = place.restored().await;
    let kept = beside
        .run(&["restore", "--input", "latest", "--force", "--json"])
        .await;
    let nothing = kept.json();
    assert!(nothing["outcome"]["undoUntil"].is_null(), "{nothing}");
    place.pass(&early).await;
    place.tick().await;
    for shell in [&beside, &afar] {
        let undo = ["restore", "--undo", &early, "--force", "--wait", "--json"];
        let refused = shell.run(&undo).await;
        let error = &refused.json()["error"];
        assert_eq!(
            (refused.code, &error["code"]),
            (5, &json!("undo_expired")),
            "{refused:?}"
        );
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("for its undo until 20"), "{message}");
    }
    let undo = ["restore", "--undo", "latest", "--force", "--wait", "--json"];
    let undone = afar.run(&undo).await.json();
    assert_eq!(undone["undone"]["id"], json!(late), "{undone}");
    assert!(undone["undone"]["undoUntil"].is_string(), "{undone}");
    assert!(undone["outcome"]["undoUntil"].is_string(), "{undone}");
    let restore = ["restore", "--input", "latest", "--mode", "exact", "--force"];
    let said = beside.run(&restore).await;
    assert!(said.out.contains("Can be undone until 20"), "{said:?}");
}
