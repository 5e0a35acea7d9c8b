//! One run of `pg_dump`: bounded in time and size, stopped politely, its complaints kept without the password.

use crate::error::{Code, Error, Result};
use backon::{ConstantBuilder, Retryable};
use std::io::ErrorKind;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

const COMPLAINT_BYTES: usize = 16 << 10;
/// On SIGTERM `pg_dump` cancels its running statement, which frees its locks at once.
const PATIENCE: Duration = Duration::from_secs(2);

/// The most that one run may take.
pub(super) struct Limits {
    pub time: Duration,
    pub bytes: usize,
}

/// Runs `command` and answers its standard output.
pub(super) async fn run(
    command: Command,
    limits: &Limits,
    cancel: &CancellationToken,
    password: Option<&str>,
) -> Result<Vec<u8>> {
    let mut child = start(command).await?;
    let ended = tokio::select! {
        biased;
        () = cancel.cancelled() => Err(Error::cancelled()),
        ended = tokio::time::timeout(limits.time, collect(&mut child, limits.bytes)) => ended.unwrap_or_else(|_| {
            Err(failed(format!("pg_dump did not finish within {} s", limits.time.as_secs())))
        }),
    };
    let (status, output, complaints) = match ended {
        Ok(ended) => ended,
        Err(error) => {
            stop(&mut child).await;
            return Err(error);
        }
    };
    let complaints = without_password(&complaints, password);
    if !status.success() {
        return Err(explain(status, &complaints));
    }
    if !complaints.is_empty() {
        tracing::warn!("pg_dump: {complaints}");
    }
    Ok(output)
}

async fn start(mut command: Command) -> Result<Child> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    // A loader that was just copied is "busy" while another thread's child still holds the copy open.
    let patience = ConstantBuilder::default()
        .with_delay(Duration::from_millis(50))
        .with_max_times(40);
    let command = std::sync::Mutex::new(command);
    let spawn = || async {
        let mut command = command.lock().unwrap_or_else(|e| e.into_inner());
        command.spawn()
    };
    spawn
        .retry(patience)
        .when(|e| e.kind() == ErrorKind::ExecutableFileBusy)
        .await
        .map_err(|e| match e.kind() {
            ErrorKind::ArgumentListTooLong => failed("too many tables are named for one command")
                .hint("Choose whole schemas instead."),
            _ => failed(format!("it does not start: {e}")).source(e),
        })
}

async fn collect(child: &mut Child, bytes: usize) -> Result<(ExitStatus, Vec<u8>, Vec<u8>)> {
    let lost = |e: std::io::Error| failed(format!("pg_dump was lost: {e}")).source(e);
    let (Some(output), Some(complaints)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(Error::new(
            Code::Internal,
            "pg_dump was started without pipes",
        ));
    };
    let (output, complaints) = tokio::try_join!(read_all(output, bytes), read_start(complaints))?;
    let status = child.wait().await.map_err(lost)?;
    Ok((status, output, complaints))
}

async fn read_all(from: impl AsyncRead + Unpin, bytes: usize) -> Result<Vec<u8>> {
    let mut read = Vec::new();
    from.take(bytes as u64 + 1)
        .read_to_end(&mut read)
        .await
        .map_err(|e| failed(format!("the output of pg_dump cannot be read: {e}")).source(e))?;
    if read.len() > bytes {
        return Err(failed(format!(
            "the definitions are larger than {} MiB",
            bytes >> 20
        )));
    }
    Ok(read)
}

/// The beginning; the rest is read too, so that a talkative child never waits for us.
async fn read_start(mut from: impl AsyncRead + Unpin) -> Result<Vec<u8>> {
    let mut read = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let n = from.read(&mut chunk).await.map_err(|e| {
            failed(format!("the messages of pg_dump cannot be read: {e}")).source(e)
        })?;
        if n == 0 {
            return Ok(read);
        }
        let room = COMPLAINT_BYTES.saturating_sub(read.len());
        read.extend_from_slice(&chunk[..n.min(room)]);
    }
}

async fn stop(child: &mut Child) {
    let id = child
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .and_then(rustix::process::Pid::from_raw);
    if let Some(id) = id {
        // Not yet waited for, so the id is still this child's.
        let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
    }
    if tokio::time::timeout(PATIENCE, child.wait()).await.is_err()
        && let Err(error) = child.kill().await
    {
        tracing::warn!("pg_dump could not be stopped: {error}");
    }
}

fn without_password(complaints: &[u8], password: Option<&str>) -> String {
    let text = String::from_utf8_lossy(complaints);
    let text = text.trim().replace("pg_dump: ", "");
    match password {
        Some(password) if !password.is_empty() => text.replace(password, "***"),
        _ => text,
    }
}

fn explain(status: ExitStatus, complaints: &str) -> Error {
    let code = match complaints {
        c if c.contains("due to lock timeout") => Code::LockTimeout,
        c if c.contains("permission denied") => Code::PermissionDenied,
        c if c.contains("max_locks_per_transaction") => Code::LockTableFull,
        c if c.contains("MaxClientsInSessionMode") || c.contains("too many clients") => {
            Code::PoolExhausted
        }
        _ => Code::PgDumpFailed,
    };
    let said = match complaints {
        "" => format!("pg_dump ended with {status} and said nothing"),
        _ => format!("pg_dump failed: {complaints}"),
    };
    if code == Code::PermissionDenied {
        return no_right(complaints);
    }
    Error::new(code, said).retry(matches!(code, Code::LockTimeout | Code::PoolExhausted))
}

/// The statement that was refused names every table there is, and is left out.
fn no_right(complaints: &str) -> Error {
    let statement = ["\ndetail: Query was:", "\nerror: query was:"];
    let end = statement.iter().filter_map(|s| complaints.find(s)).min();
    let told = complaints
        .get(..end.unwrap_or(complaints.len()))
        .unwrap_or(complaints);
    Error::new(
        Code::PermissionDenied,
        format!("the definitions cannot be read: pg_dump failed: {told}"),
    )
    .hint(
        "pg_dump needs SELECT on every table that it describes, also where --table chooses single ones. Grant this role \
         SELECT on them, or the role pg_read_all_data; or use another role. --schema reads the definitions of that schema \
         alone, and --scope none.",
    )
}

/// libpq looks for trusted authorities in the home directory alone; our own sessions use the system's.
pub(super) fn certificates(
    environment: &[(&'static str, String)],
) -> Option<(&'static str, String)> {
    let value = |name| environment.iter().find(|(n, _)| *n == name).map(|(_, v)| v);
    if value("PGSSLROOTCERT").is_some() || !value("PGSSLMODE")?.starts_with("verify-") {
        return None;
    }
    let named = std::env::var("SSL_CERT_FILE").ok();
    named
        .into_iter()
        .chain(SYSTEM_AUTHORITIES.map(String::from))
        .find(|file| Path::new(file).is_file())
        .map(|file| ("PGSSLROOTCERT", file))
}

/// Debian and Alpine; Fedora and Amazon Linux; SUSE.
const SYSTEM_AUTHORITIES: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
];

fn failed(why: impl Into<String>) -> Error {
    Error::new(Code::PgDumpFailed, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    const LIMITS: Limits = Limits {
        time: Duration::from_secs(20),
        bytes: 100,
    };

    #[tokio::test]
    async fn keeps_what_went_wrong_and_hides_the_password() {
        let script = "echo 'pg_dump: error: no s3cret here' >&2; exit 1";
        let error = run(
            shell(script),
            &LIMITS,
            &CancellationToken::new(),
            Some("s3cret"),
        )
        .await
        .unwrap_err();
        assert_eq!(error.code, Code::PgDumpFailed);
        assert_eq!(error.to_string(), "pg_dump failed: error: no *** here");
    }

    #[tokio::test]
    async fn a_missing_right_is_told_with_what_is_needed() {
        let script = "echo 'pg_dump: error: query failed: ERROR:  permission denied for table calls' >&2; \
                      echo 'pg_dump: detail: Query was: LOCK TABLE public.a, public.calls IN ACCESS SHARE MODE' >&2; exit 1";
        let error = run(shell(script), &LIMITS, &CancellationToken::new(), None)
            .await
            .unwrap_err();
        assert_eq!(error.code, Code::PermissionDenied);
        let told = error.to_string();
        assert!(
            told.ends_with("permission denied for table calls"),
            "{told}"
        );
        let hint = error.hint.unwrap();
        assert!(
            hint.contains("SELECT") && hint.contains("pg_read_all_data"),
            "{hint}"
        );
    }

    #[tokio::test]
    async fn refuses_endless_output_and_endless_time() {
        let cancel = CancellationToken::new();
        let error = run(shell("while :; do echo x; done"), &LIMITS, &cancel, None)
            .await
            .unwrap_err();
        assert!(error.to_string().contains("larger than"), "{error}");
        let short = Limits {
            time: Duration::from_millis(50),
            bytes: 100,
        };
        let error = run(shell("exec sleep 60"), &short, &cancel, None)
            .await
            .unwrap_err();
        assert!(error.to_string().contains("did not finish"), "{error}");
    }

    #[tokio::test]
    async fn stops_when_cancelled() {
        let cancel = CancellationToken::new();
        cancel.cancel();
        let error = run(shell("exec sleep 60"), &LIMITS, &cancel, None)
            .await
            .unwrap_err();
        assert_eq!(error.code, Code::Cancelled);
    }
}
