//! Memory, and a disk that is full, each seen in a process of its own: this test program, started again.

use crate::support::{Source, directory, opened, request, table};
use rovodev::error::Code;
use rovodev::ports::postgres::DatabaseUrl;
use rovodev::ports::store::{Fault, Op, Rule, Store, Unreliable, When};
use rovodev::tasks::Context;
use rovodev::tasks::create::create;
use std::process::{Command, Output};
use std::time::Duration;

const URL: &str = "ROVODEV_TEST_CHILD_URL";
const FOLDER: &str = "ROVODEV_TEST_CHILD_FOLDER";
/// Milliseconds that the child's store takes for a segment.
const STALL: &str = "ROVODEV_TEST_CHILD_STALL";
const MIB: u64 = 1 << 20;

/// Backs up into the source's store by a child whose files have at most `blocks` of 512 bytes.
fn child(source: &Source, blocks: &str) -> Output {
    command(source, blocks).output().unwrap()
}

fn command(source: &Source, blocks: &str) -> Command {
    let program = std::env::current_exe().unwrap();
    let script = format!(
        "trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" --exact backup::size::child_process --ignored --nocapture"
    );
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", &script])
        .arg(program)
        .env(URL, &source.url)
        .env(FOLDER, source.folder.path());
    command
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
        let mut opened = opened(directory(folder.as_ref())).await;
        if let Ok(millis) = std::env::var(STALL) {
            let stall = Fault::Stall(Duration::from_millis(millis.parse().unwrap()));
            let rule = Rule::new(When::From(1), stall).on(Op::PutNew, "segments/");
            opened.store = Store::Unreliable(Unreliable::new(opened.store, vec![rule]));
        }
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

/// Both readers have a table of them, they hardly shrink, and the store is slower than the database.
#[tokio::test(flavor = "multi_thread")]
async fn memory_stays_bounded_by_the_largest_row_and_not_by_their_number() {
    const ROW: u64 = 64_000_000;
    let sql = "CREATE TABLE a (i int, t text); ALTER TABLE a ALTER t SET STORAGE EXTERNAL;
        INSERT INTO a SELECT 1, string_agg(md5(i::text || random()), '') FROM generate_series(1, 2000000) i;
        INSERT INTO a SELECT n, t FROM a, generate_series(2, 3) n;
        CREATE TABLE b (LIKE a INCLUDING ALL); INSERT INTO b SELECT i, reverse(t) FROM a;";
    let source = Source::new(sql).await;
    let used = peak(
        &command(&source, "unlimited")
            .env(STALL, "700")
            .output()
            .unwrap(),
    );
    println!("6 rows of 64 MB: {} MiB", used / MIB);
    assert!(used <= 150 * MIB + 4 * ROW, "{} MiB", used / MIB);
    source.assert_sound().await;
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
