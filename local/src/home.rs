//! Where the stack keeps its files: `.rovodev/` in the checkout.
//!
//! ```text
//! .rovodev/lock      held while throw-away folders are made, removed or swept
//! .rovodev/tools/    what had to be installed: Postgres, LocalStack; locked meanwhile
//! .rovodev/dev/      the stack of `bin/dev`: state.json, postgres/, s3/
//! run-…/             a throw-away stack; swept when another starts or ends, should its owner have died
//! ```
//!
//! Throw-away stacks lie in memory where there is room for them, else beside the others: tests make and remove so many
//! files that a disk's file system spends more time on finding free places for them than the tests take.

use crate::error::{Context, Result, at, message};
use crate::{cluster, system_user};
use std::fs::{self, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The folder of the local stack.
#[derive(Debug, Clone)]
pub struct Home {
    folder: PathBuf,
    /// Of throw-away stacks.
    fast: PathBuf,
}

/// A file system in memory, on Linux.
const MEMORY: &str = "/dev/shm";
/// What all stacks of a test run may take together, several times over.
const ROOM: u64 = 8 << 30;

impl Home {
    /// `.rovodev/` in the checkout that this package was built from. If Postgres must run under
    /// another account that cannot walk there (root's home folder is closed), a folder in `/var/tmp`.
    pub fn open() -> Result<Home> {
        let checkout = checkout();
        let mut folder = checkout.join(".rovodev");
        let mut hasher = DefaultHasher::new();
        checkout.hash(&mut hasher);
        let elsewhere = format!("rovodev-{:016x}", hasher.finish());
        if let Some(user) = system_user::for_postgres()?
            && !user.can_enter(&checkout)
        {
            folder = Path::new("/var/tmp").join(&elsewhere);
        }
        make_folder(&folder)?;
        let fast = match memory_has_room() {
            true => Path::new(MEMORY).join(elsewhere),
            false => folder.clone(),
        };
        make_folder(&fast)?;
        Ok(Home { folder, fast })
    }

    pub fn tools(&self) -> PathBuf {
        self.folder.join("tools")
    }

    /// The folder of `bin/dev`, ours alone as long as the returned lock lives.
    pub fn dev(&self) -> Result<(PathBuf, FolderLock)> {
        self.kept("dev")
    }

    /// A folder that stays for the next run, ours alone as long as the returned lock lives.
    pub fn kept(&self, name: &str) -> Result<(PathBuf, FolderLock)> {
        let folder = self.folder.join(name);
        make_folder(&folder)?;
        match FolderLock::try_hold(&folder)? {
            Some(lock) => Ok((folder, lock)),
            None => Err(message(format!(
                "the stack in {} is already up, started by another `bin/dev` or `bench/run`; use that one or stop it with Ctrl-C",
                folder.display()
            ))),
        }
    }

    /// A fresh folder that goes when dropped. Those of processes that died are swept first.
    pub fn throw_away(&self) -> Result<ThrowAway> {
        let _lock = FolderLock::hold(&self.folder)?;
        self.sweep()?;
        let name = format!("run-{}", &uuid::Uuid::new_v4().simple().to_string()[..12]);
        let folder = self.fast.join(name);
        make_folder(&folder)?;
        match FolderLock::try_hold(&folder)? {
            Some(lock) => Ok(ThrowAway {
                folder,
                home: self.clone(),
                _lock: lock,
            }),
            None => Err(message(format!("{} is taken", folder.display()))),
        }
    }

    /// Waits until no other process installs anything.
    pub(crate) fn lock_tools(&self) -> Result<FolderLock> {
        make_folder(&self.tools())?;
        FolderLock::hold(&self.tools())
    }

    fn sweep(&self) -> Result<()> {
        for entry in fs::read_dir(&self.fast).context(at("read", &self.fast))? {
            let entry = entry.context(at("read", &self.fast))?;
            if !entry.file_name().to_string_lossy().starts_with("run-") {
                continue;
            }
            let folder = entry.path();
            if let Some(_lock) = FolderLock::try_hold(&folder)? {
                cluster::stop_leftover(&folder.join("postgres"))?;
                fs::remove_dir_all(&folder).context(at("remove", &folder))?;
            }
        }
        Ok(())
    }
}

/// A fresh folder for one throw-away stack, removed when dropped.
#[derive(Debug)]
pub struct ThrowAway {
    folder: PathBuf,
    home: Home,
    _lock: FolderLock,
}

impl ThrowAway {
    pub fn path(&self) -> &Path {
        &self.folder
    }
}

impl Drop for ThrowAway {
    fn drop(&mut self) {
        // Nobody may sweep what is half removed.
        let removed = FolderLock::hold(&self.home.folder).and_then(|_lock| {
            fs::remove_dir_all(&self.folder).context(at("remove", &self.folder))?;
            self.home.sweep()
        });
        if let Err(error) = removed {
            eprintln!("{error}");
        }
    }
}

/// A folder held by this process; the kernel lets go of it when the process ends.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

impl FolderLock {
    fn hold(folder: &Path) -> Result<FolderLock> {
        let file = lock_file(folder)?;
        file.lock().context(at("lock", folder))?;
        Ok(FolderLock { _file: file })
    }

    fn try_hold(folder: &Path) -> Result<Option<FolderLock>> {
        let file = lock_file(folder)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(FolderLock { _file: file })),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(error).context(at("lock", folder)),
        }
    }
}

fn lock_file(folder: &Path) -> Result<File> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join("lock"))
        .context(at("open the lock in", folder))
}

/// Whether memory holds throw-away stacks beside whatever else runs.
fn memory_has_room() -> bool {
    let free = rustix::fs::statvfs(MEMORY).map_or(0, |found| found.f_bavail * found.f_frsize);
    let told = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let available = told.lines().find_map(|line| {
        let kilobytes = line
            .strip_prefix("MemAvailable:")?
            .trim()
            .strip_suffix(" kB")?;
        kilobytes.parse::<u64>().ok()
    });
    free.min(available.unwrap_or(0) * 1024) >= ROOM
}

/// The folder of the whole project: this package lies directly in it.
pub fn checkout() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_path_buf()
}

/// Makes a folder that others may walk through; one that somebody else made is refused.
pub(crate) fn make_folder(folder: &Path) -> Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(folder)
        .context(at("make", folder))?;
    let found = fs::symlink_metadata(folder).context(at("read", folder))?;
    if !found.is_dir() || found.uid() != rustix::process::geteuid().as_raw() {
        return Err(message(format!(
            "{} belongs to another user; remove it and start again",
            folder.display()
        )));
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).context(at("open", folder))
}
