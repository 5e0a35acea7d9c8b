//! The program of a function, and the place that it runs in.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Where a function's files lie on Vercel.
const TASK: &str = "var/task";

/// A program that is ready to start.
pub struct Program {
    pub command: Command,
    /// A folder of its own, which goes with it.
    pub folder: TempDir,
    /// That folder as the program sees it.
    pub seen_as: PathBuf,
}

/// The output of `vercel build` that is under test, where one is.
pub fn output() -> Option<PathBuf> {
    std::env::var_os("ROVODEV_VERCEL_OUTPUT").map(PathBuf::from)
}

/// The folder that `vercel build` emitted for a function such as `backups/list`.
pub fn emitted(output: &Path, function: &str) -> PathBuf {
    output.join(format!("functions/api/{function}.func"))
}

impl Program {
    pub fn of(function: &str) -> Program {
        match output() {
            Some(output) => Self::alone(&emitted(&output, function), "executable", &[]),
            None => {
                let name = function
                    .replace("/[id]", "")
                    .replace("/[part]", "")
                    .replace('/', "-");
                let beside = Path::new(env!("CARGO_BIN_EXE_backups-list"));
                Self::anywhere(Command::new(beside.with_file_name(name)))
            }
        }
    }

    /// In an empty folder of this machine.
    pub fn anywhere(mut command: Command) -> Program {
        let folder = tempfile::tempdir().unwrap();
        command.current_dir(folder.path());
        Program {
            seen_as: folder.path().into(),
            command,
            folder,
        }
    }

    /// Where there is nothing but the function's own files, in the place where Vercel has them, and the few libraries
    /// that the executable itself is linked to: neither `pg_dump` nor its libraries nor anything else of this machine.
    pub fn alone(function: &Path, program: &str, arguments: &[&str]) -> Program {
        let root = tempfile::tempdir().unwrap();
        let task = root.path().join(TASK);
        copy(function, &task);
        for library in libraries_of(&function.join("executable")) {
            let inside = root.path().join(library.strip_prefix("/").unwrap());
            fs::create_dir_all(inside.parent().unwrap()).unwrap();
            fs::copy(&library, inside).unwrap();
        }
        for folder in ["tmp", "dev", "proc/self"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        fs::write(root.path().join("dev/null"), "").unwrap();
        // What a program asks for the path of its own executable.
        let own = format!("/{TASK}/{program}");
        std::os::unix::fs::symlink(&own, root.path().join("proc/self/exe")).unwrap();
        let mut command = match rustix::process::geteuid().is_root() {
            true => Command::new("/usr/sbin/chroot"),
            false => {
                let mut unshare = Command::new("/usr/bin/unshare");
                unshare.args(["--map-root-user", "/usr/sbin/chroot"]);
                unshare
            }
        };
        command.arg(root.path()).arg(own).args(arguments);
        Program {
            seen_as: "/".into(),
            command,
            folder: root,
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, name) = entry.map(|e| (e.path(), e.file_name())).unwrap();
        match path.is_dir() {
            true => copy(&path, &to.join(name)),
            false => fs::copy(&path, to.join(name)).map(drop).unwrap(),
        }
    }
}

/// The dynamic loader among them.
fn libraries_of(executable: &Path) -> Vec<PathBuf> {
    let told = Command::new("ldd").arg(executable).output().unwrap();
    let told = String::from_utf8(told.stdout).unwrap();
    let paths = told.split_whitespace().filter(|word| word.starts_with('/'));
    let found: Vec<PathBuf> = paths.map(PathBuf::from).collect();
    assert!(!found.is_empty(), "{told}");
    found
}
