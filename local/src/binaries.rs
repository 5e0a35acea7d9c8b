//! PostgreSQL's programs: found on this machine, else installed under `.rovodev/tools`.

use crate::error::{Context, Result, message};
use crate::home::Home;
use crate::install;
use crate::process::run_to_end;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder with `postgres`, `initdb`, `pg_ctl`, `pg_dump`, `psql` of one major version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    pub folder: PathBuf,
    pub major: u32,
}

impl Binaries {
    /// Programs of `major`, or of the newest major on this machine where none is asked for;
    /// installs them if there are none.
    pub fn find_or_install(home: &Home, major: Option<u32>) -> Result<Binaries> {
        let _lock = home.lock_tools()?;
        if let Some(found) = find(home, major) {
            return Ok(found);
        }
        install::postgres(home, major)?;
        find(home, major).ok_or_else(|| {
            message("PostgreSQL was installed, but its programs are not where they were expected")
        })
    }

    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub fn pg_dump(&self) -> PathBuf {
        self.program("pg_dump")
    }
}

/// The machine's own programs go before those that we installed.
fn find(home: &Home, major: Option<u32>) -> Option<Binaries> {
    newest(of_machine(), major).or_else(|| newest(install::postgres_folders(home), major))
}

fn of_machine() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    for parent in ["/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt"] {
        folders.extend(subfolders(Path::new(parent)).map(|folder| folder.join("bin")));
    }
    folders
}

fn subfolders(parent: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir(parent).into_iter().flatten();
    entries.filter_map(|entry| Some(entry.ok()?.path()))
}

fn newest(folders: Vec<PathBuf>, wanted: Option<u32>) -> Option<Binaries> {
    folders
        .into_iter()
        .filter_map(|folder| {
            let major = whole(&folder)?;
            Some(Binaries { folder, major })
        })
        .filter(|found| wanted.is_none_or(|wanted| wanted == found.major))
        .max_by_key(|found| found.major)
}

/// The major version of a folder that holds all the programs, the server and its `pg_dump` alike.
fn whole(folder: &Path) -> Option<u32> {
    let all = ["postgres", "initdb", "pg_ctl", "pg_dump", "psql"];
    if !all.iter().all(|name| folder.join(name).is_file()) {
        return None;
    }
    let server = major_of(&folder.join("postgres")).ok()?;
    let dump = major_of(&folder.join("pg_dump")).ok()?;
    (dump >= server).then_some(server)
}

/// `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)` is major 15.
fn major_of(program: &Path) -> Result<u32> {
    let output = run_to_end(Command::new(program).arg("--version"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = text.split(") ").nth(1).unwrap_or_default();
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    digits
        .parse()
        .map_err(std::io::Error::other)
        .context(format!("cannot read a version out of {text:?}"))
}
