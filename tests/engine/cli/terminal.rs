//! A program at a pseudo-terminal, and a person who reads and types.

use super::Shell;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, OptionalActions, Winsize, tcgetattr, tcsetattr, tcsetwinsize};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::process::Child;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

pub const CURSOR_HIDDEN: &str = "\u{1b}[?25l";
pub const CURSOR_SHOWN: &str = "\u{1b}[?25h";

pub struct Terminal {
    pub child: Child,
    keyboard: File,
    shown: Receiver<Vec<u8>>,
    /// Everything that was shown, and how much of it was waited for already.
    all: Vec<u8>,
    read: usize,
}

impl Terminal {
    pub fn start(shell: &Shell, arguments: &[&str]) -> Self {
        Self::sized(shell, arguments, 100)
    }

    /// `setsid --ctty` makes it the terminal that Ctrl-C is sent from.
    pub fn sized(shell: &Shell, arguments: &[&str], columns: u16) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let size = Winsize {
            ws_row: 24,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&master, size).unwrap();
        // Else the kernel, once it has sent Ctrl-C's signal, throws away what was shown until then: at
        // times the program's answer to it.
        let mut modes = tcgetattr(&master).unwrap();
        modes.local_modes.insert(LocalModes::NOFLSH);
        tcsetattr(&master, OptionalActions::Now, &modes).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let slave = OpenOptions::new()
            .read(true)
            .write(true)
            .open(name.to_str().unwrap())
            .unwrap();
        let mut command = shell.command("setsid");
        command
            .args(["--ctty", env!("CARGO_BIN_EXE_rovodev")])
            .args(arguments)
            .stdin(slave.try_clone().unwrap())
            .stdout(slave.try_clone().unwrap())
            .stderr(slave);
        if !command.get_envs().any(|(name, _)| name == "TERM") {
            command.env("TERM", "xterm");
        }
        let child = command.spawn().unwrap();
        let (mut screen, keyboard) = (File::from(master.try_clone().unwrap()), File::from(master));
        let (tell, shown) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // The terminal ends with an error once the program is gone.
            while let Ok(n) = screen.read(&mut bytes) {
                let _ = tell.send(bytes[..n].to_vec());
            }
        });
        Self {
            child,
            keyboard,
            shown,
            all: Vec::new(),
            read: 0,
        }
    }

    /// Waits until the program has shown `text`, after what was waited for before.
    pub fn sees(&mut self, text: &str) {
        let begun = Instant::now();
        loop {
            let unread = &self.all[self.read..];
            let found = unread
                .windows(text.len())
                .position(|w| w == text.as_bytes());
            if let Some(at) = found {
                self.read += at + text.len();
                return;
            }
            let left = Duration::from_secs(60).saturating_sub(begun.elapsed());
            match self.shown.recv_timeout(left) {
                Ok(bytes) => self.all.extend(bytes),
                Err(_) => panic!("waited for {text:?}, saw: {}", self.text()),
            }
        }
    }

    pub fn types(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).unwrap();
    }

    /// Types once nothing is echoed any more: what was typed before is thrown away then.
    pub fn types_hidden(&mut self, text: &str) {
        let begun = Instant::now();
        while self.echoes() {
            assert!(
                begun.elapsed().as_secs() < 60,
                "what is typed stays to be seen"
            );
            std::thread::yield_now();
        }
        self.types(text);
    }

    /// Whether what is typed is shown.
    pub fn echoes(&self) -> bool {
        let modes = tcgetattr(&self.keyboard).unwrap();
        modes.local_modes.contains(LocalModes::ECHO)
    }

    /// The exit code, and everything that was shown.
    pub fn ends(&mut self) -> (i32, String) {
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        while let Ok(bytes) = self.shown.recv_timeout(Duration::from_secs(60)) {
            self.all.extend(bytes);
        }
        (code, self.text())
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.all).into_owned()
    }
}
