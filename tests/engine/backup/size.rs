//! Memory, and a disk that is full, each seen in a process of its own: this test program, started again.

use crate::support::{Source, directory, opened, request, table};
use rovodev::error::Code;
use rovodev::ports::postgres::DatabaseUrl;
use rovodev::tasks::Context;
use rovodev::tasks::create::create;
use std::process::{Command, Output};

const URL: &str = "ROVODEV_TEST_CHILD_URL";
const FOLDER: &str = "ROVODEV_TEST_CHILD_FOLDER";
const MIB: u64 = 1 << 20;

/// Backs up into the source's store by a child whose files have at most `blocks` of 512 bytes.
fn child(source: &Source, blocks: &str) -> Output {
    let program = std::env::current_exe().unwrap();
    let script = format!(
        "trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" --exact backup::size::child_process --ignored --nocapture"
    );
    Command::new("/bin/sh")
        .args(["-c", &script])
        .arg(program)
        .env(URL, &source.url)
        .env(FOLDER, source.folder.path())
        .output()
        .unwrap()
}

#[test]
#[ignore = "started by the other tests of this file"]
fn child_process() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let folder = std::env::var(FOLDER).unwrap();
        let opened = opened(directory(folder.as_ref())).await;
        let url = DatabaseUrl::parse(&std::env::var(URL).unwrap()).unwrap();
        let done = create(&Context::default(), &opened, &request(url, folder.as_ref())).await;
        match done {
            Ok(_) => println!("whole"),
            Err(error) => {
                let hint = error.hint.clone().unwrap_or_default();
                println!("{} | {error} | {hint}", error.code.as_str());
            }
        }
    });
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status
        .lines()
        .find_map(|l| l.strip_prefix("VmHWM:"))
        .unwrap();
    println!("peak {}", peak.trim().trim_end_matches(" kB"));
}

fn peak(output: &Output) -> u64 {
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.contains("whole"),
        "{text} {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let line = text.lines().find_map(|l| l.split_once("peak ")).unwrap().1;
    line.parse::<u64>().unwrap() * 1024
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_stays_bounded() {
    // Text that the server keeps small: 300 MB of rows, then one row of 200 MB.
    let sql = "CREATE TABLE many AS SELECT i, repeat(md5(i::text), 3125) t FROM generate_series(1, 3000) i;";
    let source = Source::new(sql).await;
    let used = peak(&child(&source, "unlimited"));
    println!("300 MB of rows: {} MiB", used / MIB);
    assert!(used <= 150 * MIB, "{} MiB", used / MIB);
    let sql = "DROP TABLE many; CREATE TABLE huge AS SELECT repeat('0123456789', 20000000) t;";
    source.client().await.batch_execute(sql).await.unwrap();
    let used = peak(&child(&source, "unlimited"));
    println!("a row of 200 MB: {} MiB", used / MIB);
    assert!(used <= 150 * MIB + 4 * 200_000_000, "{} MiB", used / MIB);
    source.assert_sound().await;
    let manifest = source.back_up(|_| {}).await.unwrap();
    assert_eq!(table(&manifest, "huge").raw_bytes, 200_000_001);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_and_leaves_no_backup() {
    let source =
        Source::new("CREATE TABLE t AS SELECT i, md5(i::text) FROM generate_series(1, 50000) i")
            .await;
    let output = child(&source, "500");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        told.contains(Code::StoreFull.as_str())
            && told.contains("segments/")
            && told.contains("Free some space"),
        "{told}"
    );
    source.assert_nothing_left(&[]).await;
    let manifest = source.back_up(|_| {}).await.unwrap();
    source.assert_exact(&manifest).await;
    source.assert_sound().await;
}
