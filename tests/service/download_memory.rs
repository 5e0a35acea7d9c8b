//! The function's own executable streams a large backup in the memory of a small one.

use crate::download::link;
use crate::stack::{Person, Running};
use serde_json::json;
use std::process::{Child, Command};
use std::time::Instant;

/// About 190 MB as they are stored: random digits shrink by half.
const LARGE: &str = "CREATE TABLE public.large AS SELECT n, encode(sha256(int8send(n)), 'hex')
    || encode(sha256(int8send(n + 10000000)), 'hex') || encode(sha256(int8send(n + 20000000)), 'hex')
    || encode(sha256(int8send(n + 30000000)), 'hex') AS digits FROM generate_series(1, 1400000) n";
const MOST: u64 = 110 << 20;

struct Function(Child);

impl Drop for Function {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Function {
    /// The most memory that it ever held, in bytes.
    fn peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status.lines().find(|l| l.starts_with("VmHWM:")).unwrap();
        let kilobytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kilobytes << 10
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_takes_the_same_memory_whatever_its_size() {
    let running = Running::start().await;
    let admin = running.sign_in(Person::Admin).await;
    running
        .superuser()
        .await
        .batch_execute(LARGE)
        .await
        .unwrap();
    let backup = running
        .backed_up(&admin, json!({ "type": "database" }))
        .await;
    let made = link(&running, &admin, &backup, json!({})).await;
    let port = local::port::free().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_backups-download"))
        .current_dir(folder.path())
        .envs(running.variables.iter().cloned())
        .env("VERCEL_DEV_PORT", port.to_string())
        .spawn()
        .unwrap();
    let function = Function(child);
    let url = format!("http://127.0.0.1:{port}{}", made["url"].as_str().unwrap());
    let begun = Instant::now();
    let mut answer = loop {
        match running
            .follow(&url)
            .timeout(std::time::Duration::from_secs(120))
            .send()
            .await
        {
            Ok(answer) => break answer,
            Err(e) if e.is_connect() && begun.elapsed().as_secs() < 30 => {}
            Err(e) => panic!("{e}"),
        }
    };
    assert_eq!(answer.status(), 200);
    let expected: u64 = answer.headers()["content-length"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    let mut bytes = 0;
    while let Some(piece) = answer.chunk().await.unwrap() {
        bytes += piece.len() as u64;
    }
    assert_eq!(bytes, expected);
    assert!(bytes > MOST + (50 << 20), "{bytes} bytes prove nothing");
    assert!(
        function.peak() < MOST,
        "{} bytes of memory",
        function.peak()
    );
}
