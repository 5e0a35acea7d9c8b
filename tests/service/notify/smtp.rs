//! A mail server that speaks SMTP over TCP: keeps what it takes, and refuses whom it is told to.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

#[derive(Debug, Clone, Default)]
pub struct Taken {
    pub from: String,
    pub to: Vec<String>,
    /// Headers and body, as they were sent.
    pub data: String,
    /// What AUTH PLAIN said, in base64.
    pub credentials: String,
}

pub struct Smtp {
    pub port: u16,
    taken: Arc<Mutex<Vec<Taken>>>,
    /// Answers to the next DATA, in place of taking it.
    refusals: Arc<Mutex<Vec<&'static str>>>,
    server: JoinHandle<()>,
}

impl Smtp {
    pub async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (taken, refusals) = (
            Arc::<Mutex<Vec<Taken>>>::default(),
            Arc::<Mutex<Vec<_>>>::default(),
        );
        let (kept, refused) = (taken.clone(), refusals.clone());
        let server = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                // Who hangs up in the middle is a client that gave up.
                tokio::spawn(serve(stream, kept.clone(), refused.clone()));
            }
        });
        Self {
            port,
            taken,
            refusals,
            server,
        }
    }

    pub fn refuse(&self, answers: &[&'static str]) {
        self.refusals.lock().unwrap().extend(answers);
    }

    pub fn taken(&self) -> Vec<Taken> {
        self.taken.lock().unwrap().clone()
    }

    pub async fn until(&self, number: usize) -> Vec<Taken> {
        for _ in 0..600 {
            if self.taken().len() >= number {
                return self.taken();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{} of {number} mails came", self.taken().len());
    }
}

impl Drop for Smtp {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(
    stream: TcpStream,
    taken: Arc<Mutex<Vec<Taken>>>,
    refusals: Arc<Mutex<Vec<&'static str>>>,
) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    let mut mail = Taken::default();
    write.write_all(b"220 test ESMTP\r\n").await?;
    while let Some(line) = lines.next_line().await? {
        let verb = line
            .split([' ', ':'])
            .next()
            .unwrap_or_default()
            .to_uppercase();
        let answer = match verb.as_str() {
            "EHLO" => "250-test\r\n250-8BITMIME\r\n250 AUTH PLAIN",
            "AUTH" => {
                mail.credentials = line.rsplit(' ').next().unwrap_or_default().into();
                "235 2.7.0 welcome"
            }
            "MAIL" => {
                mail.from = address(&line);
                "250 2.1.0 ok"
            }
            "RCPT" => {
                mail.to.push(address(&line));
                "250 2.1.5 ok"
            }
            "DATA" => {
                write.write_all(b"354 go on\r\n").await?;
                mail.data = data(&mut lines).await?;
                let refusal = refusals.lock().unwrap().pop();
                refusal.unwrap_or_else(|| {
                    taken.lock().unwrap().push(mail.clone());
                    "250 2.0.0 queued as 4711"
                })
            }
            "QUIT" => "221 2.0.0 bye",
            _ => "250 2.0.0 ok",
        };
        write.write_all(format!("{answer}\r\n").as_bytes()).await?;
        if verb == "QUIT" {
            break;
        }
    }
    Ok(())
}

/// Up to the line of one dot; a dot in front of another is a dot.
async fn data(
    lines: &mut tokio::io::Lines<BufReader<tokio::net::tcp::OwnedReadHalf>>,
) -> std::io::Result<String> {
    let mut text = String::new();
    while let Some(line) = lines.next_line().await? {
        if line == "." {
            break;
        }
        text.push_str(line.strip_prefix('.').unwrap_or(&line));
        text.push_str("\r\n");
    }
    Ok(text)
}

fn address(line: &str) -> String {
    let inside = line.split('<').nth(1).unwrap_or_default();
    inside.split('>').next().unwrap_or_default().to_string()
}
