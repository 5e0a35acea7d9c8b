//! The target's disk is full, for real: nothing is half done, and what to do is told.

use super::fixture::Fixture;
use crate::support::assert_told;
use local::home::{Home, ThrowAway};
use local::postgres::Postgres;
use local::stack::throw_away_postgres;
use rovodev::core::restore_plan::Mode;
use rovodev::error::Code;
use rovodev::ports::postgres::DatabaseUrl;
use rovodev::tasks::Context;
use rovodev::tasks::restore::{RestoreRequest, database};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file system of this size, which goes with it.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// None where this machine does not let us mount one: only root may.
    fn mount(folder: &Path, megabytes: u32, owner: &Metadata) -> Option<Self> {
        std::fs::create_dir(folder).unwrap();
        let (uid, gid) = (owner.uid(), owner.gid());
        let size = format!("size={megabytes}m,mode=700,uid={uid},gid={gid}");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(folder)
            .status();
        mounted
            .is_ok_and(|s| s.success())
            .then(|| Self(folder.into()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // The server may still have a file open there; the name goes at once nevertheless.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// A server with a table space of 24 MB, by whose database each new one is made.
async fn server(home: &Home, folder: &ThrowAway) -> Option<(Postgres, SmallDisk)> {
    let server = throw_away_postgres(home, folder, None).await.unwrap();
    let owner = std::fs::metadata(folder.path().join("postgres/data")).unwrap();
    let disk = SmallDisk::mount(&folder.path().join("small"), 24, &owner)?;
    let f = Fixture::at(DatabaseUrl::parse(&server.url("postgres")).unwrap(), "").await;
    f.run(&format!(
        "CREATE TABLESPACE small LOCATION '{}'",
        disk.0.display()
    ))
    .await;
    Some((server, disk))
}

async fn in_small(server: &Postgres, name: &str, sql: &str) -> Fixture {
    let admin = Fixture::at(DatabaseUrl::parse(&server.url("postgres")).unwrap(), "").await;
    admin
        .run(&format!("CREATE DATABASE {name} TABLESPACE small"))
        .await;
    Fixture::at(DatabaseUrl::parse(&server.url(name)).unwrap(), sql).await
}

const ROWS: &str =
    "INSERT INTO t SELECT i, repeat(md5(i::text), 30) FROM generate_series(1, 6000) i;";

#[tokio::test]
async fn a_disk_that_is_full_leaves_nothing_half_done() {
    let home = Home::open().unwrap();
    let folder = home.throw_away().unwrap();
    let Some((server, _disk)) = server(&home, &folder).await else {
        println!("not tested: no file system can be mounted here");
        return;
    };
    let table = "CREATE TABLE t (id int PRIMARY KEY, v text);";
    // 6 MB of rows beside 7 MB of system tables: their staging and what is kept of them have no room.
    let f = in_small(&server, "app", &format!("{table} {ROWS}")).await;
    let backup = f.back_up().await;
    f.run("UPDATE t SET v = 'x' || v WHERE id % 2 = 0").await;
    let before = f.contents().await;
    let refused = f.restore(&backup, Mode::Exact).await.unwrap_err();
    assert_told(&refused, Code::NoSpace, &["53100", "disk space"]);
    assert_eq!(f.contents().await, before);
    assert!(f.own_schemas("staging_").await.is_empty());
    assert!(f.own_schemas("undo_").await.is_empty());
    f.run("DROP TABLE t").await;

    // The definitions fit, the rows do not.
    let big = Fixture::new(&format!("{table} {ROWS} INSERT INTO t SELECT id + 6000, v FROM t; INSERT INTO t SELECT id + 12000, v FROM t")).await;
    let backup = big.back_up().await;
    f.run("CHECKPOINT").await;
    let request = RestoreRequest {
        target: f.url.clone(),
        ..big.request(&backup, Mode::Exact)
    };
    let (ctx, store) = (Context::default(), &big.store.store);
    let plan = Box::pin(database::plan(&ctx, store, &request))
        .await
        .unwrap();
    let refused = Box::pin(database::apply(&ctx, store, &request, &plan))
        .await
        .unwrap_err();
    assert_told(
        &refused,
        Code::NoSpace,
        &["53100", "disk space", "as empty as before"],
    );
    let left = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace";
    assert_eq!(f.value::<i64>(left).await, 0);
    assert!(f.own_schemas("rovodev_restore_").await.is_empty());
    big.drop().await;
    f.drop().await;
}
