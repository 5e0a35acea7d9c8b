//! A cluster's folder: made by `initdb`, and freed from a server that a crash left behind.

use crate::error::{Context, Result, at, message};
use crate::postgres::{Options, SUPERUSER};
use crate::process::run_to_end;
use crate::system_user::SystemUser;
use rustix::process::{Pid, Signal};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const STOP_LIMIT: Duration = Duration::from_secs(30);

/// Makes an empty cluster that asks everybody for a password.
pub(crate) fn initialise(options: &Options, user: Option<SystemUser>) -> Result<()> {
    let folder = &options.folder;
    if folder.exists() {
        fs::remove_dir_all(folder).context(at("remove", folder))?;
    }
    fs::create_dir_all(folder).context(at("make", folder))?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).context(at("open", folder))?;
    let data = folder.join("data");
    let secret = folder.join("superuser-password");
    fs::create_dir(&data).context(at("make", &data))?;
    fs::write(&secret, "").context(at("write", &secret))?;
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600))
        .context(at("close", &secret))?;
    fs::write(&secret, &options.passwords.superuser).context(at("write", &secret))?;
    if let Some(user) = user {
        for path in [&data, &secret] {
            chown(path, Some(user.uid), Some(user.gid)).context(at("hand over", path))?;
        }
    }
    let mut command = Command::new(options.binaries.program("initdb"));
    command
        .args(["--username", SUPERUSER, "--auth", "scram-sha-256"])
        .args(["--encoding", "UTF8", "--locale-provider", "libc"])
        .args(["--locale", "C.UTF-8", "--no-sync", "--pwfile"])
        .arg(&secret)
        .arg("-D")
        .arg(&data);
    prepare(&mut command, user);
    run_to_end(&mut command)?;
    fs::remove_file(&secret).context(at("remove", &secret))
}

/// The server's environment and account. Settings of the person who starts it (`PGDATA`, a locale that
/// this machine lacks) stay outside.
pub(crate) fn prepare(command: &mut Command, user: Option<SystemUser>) {
    command
        .env_clear()
        .env("LC_ALL", "C.UTF-8")
        .current_dir("/");
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    if let Some(user) = user {
        command.uid(user.uid).gid(user.gid);
    }
}

/// Stops a server that an earlier process left behind in `folder`, should there be one.
pub(crate) fn stop_leftover(folder: &Path) -> Result<()> {
    let data = folder.join("data");
    let Ok(text) = fs::read_to_string(data.join("postmaster.pid")) else {
        return Ok(());
    };
    let process = text
        .lines()
        .next()
        .and_then(|line| line.trim().parse().ok());
    let Some(process) = process.and_then(Pid::from_raw) else {
        return Ok(());
    };
    let begun = Instant::now();
    while serves(process, &data) {
        let signal = match begun.elapsed() < STOP_LIMIT {
            true => Signal::INT,
            false => Signal::QUIT,
        };
        // It may end between the two lines; then the signal finds nobody.
        let _ = rustix::process::kill_process(process, signal);
        if begun.elapsed() > 2 * STOP_LIMIT {
            return Err(message(format!(
                "process {} of an earlier run still serves {}; stop it and start again",
                process.as_raw_nonzero(),
                data.display()
            )));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Whether `process` is alive and works in `data`, as a Postgres server does. A number found in an old
/// file may by now belong to another program, and that must not be stopped.
#[cfg(target_os = "linux")]
fn serves(process: Pid, data: &Path) -> bool {
    let folder = fs::read_link(format!("/proc/{}/cwd", process.as_raw_nonzero()));
    folder.is_ok_and(|folder| data.canonicalize().is_ok_and(|data| data == folder))
}

#[cfg(not(target_os = "linux"))]
fn serves(process: Pid, data: &Path) -> bool {
    let listed = Command::new("ps")
        .args(["-o", "args=", "-p", &process.as_raw_nonzero().to_string()])
        .output();
    listed.is_ok_and(|output| {
        let line = String::from_utf8_lossy(&output.stdout).into_owned();
        line.contains("postgres") && line.contains(&data.display().to_string())
    })
}
