//! `rovodev worker`, beside the functions.

use crate::stack::{Person, Running};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::process::{Child, Command, Output, Stdio};
use std::time::Instant;
use tempfile::TempDir;
use tokio_postgres::Client;

/// A folder of its own, so that no `.env` is found, and nothing but these settings.
pub struct Worker {
    child: Child,
    _folder: TempDir,
}

impl Worker {
    pub fn start(running: &Running, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_rovodev"))
            .arg("worker")
            .args(arguments)
            .current_dir(folder.path())
            .envs(running.variables.iter().cloned())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            child,
            _folder: folder,
        }
    }

    pub fn send(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub fn ended(self) -> Output {
        self.child.wait_with_output().unwrap()
    }
}

fn once(running: &Running) -> Value {
    let output = Worker::start(running, &["--once", "--json"]).ended();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Asked for through PostgREST alone, so that no function works on it behind its response.
async fn waiting_backup(running: &Running, token: &str) -> String {
    let asked = running.rpc(
        token,
        "rovodev_create_backup",
        json!({ "request": { "type": "database" } }),
    );
    let asked = asked.await;
    assert_eq!(asked["outcome"], "done", "{asked}");
    asked["id"].as_str().unwrap().to_string()
}

/// Waits until the job of a backup is as the condition says.
async fn until(superuser: &Client, backup: &str, condition: &str) {
    let begun = Instant::now();
    let asked = format!(
        "SELECT {condition} FROM rovodev_jobs WHERE backup_id::text = $1 AND kind = 'backup'"
    );
    while !superuser
        .query_one(&asked, &[&backup])
        .await
        .unwrap()
        .get::<_, bool>(0)
    {
        assert!(begun.elapsed().as_secs() < 60, "never came: {condition}");
        tokio::task::yield_now().await;
    }
}

async fn status(running: &Running, token: &str, backup: &str) -> Value {
    let path = format!("/api/backups/{backup}/details");
    running.call(token, "GET", &path, None).await.1
}

/// A backup waits as long as another session holds this.
async fn locker(running: &Running) -> Client {
    let locker = running.superuser().await;
    locker
        .batch_execute("BEGIN; LOCK TABLE calls IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    locker
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_works_off_both_queues() {
    let running = Running::start().await;
    let admin = running.sign_in(Person::Admin).await;
    let superuser = running.superuser().await;
    assert_eq!(once(&running)["completed"], 0, "nothing waits");
    let long = waiting_backup(&running, &admin).await;
    superuser
        .batch_execute(
            "SELECT rovodev_return_job((j ->> 'id')::uuid, (j ->> 'token')::int, 0, to_worker => true)
             FROM (SELECT rovodev_take_job('a function', 60) j) taken",
        )
        .await
        .unwrap();
    let short = waiting_backup(&running, &admin).await;
    let worked = once(&running);
    assert_eq!(
        (&worked["completed"], &worked["failed"]),
        (&json!(2), &json!(0)),
        "{worked}"
    );
    for backup in [&long, &short] {
        assert_eq!(
            status(&running, &admin, backup).await["status"],
            "completed"
        );
    }
    let order = "SELECT (SELECT ended_at FROM rovodev_jobs WHERE backup_id::text = $1)
        < (SELECT ended_at FROM rovodev_jobs WHERE backup_id::text = $2)";
    let first: bool = superuser
        .query_one(order, &[&long, &short])
        .await
        .unwrap()
        .get(0);
    assert!(first, "what only a worker can end goes first");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_worker_gives_its_job_back_and_no_attempt_is_lost() {
    let running = Running::start().await;
    let admin = running.sign_in(Person::Admin).await;
    let superuser = running.superuser().await;
    let locker = locker(&running).await;
    let backup = waiting_backup(&running, &admin).await;
    let worker = Worker::start(&running, &[]);
    until(&superuser, &backup, "state = 'running'").await;
    worker.send(Signal::TERM);
    let output = worker.ended();
    assert!(output.status.success(), "{output:?}");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("1 job: 1 given back"), "{told}");
    until(&superuser, &backup, "state = 'queued' AND max_attempts = 6").await;
    assert_eq!(status(&running, &admin, &backup).await["status"], "pending");
    locker.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(once(&running)["completed"], 1);
    let ended = status(&running, &admin, &backup).await;
    assert_eq!(
        (&ended["status"], &ended["attempt"]),
        (&json!("completed"), &json!(2)),
        "{ended}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_workers_on_one_job_the_later_one_counts() {
    let running = Running::start().await;
    let admin = running.sign_in(Person::Admin).await;
    let superuser = running.superuser().await;
    let locker = locker(&running).await;
    let backup = waiting_backup(&running, &admin).await;
    let first = Worker::start(&running, &["--once", "--json"]);
    until(&superuser, &backup, "state = 'running' AND token = 1").await;
    first.send(Signal::STOP);
    // Its lease runs out while it sleeps.
    superuser
        .batch_execute("SELECT pgmq.set_vt(queue, message_id, 0) FROM rovodev_jobs")
        .await
        .unwrap();
    let second = Worker::start(&running, &["--once", "--json"]);
    until(&superuser, &backup, "state = 'running' AND token = 2").await;
    locker.batch_execute("ROLLBACK").await.unwrap();
    let worked: Value = serde_json::from_slice(&second.ended().stdout).unwrap();
    assert_eq!(worked["completed"], 1, "{worked}");
    first.send(Signal::CONT);
    let worked: Value = serde_json::from_slice(&first.ended().stdout).unwrap();
    assert_eq!(
        (&worked["completed"], &worked["lost"]),
        (&json!(0), &json!(1)),
        "{worked}"
    );
    let ended = status(&running, &admin, &backup).await;
    assert_eq!(
        (&ended["status"], &ended["attempt"]),
        (&json!("completed"), &json!(2)),
        "{ended}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn many_hands_take_every_job_once() {
    let running = Running::start().await;
    let admin = running.sign_in(Person::Admin).await;
    let mut backups = Vec::new();
    for _ in 0..6 {
        backups.push(waiting_backup(&running, &admin).await);
    }
    let workers = [0, 1].map(|_| Worker::start(&running, &["--once", "--json", "--jobs", "2"]));
    let (mut completed, mut said) = (0, String::new());
    for worker in workers {
        let output = worker.ended();
        said.push_str(&String::from_utf8_lossy(&output.stderr));
        let worked: Value = serde_json::from_slice(&output.stdout).unwrap();
        completed += worked["completed"].as_u64().unwrap();
    }
    assert_eq!(completed, 6, "{said}");
    for backup in backups {
        let ended = status(&running, &admin, &backup).await;
        assert_eq!(
            (&ended["status"], &ended["attempt"]),
            (&json!("completed"), &json!(1))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_cannot_begin_says_why() {
    let mut running = Running::start().await;
    for (name, value, code) in [
        ("SUPABASE_SECRET_KEY", "sb_secret_wrong", "catalog_refused"),
        ("SUPABASE_SECRET_KEY", "", "config"),
        ("SUPABASE_URL", "", "config"),
    ] {
        let before = running.variables.clone();
        for variable in &mut running.variables {
            if variable.0 == name {
                variable.1 = value.into();
            }
        }
        let output = Worker::start(&running, &["--json"]).ended();
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(told["error"]["code"], code, "{name}={value}: {told}");
        assert_ne!(output.status.code(), Some(0));
        running.variables = before;
    }
}
