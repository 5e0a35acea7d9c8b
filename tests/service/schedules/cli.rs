//! `rovodev schedule`, with the catalog and from afar.

use crate::shell::Shell;
use crate::stack::{Person, Running};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_does_the_same_beside_the_catalog_and_from_afar() {
    let running = Running::start().await;
    let admin = running.sign_in(Person::Admin).await;
    let shells = [
        Shell::beside(&running),
        Shell::afar(&running.project.url(), &admin),
    ];
    for shell in &shells {
        let add = ["schedule", "add", "Daily", "--cron", "0 2 * * *"];
        let zone = [
            "--timezone",
            "Europe/Berlin",
            "--type",
            "database",
            "--json",
        ];
        let made = shell.run(&[&add[..], &zone].concat()).await.json();
        assert_eq!(made["nextRuns"].as_array().unwrap().len(), 5, "{made}");
        let keep = ["schedule", "change", "Daily", "--keep-daily", "7"];
        let said = shell.run(&keep).await;
        assert!(
            said.out.starts_with("Changed Daily (") && said.out.contains("keeps 7 daily"),
            "{said:?}"
        );
        let ran = shell
            .run(&["schedule", "run", "Daily", "--json"])
            .await
            .json();
        let backup = ran["id"].as_str().unwrap();
        let status = format!("/api/backups/{backup}/restore/status");
        assert_eq!(running.ended(&admin, &status).await["status"], "completed");
        let listed = shell.run(&["schedule", "list"]).await;
        assert!(listed.out.contains("0 2 * * * Europe/Berlin"), "{listed:?}");
        let previewed = shell.run(&["schedule", "preview", "Daily"]).await;
        assert!(
            previewed.out.contains("keep") && previewed.out.contains("the last good backup"),
            "{previewed:?}"
        );
        assert!(
            previewed
                .out
                .ends_with("Daily: 1 backup kept, 0 backups to expire.\n"),
            "{previewed:?}"
        );
        let gate = [
            "schedule",
            "change",
            "Daily",
            "--trigger",
            "deploy",
            "--gate",
            "checked",
            "--json",
        ];
        let held = shell.run(&gate).await.json();
        assert_eq!(
            (&held["gate"], &held["onFailure"]),
            (&json!("checked"), &json!("block"))
        );
        let hook = shell
            .run(&["schedule", "hook", "Daily", "--json"])
            .await
            .json();
        let called = async || {
            let request = running.request("POST", "/api/hooks/deploy");
            let request = request.bearer_auth(hook["secret"].as_str().unwrap());
            request.send().await.unwrap().status()
        };
        assert_eq!(called().await, 202);
        assert_eq!(
            shell
                .run(&["schedule", "hook", "Daily", "--remove"])
                .await
                .code,
            0
        );
        assert_eq!(called().await, 401);
        let removed = shell
            .run(&["schedule", "remove", "Daily", "--json"])
            .await
            .json();
        assert_eq!(removed["name"], "Daily");
        let gone = shell.run(&["schedule", "preview", "Daily", "--json"]).await;
        assert_eq!(
            (gone.code, &gone.json()["error"]["code"]),
            (4, &json!("schedule_not_found")),
            "{gone:?}"
        );
        let wrong = [&add[..4], &["0 2 30 2 *", "--json"]].concat();
        let wrong = shell.run(&wrong).await;
        assert_eq!(
            (wrong.code, &wrong.json()["error"]["code"]),
            (2, &json!("bad_schedule")),
            "{wrong:?}"
        );
        let nothing = shell.run(&["schedule", "change", "Daily", "--json"]).await;
        assert_eq!(nothing.code, 2, "{nothing:?}");
    }
    let alone = Shell::beside(&running).with("SUPABASE_URL", "");
    let told = alone.run(&["schedule", "list", "--json"]).await;
    assert_eq!(
        (told.code, &told.json()["error"]["code"]),
        (2, &json!("config")),
        "{told:?}"
    );
}
