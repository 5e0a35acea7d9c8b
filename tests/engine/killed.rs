//! Processes that die by SIGKILL at each of their calls to the store in turn: this test program, started again.

use crate::store::places;
use crate::store::sample::{self, Sample, TENANT, rows};
use crate::support::{Source, directory, opened, request};
use chrono::{TimeDelta, Utc};
use rovodev::core::ident::QName;
use rovodev::core::keys;
use rovodev::core::manifest::{BackupType, Manifest};
use rovodev::ports::postgres::DatabaseUrl;
use rovodev::ports::store::{Fault, Rule, Store, Unreliable, When};
use rovodev::tasks::check::check;
use rovodev::tasks::create::create;
use rovodev::tasks::delete::delete;
use rovodev::tasks::prune::prune;
use rovodev::tasks::restore::config;
use rovodev::tasks::{Clock, Context, backups, open_store};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use uuid::Uuid;

const WORK: &str = "ROVODEV_TEST_KILLED_WORK";
const FOLDER: &str = "ROVODEV_TEST_KILLED_FOLDER";
const ARGUMENT: &str = "ROVODEV_TEST_KILLED_ARGUMENT";
const CALL: &str = "ROVODEV_TEST_KILLED_CALL";
/// The folder of the configuration files, beside the objects.
const PROJECT: &str = "project";
const REACHED: &str = "the call is reached";
/// Longer than any test: the process waits at its call until it is killed.
const FOREVER: Duration = Duration::from_secs(3600);

/// So far ahead that everything stored now is old, and every claim of the dead has ended.
fn days_ahead(days: i64) -> Clock {
    Clock::new(move || Utc::now() + TimeDelta::days(days))
}

fn at(clock: Clock) -> Context {
    Context {
        clock,
        ..Context::default()
    }
}

/// Whether the process was killed at that call; otherwise it ended before, having done its work.
fn killed_at(call: u64, work: &str, folder: &Path, argument: &str) -> bool {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "killed::child_process",
            "--ignored",
            "--nocapture",
        ])
        .env(WORK, work)
        .env(FOLDER, folder)
        .env(ARGUMENT, argument)
        .env(CALL, call.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let said = BufReader::new(child.stdout.take().unwrap());
    let reached = said
        .lines()
        .map_while(Result::ok)
        .any(|l| l.contains(REACHED));
    if reached {
        child.kill().unwrap();
    }
    let ended = child.wait().unwrap();
    assert_eq!(ended.success(), !reached, "{work} at call {call}: {ended}");
    reached
}

#[test]
#[ignore = "started by the other tests of this file"]
fn child_process() {
    let told = |name| std::env::var(name).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let folder = told(FOLDER);
        let mut to = opened(directory(folder.as_ref())).await;
        let call = told(CALL).parse().unwrap();
        let stop = Rule::new(When::Call(call), Fault::Stall(FOREVER));
        let watched = Unreliable::new(to.store.clone(), [stop]);
        to.store = Store::Unreliable(watched.clone());
        std::thread::spawn(move || {
            while watched.calls() < call {
                std::thread::sleep(Duration::from_millis(1));
            }
            println!("{REACHED}");
        });
        let (ctx, argument) = (Context::default(), told(ARGUMENT));
        match told(WORK).as_str() {
            "backup" => {
                let url = DatabaseUrl::parse(&argument).unwrap();
                create(&ctx, &to, &request(url, folder.as_ref()))
                    .await
                    .unwrap();
            }
            "delete" => {
                let id = [Uuid::parse_str(&argument).unwrap()];
                let done = delete(&ctx, &to.store, TENANT, &id, &days_ahead(2), false).await;
                done.unwrap().pruned.unwrap();
            }
            "config" => {
                let id = Uuid::parse_str(&argument).unwrap();
                let backup = backups::read(&to.store, TENANT, id).await.unwrap();
                let project = Path::new(&folder).join(PROJECT);
                let done = config::apply(&to.store, &backup, &project, Uuid::now_v7()).await;
                done.unwrap();
            }
            _ => drop(
                prune(&ctx, &to.store, &days_ahead(2), false, false)
                    .await
                    .unwrap(),
            ),
        }
        // Nothing more to print: the process must not be taken for one that waits.
        std::process::exit(0);
    });
}

/// Ids of the backups that are listed, each proven to be whole.
async fn whole(store: &Store) -> Vec<Uuid> {
    let ctx = Context::default();
    let readable = open_store::open_to_read(&ctx, store, None).await.unwrap();
    let report = check(&ctx, &readable, TENANT, &[]).await.unwrap();
    assert!(report.is_good(), "{report:?}");
    let listed = backups::list(store, TENANT).await.unwrap();
    assert!(listed.iter().all(|l| l.manifest.is_ok()));
    listed.iter().map(|l| l.id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_backup_is_none_or_whole_and_the_next_works() {
    let sql = "CREATE TABLE t AS SELECT i, md5(i::text) FROM generate_series(1, 2000) i; CREATE TABLE u (a int)";
    let source = Source::new(sql).await;
    let store = &source.opened.store;
    let mut kept = 0;
    for call in 1.. {
        let client = source.client().await;
        client
            .batch_execute(&format!("INSERT INTO u VALUES ({call})"))
            .await
            .unwrap();
        let killed = killed_at(call, "backup", source.folder.path(), &source.url);
        source.no_sessions().await;
        let listed = whole(store).await.len();
        assert!(listed == kept || listed == kept + 1, "call {call}");
        assert!(killed || listed == kept + 1, "call {call}");
        let next = source.back_up(|_| {}).await.unwrap();
        source.assert_exact(&next).await;
        kept = listed + 1;
        if !killed {
            assert!(call > 10, "{call}");
            break;
        }
    }
    let left = at(days_ahead(2));
    prune(&left, store, &left.clock, false, true).await.unwrap();
    assert_eq!(whole(store).await.len(), kept);
    // A mark beside a manifest means nothing; one without would be half a backup.
    let folders = store.list(keys::BACKUPS).await.unwrap();
    let count = |end: &str| folders.iter().filter(|o| o.key.ends_with(end)).count();
    assert_eq!(count("/manifest.json"), kept);
    let ids = folders.iter().filter_map(|o| keys::parse_backup(&o.key));
    let ids: std::collections::BTreeSet<Uuid> = ids.map(|(_, id, _)| id).collect();
    assert_eq!(ids.len(), kept, "every folder is a backup");
}

/// Three backups: 0 and 1 share a segment, 1 and 2 share another, each has one of its own.
async fn three() -> (places::DirStore, Vec<Manifest>) {
    let dir = places::directory();
    let to = sample::opened(&dir.store).await;
    let mut made = Vec::new();
    for i in 0..3 {
        let segments = [i, i + 1, i + 10].map(|seed| rows(seed, 20)).to_vec();
        let table = (QName::new("public", "t"), segments);
        made.push(
            Sample::new(&format!("backup {i}"), vec![table])
                .write(&to)
                .await,
        );
    }
    (dir, made)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_deletion_leaves_the_backup_whole_or_gone() {
    for call in 1.. {
        let (dir, made) = three().await;
        let gone = made[1].id.to_string();
        let killed = killed_at(call, "delete", dir.folder.path(), &gone);
        let left = whole(&dir.store).await;
        assert!(left.contains(&made[0].id) && left.contains(&made[2].id));
        assert!(killed || !left.contains(&made[1].id), "call {call}");
        // The claim of the dead ends by itself; then the same command finishes the work.
        let afterwards = at(days_ahead(5));
        let ids = [made[1].id];
        let again = delete(
            &afterwards,
            &dir.store,
            TENANT,
            &ids,
            &afterwards.clock,
            false,
        );
        match again.await {
            Ok(done) => drop(done.pruned.unwrap()),
            Err(e) => assert_eq!(e.code.as_str(), "backup_not_found", "call {call}"),
        }
        assert_eq!(whole(&dir.store).await.len(), 2, "call {call}");
        assert_eq!(
            dir.store.list(keys::SEGMENTS).await.unwrap().len(),
            6,
            "call {call}"
        );
        if !killed {
            assert!(call > 10, "{call}");
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_prune_takes_nothing_that_is_in_use() {
    for call in 1.. {
        let (dir, made) = three().await;
        // What a deletion left behind that did not come to its prune.
        dir.store
            .delete(&[keys::manifest(TENANT, made[1].id)])
            .await
            .unwrap();
        let killed = killed_at(call, "prune", dir.folder.path(), "");
        assert_eq!(whole(&dir.store).await.len(), 2, "call {call}");
        let afterwards = at(days_ahead(5));
        prune(&afterwards, &dir.store, &afterwards.clock, false, false)
            .await
            .unwrap();
        assert_eq!(whole(&dir.store).await.len(), 2, "call {call}");
        assert_eq!(
            dir.store.list(keys::SEGMENTS).await.unwrap().len(),
            6,
            "call {call}"
        );
        if !killed {
            assert!(call > 5, "{call}");
            break;
        }
    }
}

/// A deletion that died keeps the store claimed for some minutes; then backups go on.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_goes_on_after_a_killed_deletion() {
    let source = Source::new("CREATE TABLE t AS SELECT i FROM generate_series(1, 10) i").await;
    let first = source.back_up(|_| {}).await.unwrap();
    let second = source.back_up(|_| {}).await.unwrap();
    assert!(killed_at(
        6,
        "delete",
        source.folder.path(),
        &first.id.to_string()
    ));
    let error = source.back_up(|_| {}).await.unwrap_err();
    assert_eq!(error.code.as_str(), "store_busy", "{error}");
    // The dead one's clock was two days ahead.
    let later = at(days_ahead(3));
    let third = source
        .back_up_with(&later, &source.opened, |_| {})
        .await
        .unwrap();
    source.assert_exact(&third).await;
    let listed = whole(&source.opened.store).await;
    assert!(
        listed.contains(&second.id) && listed.contains(&third.id),
        "{listed:?}"
    );
}

/// Each file is what it was or what it shall be, and what is overwritten is kept.
#[tokio::test(flavor = "multi_thread")]
async fn killed_between_configuration_files_each_is_old_or_new() {
    const FILES: [&str; 2] = ["package.json", "vercel.json"];
    let source = Source::new("").await;
    let project = source.folder.path().join(PROJECT);
    std::fs::create_dir(&project).unwrap();
    let fill = |text: &str| {
        for name in FILES {
            std::fs::write(project.join(name), text).unwrap();
        }
    };
    fill("{\"is\": \"backed up\"}");
    let kept = source.back_up(|r| {
        (r.kind, r.project) = (BackupType::Config, project.clone());
    });
    let kept = kept.await.unwrap();
    let read = |name: &str| std::fs::read_to_string(project.join(name)).unwrap();
    let (mut kills, mut between) = (0, 0);
    for call in 1.. {
        let changed = format!("{{\"changed\": {call}}}");
        fill(&changed);
        let id = kept.id.to_string();
        let killed = killed_at(call, "config", source.folder.path(), &id);
        let now = FILES.map(read);
        let known = |text: &String| text.contains("backed up") || *text == changed;
        assert!(now.iter().all(known), "call {call}: {now:?}");
        between += usize::from(now[0] != now[1]);
        config::apply(&source.opened.store, &kept, &project, Uuid::now_v7())
            .await
            .unwrap();
        assert!(FILES.map(read).iter().all(|t| t.contains("backed up")));
        let beside = std::fs::read_dir(&project).unwrap();
        let beside = beside.map(|f| f.unwrap().path());
        let undo: Vec<_> = beside
            .filter(|p| p.to_string_lossy().contains(".undo_"))
            .collect();
        for name in FILES {
            let of = |p: &&std::path::PathBuf| {
                p.file_name().unwrap().to_string_lossy().starts_with(name)
            };
            let mut texts = undo
                .iter()
                .filter(of)
                .map(|p| std::fs::read_to_string(p).unwrap());
            assert!(texts.any(|t| t == changed), "call {call}: {name} is kept");
        }
        if !killed {
            break;
        }
        kills += 1;
    }
    assert!(
        kills >= 3 && between > 0,
        "{kills} kills, {between} between the files"
    );
}
