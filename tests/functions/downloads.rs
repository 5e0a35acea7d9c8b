//! A large download through the program, by a slow reader.

use crate::platform::Platform;
use serde_json::json;
use std::time::Duration;

/// Random digits shrink by half: about 30 MB as they are stored.
const LARGE: &str = "CREATE TABLE public.large AS SELECT n, encode(sha256(int8send(n)), 'hex')
    || encode(sha256(int8send(n + 10000000)), 'hex') || encode(sha256(int8send(n + 20000000)), 'hex')
    || encode(sha256(int8send(n + 30000000)), 'hex') AS digits FROM generate_series(1, 220000) n";
const LEAST: usize = 25 << 20;
/// More than a program keeps of an answer in its own memory.
const IN_MEMORY: usize = 1 << 20;

/// What the kernel keeps for a slow reader, at most.
fn in_kernel() -> usize {
    let limits = std::fs::read_to_string("/proc/sys/net/ipv4/tcp_wmem").unwrap();
    limits.split_whitespace().last().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_of_25_mb_has_all_of_it_when_the_invocation_ends() {
    let platform = Platform::start().await;
    platform.demo.owner.batch_execute(LARGE).await.unwrap();
    let backup = platform.backed_up(json!({ "type": "database" })).await;
    let download = platform.function("backups/[id]/download").await;
    let path = format!("/api/backups/{backup}/download");
    let (number, made) = platform.post(&download, &path, json!({}), 201).await;
    download.end(number).await;

    let link = made["url"].as_str().unwrap();
    let mut reading = download.read_slowly(link).await;
    let length = reading.length();
    let most = LEAST.max(in_kernel() * 2);
    assert!(length >= most, "{length} bytes prove nothing");
    while reading.body().len() < length / 2 {
        reading.piece().await;
    }
    assert!(!download.has_ended(reading.number), "half of it is to come");
    while reading.body().len() < length && !download.has_ended(reading.number) {
        if length - reading.body().len() < in_kernel() + IN_MEMORY {
            // So slow that an end that is told too early overtakes what was not sent yet.
            reading.pause = Duration::from_millis(250);
        }
        reading.piece().await;
    }
    // As the platform may do once it was told so: what was not sent by now never comes.
    download.end(reading.number).await;
    download.freeze();
    reading.pause = Duration::ZERO;
    while reading.body().len() < length {
        reading.piece().await;
    }
    let sql = zstd::stream::decode_all(reading.body()).unwrap();
    let end = format!("-- The end of Rovodev backup {backup}\n");
    assert!(sql.ends_with(end.as_bytes()));
}
