//! Debian's packages: by `apt-get install` as root, else fetched and unpacked.

use crate::error::{Context, Result, at};
use crate::process::run_to_end;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Whether this is a Debian where we may install packages.
pub(crate) fn can_install() -> bool {
    rustix::process::geteuid().is_root() && Path::new("/usr/bin/apt-get").exists()
}

pub(crate) fn install(packages: &[&str]) -> Result<()> {
    eprintln!("installing Debian's {}", packages.join(", "));
    run_to_end(Command::new("apt-get").args(["update", "-q"]))?;
    run_to_end(
        Command::new("apt-get")
            .args(["install", "-q", "-y", "--no-install-recommends"])
            .args(packages)
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )?;
    Ok(())
}

/// Whether a package can be fetched.
pub(crate) fn has_package(name: &str) -> bool {
    run_to_end(Command::new("apt-cache").args(["show", name])).is_ok()
}

/// Fetches packages without root and unpacks them into `folder`.
pub(crate) fn unpack(packages: &[String], folder: &Path) -> Result<()> {
    let fetched = folder.join("fetched");
    fs::create_dir_all(&fetched).context(at("make", &fetched))?;
    run_to_end(
        Command::new("apt-get")
            .arg("download")
            .args(packages)
            .current_dir(&fetched),
    )?;
    for entry in fs::read_dir(&fetched).context(at("read", &fetched))? {
        let package = entry.context(at("read", &fetched))?.path();
        run_to_end(Command::new("dpkg").arg("-x").arg(&package).arg(folder))?;
    }
    fs::remove_dir_all(&fetched).context(at("remove", &fetched))
}
