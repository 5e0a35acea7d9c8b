//! A second S3 implementation: LocalStack, for Object Lock, versions and conditional writes.

use crate::error::{Context, Result, at, message};
use crate::home::Home;
use crate::install::{self, python};
use crate::port;
use crate::process::{Child, end_of_log};
use rustix::process::Signal;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const PACKAGE: &str = "localstack-core[runtime]==4.13.1";
const PACKAGES_AS_OF: &str = "2026-02-28";
const START_LIMIT: Duration = Duration::from_secs(120);

/// A running LocalStack that serves S3, stopped when dropped.
#[derive(Debug)]
pub struct LocalStack {
    port: u16,
    process: Child,
}

impl LocalStack {
    /// Starts it with its files in `folder`; installs it first if need be. Any key and secret do.
    pub async fn start(home: &Home, folder: &Path) -> Result<LocalStack> {
        let python = install(home)?;
        fs::create_dir_all(folder).context(at("make", folder))?;
        let log = folder.join("log");
        let port = port::free()?;
        let process = Child::start(
            "LocalStack",
            command(&python, folder, &log, port)?,
            Signal::TERM,
        )?;
        let mut started = LocalStack { port, process };
        started.wait_until_ready(&log).await?;
        Ok(started)
    }

    async fn wait_until_ready(&mut self, log: &Path) -> Result<()> {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            let text = fs::read_to_string(log).context(at("read", log))?;
            if text.lines().any(|line| line == "Ready.") {
                return Ok(());
            }
            if self.process.has_ended() || Instant::now() > deadline {
                return Err(message(format!(
                    "LocalStack did not start; the end of {}:\n{}",
                    log.display(),
                    end_of_log(log)
                )));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for LocalStack {
    fn drop(&mut self) {
        self.process.stop(Signal::TERM, Duration::from_secs(10));
    }
}

/// Returns the Python that has LocalStack.
fn install(home: &Home) -> Result<PathBuf> {
    let _lock = home.lock_tools()?;
    let folder = home.tools().join("localstack-4.13.1");
    install::once(&folder, |fresh| {
        eprintln!("installing LocalStack into {}", fresh.display());
        python::environment(fresh, &[PACKAGE], PACKAGES_AS_OF)
    })?;
    Ok(folder.join("bin/python"))
}

fn command(python: &Path, folder: &Path, log: &Path, port: u16) -> Result<Command> {
    let output = File::create(log).context(at("write", log))?;
    let mut command = Command::new(python);
    command
        .args(["-m", "localstack.runtime.main"])
        .env("SERVICES", "s3")
        .env("S3_SKIP_SIGNATURE_VALIDATION", "0")
        .env("GATEWAY_SERVER", "hypercorn")
        .env("GATEWAY_LISTEN", format!("127.0.0.1:{port}"))
        // Its files stay with ours also where it takes this machine for its own container.
        .env("OVERRIDE_IN_DOCKER", "0")
        .env("FILESYSTEM_ROOT", folder)
        .env("HOME", folder)
        .env("XDG_CACHE_HOME", folder)
        // No name server of its own, no calls home.
        .env("DNS_ADDRESS", "0")
        .env("DISABLE_EVENTS", "1")
        .env("SKIP_SSL_CERT_DOWNLOAD", "1")
        .env("SKIP_INFRA_DOWNLOADS", "1")
        .current_dir(folder)
        .stdout(output.try_clone().context(at("write", log))?)
        .stderr(output);
    Ok(command)
}
