//! The folder that `bin/bundle-pg-dump` makes runs where nothing else is, and without run bits.

use crate::pg_dump::Database;
use rovodev::ports::postgres::{DumpArgs, PgDump, Section};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

struct Bundle {
    /// A root folder that holds the bundle's files and nothing else.
    root: TempDir,
    loader: String,
    version: String,
}

impl Bundle {
    fn make() -> Bundle {
        let root = tempfile::tempdir().unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("bin/bundle-pg-dump");
        let made = Command::new(script).arg(root.path()).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        let text = std::fs::read(root.path().join("bundle.json")).unwrap();
        let described: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let field = |name: &str| described[name].as_str().unwrap().to_string();
        Bundle {
            loader: field("loader"),
            version: field("pg_dump"),
            root,
        }
    }

    /// Runs the bundled `pg_dump` where `/` is the bundle.
    fn in_chroot(&self, arguments: &[&str], environment: &[(&str, String)]) -> Output {
        let mut command = match rustix::process::geteuid().is_root() {
            true => Command::new("chroot"),
            false => {
                let mut unshare = Command::new("unshare");
                unshare.args(["--map-root-user", "chroot"]);
                unshare
            }
        };
        command
            .arg(self.root.path())
            .arg(format!("/{}", self.loader))
            .args(["--library-path", "/", "/pg_dump"])
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .output()
            .unwrap()
    }

    fn files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.root.path()).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

#[tokio::test]
async fn runs_in_a_chroot_that_holds_nothing_else() {
    let bundle = Bundle::make();
    let said = bundle.in_chroot(&["--version"], &[]);
    let text = String::from_utf8_lossy(&said.stdout);
    assert!(said.status.success(), "{said:?}");
    assert!(
        text.starts_with(&format!("pg_dump (PostgreSQL) {}", bundle.version)),
        "{text}"
    );

    let database = Database::create("bundle").await;
    let create = "CREATE TABLE calls (id uuid PRIMARY KEY)";
    database
        .session()
        .await
        .batch("creating", create)
        .await
        .unwrap();
    let said = bundle.in_chroot(&["--schema-only"], &database.url.libpq_environment());
    assert!(said.status.success(), "{said:?}");
    let text = String::from_utf8_lossy(&said.stdout);
    assert!(text.contains("CREATE TABLE public.calls"), "{text}");
    database.drop().await;
}

#[tokio::test]
async fn is_found_and_started_even_without_run_bits() {
    let bundle = Bundle::make();
    for file in bundle.files() {
        std::fs::set_permissions(file, PermissionsExt::from_mode(0o444)).unwrap();
    }
    let database = Database::create("runbit").await;
    let session = database.session().await;
    let create = "CREATE TABLE calls (id uuid PRIMARY KEY)";
    session.batch("creating", create).await.unwrap();
    let dump = PgDump::find(Some(bundle.root.path()), session.identity.version)
        .await
        .unwrap();
    assert_eq!(dump.version(), bundle.version);
    let args = DumpArgs {
        sections: vec![Section::PostData],
        ..DumpArgs::default()
    };
    let cancel = CancellationToken::new();
    let bytes = dump
        .dump(&database.url, None, &args, &cancel)
        .await
        .unwrap();
    let text = String::from_utf8(bytes).unwrap();
    assert!(
        text.contains("ADD CONSTRAINT \"calls_pkey\" PRIMARY KEY"),
        "{text}"
    );
    assert!(!text.contains("CREATE TABLE"), "{text}");
    database.drop().await;
}

#[test]
fn describes_every_file_truly() {
    let bundle = Bundle::make();
    let text = std::fs::read(bundle.root.path().join("bundle.json")).unwrap();
    let described: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let listed = described["files"].as_array().unwrap();
    assert_eq!(
        listed.len() + 1,
        bundle.files().len(),
        "bundle.json itself is not listed"
    );
    for file in listed {
        let path = bundle.root.path().join(file["name"].as_str().unwrap());
        assert_eq!(file["bytes"], path.metadata().unwrap().len());
        let summed = Command::new("sha256sum").arg(&path).output().unwrap();
        let sum = String::from_utf8(summed.stdout).unwrap();
        assert!(
            sum.starts_with(file["sha256"].as_str().unwrap()),
            "{}",
            path.display()
        );
    }
}
