//! Child processes that end when we end, however we end.

use crate::error::{Context, Result, at, message};
use rustix::process::{Pid, Signal};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Output, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Longest time for what is run to its end; installing is the slowest.
const RUN_LIMIT: Duration = Duration::from_secs(15 * 60);

/// A running child in a process group of its own, so that Ctrl-C in the terminal reaches us alone
/// and we stop it in order.
#[derive(Debug)]
pub(crate) struct Child {
    name: &'static str,
    pid: Pid,
    keeper: Option<JoinHandle<io::Result<ExitStatus>>>,
}

impl Child {
    /// Starts `command`; should this process die, the kernel sends the child `on_our_death` (Linux).
    ///
    /// The kernel means the death of the *thread* that forked. So a thread of its own forks, and
    /// stays until the child has ended.
    pub fn start(name: &'static str, mut command: Command, on_our_death: Signal) -> Result<Child> {
        command.process_group(0).stdin(Stdio::null());
        die_with_us(&mut command, on_our_death);
        let (tell, told) = mpsc::channel();
        let keeper = std::thread::Builder::new()
            .name(format!("keeper of {name}"))
            .spawn(move || {
                let mut child = match command.spawn() {
                    Ok(child) => child,
                    Err(error) => {
                        let kind = error.kind();
                        // The receiver waits below, for as long as it takes to fork.
                        let _ = tell.send(Err(error));
                        return Err(kind.into());
                    }
                };
                let _ = tell.send(Ok(Pid::from_child(&child)));
                child.wait()
            })
            .context(format!("cannot start a thread for {name}"))?;
        let pid = told
            .recv()
            .map_err(|_| message(format!("the thread that starts {name} ended early")))?
            .context(format!("cannot start {name}"))?;
        Ok(Child {
            name,
            pid,
            keeper: Some(keeper),
        })
    }

    pub fn id(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Whether the child has ended by itself.
    pub fn has_ended(&self) -> bool {
        self.keeper.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Sends `signal` and waits; a child that is still there after `patience` is killed.
    pub fn stop(&mut self, signal: Signal, patience: Duration) {
        let Some(keeper) = self.keeper.take() else {
            return;
        };
        for signal in [signal, Signal::KILL] {
            if !keeper.is_finished() {
                // It may end by itself right now; the wait below then returns at once.
                let _ = rustix::process::kill_process_group(self.pid, signal);
            }
            let deadline = Instant::now() + patience;
            while !keeper.is_finished() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(5));
            }
            if keeper.is_finished() {
                let _ = keeper.join();
                return;
            }
        }
        eprintln!("{} (process {}) does not end", self.name, self.id());
    }
}

/// Has the kernel send `signal` to the command should the thread that starts it end (Linux).
#[cfg(target_os = "linux")]
pub(crate) fn die_with_us(command: &mut Command, signal: Signal) {
    let us = rustix::process::getpid();
    let prepare = move || {
        rustix::process::set_parent_process_death_signal(Some(signal))?;
        // We may have died before the line above; then nobody would send the signal any more.
        match rustix::process::getppid() == Some(us) {
            true => Ok(()),
            false => Err(io::Error::other("the parent ended")),
        }
    };
    // SAFETY: between fork and exec only two system calls are made and nothing is allocated.
    unsafe { command.pre_exec(prepare) };
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn die_with_us(_: &mut Command, _: Signal) {}

/// Runs a program (an installer, `initdb`) to its end; a failure carries the end of what it wrote.
pub(crate) fn run_to_end(command: &mut Command) -> Result<Output> {
    let program = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command.stderr(Stdio::piped()).process_group(0);
    // This thread waits below, so it lives as long as the program.
    die_with_us(command, Signal::TERM);
    let child = command.spawn().context(format!("cannot start {program}"))?;
    let group = Pid::from_child(&child);
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        // Nobody listens any more once the time is over.
        let _ = tell.send(child.wait_with_output());
    });
    let Ok(output) = told.recv_timeout(RUN_LIMIT) else {
        // It may end right now; then there is nobody to stop.
        let _ = rustix::process::kill_process_group(group, Signal::KILL);
        return Err(message(format!(
            "{program} took more than {} minutes and was stopped; is the network up?",
            RUN_LIMIT.as_secs() / 60
        )));
    };
    let output = output.context(format!("lost {program}"))?;
    if output.status.success() {
        return Ok(output);
    }
    let written = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    Err(message(format!(
        "{program} failed ({}): {}",
        output.status,
        last_lines(&String::from_utf8_lossy(&written), 12)
    )))
}

/// The end of a log file, for an error message.
pub(crate) fn end_of_log(log: &Path) -> String {
    match std::fs::read_to_string(log) {
        Ok(text) => last_lines(&text, 12),
        Err(error) => format!("{}: {error}", at("read", log)),
    }
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}
