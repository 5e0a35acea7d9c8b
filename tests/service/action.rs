//! The GitHub Action: the scripts of its steps, as a runner runs them.

use crate::stack::{Person, Running};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use tempfile::TempDir;
use tokio::process::Command;

fn action() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(".github/actions/backup")
}

/// The scripts that the action's steps run, in order.
fn steps() -> Vec<String> {
    let text = std::fs::read_to_string(action().join("action.yml")).unwrap();
    let pattern = regex::Regex::new(r#"run: '"\$GITHUB_ACTION_PATH/([a-z]+\.sh)"'"#).unwrap();
    let steps = pattern.captures_iter(&text).map(|c| c[1].to_string());
    let steps: Vec<_> = steps.collect();
    assert_eq!(steps.len(), text.matches("run:").count(), "{text}");
    steps
}

struct Runner {
    folder: TempDir,
    variables: Vec<(&'static str, String)>,
}

impl Runner {
    fn new(running: &Running) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name).display().to_string();
        let user = json!({ "email": Person::Operator.email(), "password": "demo-password" });
        let programs = Path::new(env!("CARGO_BIN_EXE_rovodev")).parent().unwrap();
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
        let variables = vec![
            ("GITHUB_EVENT_NAME", "push".into()),
            ("GITHUB_OUTPUT", file("output")),
            ("GITHUB_PATH", file("path")),
            ("GITHUB_ACTION_PATH", action().display().to_string()),
            ("RUNNER_TEMP", file("temp")),
            ("PATH", path),
            ("ALLOW_PULL_REQUESTS", "false".into()),
            ("ROVODEV_VERSION", String::new()),
            ("ROVODEV_API", running.project.url()),
            ("SUPABASE_URL", running.supabase_url()),
            (
                "SUPABASE_PUBLISHABLE_KEY",
                running.project.keys().publishable.clone(),
            ),
            ("ROVODEV_USER", user.to_string()),
            ("ROVODEV_TENANT", "default".into()),
            ("BACKUP_NAME", "before-c0ffee".into()),
            ("BACKUP_TYPE", "config".into()),
        ];
        Self { folder, variables }
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.variables.retain(|(known, _)| *known != name);
        self.variables.push((name, value.into()));
        self
    }

    async fn step(&self, script: &str) -> Output {
        Command::new(action().join(script))
            .env_clear()
            .envs(self.variables.iter().cloned())
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .unwrap()
    }

    fn wrote(&self, file: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(file)).unwrap_or_default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_goes_on_when_its_backup_is_there() {
    let running = Running::start().await;
    let runner = Runner::new(&running);
    let mut told = String::new();
    for script in steps() {
        let step = runner.step(&script).await;
        assert!(step.status.success(), "{script}: {step:?}");
        told += &String::from_utf8(step.stdout).unwrap();
    }
    let output = runner.wrote("output");
    let (id, status) = output.trim().split_once('\n').unwrap();
    assert_eq!(status, "status=completed");
    let id = id.strip_prefix("backup-id=").unwrap();
    let viewer = running.sign_in(Person::Viewer).await;
    let path = format!("/api/backups/{id}/details");
    let (_, details) = running.call(&viewer, "GET", &path, None).await;
    assert_eq!(details["name"], "before-c0ffee", "{details}");
    // The token is named once, where it is masked.
    let (_, token) = told.trim().split_once("::add-mask::").unwrap();
    let token = token.lines().next().unwrap();
    assert_eq!(told.matches(token).count(), 1, "{told}");
    assert!(token.starts_with("eyJ") && !told.contains("demo-password"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_stops_the_job_with_its_reason() {
    let running = Running::start().await;
    let stranger = json!({ "email": "nobody@example.com", "password": "x" }).to_string();
    let refused = Runner::new(&running).with("ROVODEV_USER", &stranger);
    assert_eq!(refused.step("backup.sh").await.status.code(), Some(6));
    let foreign = Runner::new(&running).with("ROVODEV_TENANT", "northwind-dental");
    let step = foreign.step("backup.sh").await;
    assert_eq!(step.status.code(), Some(2), "{step:?}");
    assert!(String::from_utf8_lossy(&step.stdout).contains("::error::"));
    assert!(foreign.wrote("output").contains("status=failed"));
    for event in ["pull_request", "pull_request_target"] {
        let runner = Runner::new(&running).with("GITHUB_EVENT_NAME", event);
        assert_eq!(runner.step("allowed.sh").await.status.code(), Some(2));
        let agreed = runner.with("ALLOW_PULL_REQUESTS", "true");
        assert!(agreed.step("allowed.sh").await.status.success());
    }
}

async fn in_folder(folder: &Path, script: &str) {
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).current_dir(folder);
    assert!(shell.status().await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_is_installed_when_its_sum_is_right() {
    let running = Running::start().await;
    let releases = tempfile::tempdir().unwrap();
    let version = releases.path().join("v1");
    std::fs::create_dir(&version).unwrap();
    std::fs::write(version.join("rovodev"), "#!/bin/sh\necho released\n").unwrap();
    let name = "rovodev-$(uname -m)-unknown-linux-gnu.tar.gz";
    let pack =
        format!("tar --create --gzip --file {name} rovodev && sha256sum {name} > {name}.sha256");
    in_folder(&version, &pack).await;
    let place = format!("file://{}", releases.path().display());
    let runner = Runner::new(&running)
        .with("ROVODEV_VERSION", "v1")
        .with("ROVODEV_RELEASES", &place);
    let step = runner.step("install.sh").await;
    assert!(step.status.success(), "{step:?}");
    let folder = runner.wrote("path");
    let program = Path::new(folder.trim()).join("rovodev");
    assert!(
        std::fs::read_to_string(program)
            .unwrap()
            .contains("released")
    );

    let spoil = format!("echo x >> {name}");
    in_folder(&version, &spoil).await;
    let other = Runner::new(&running)
        .with("ROVODEV_VERSION", "v1")
        .with("ROVODEV_RELEASES", &place);
    assert!(!other.step("install.sh").await.status.success());
    assert_eq!(other.wrote("path"), "");
}
