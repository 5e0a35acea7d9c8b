//! An answer that is read in small pieces, as slowly as a phone does.

use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

const PIECE: usize = 64 << 10;
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Reading {
    /// Of the request.
    pub number: u64,
    /// Before each piece.
    pub pause: Duration,
    stream: TcpStream,
    read: Vec<u8>,
    /// Where the body begins.
    body: usize,
}

impl Reading {
    /// Sends a request to a port of this machine and reads the answer's head. Little fits between writer and reader.
    pub async fn begin(port: u16, number: u64, request: &str) -> Reading {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(PIECE as u32).unwrap();
        let address = ([127, 0, 0, 1], port).into();
        let mut stream = socket.connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut reading = Reading {
            number,
            pause: Duration::from_millis(2),
            stream,
            read: Vec::new(),
            body: 0,
        };
        while reading.body == 0 {
            reading.piece().await;
            let end = reading.read.windows(4).position(|w| w == b"\r\n\r\n");
            reading.body = end.map_or(0, |at| at + 4);
        }
        reading
    }

    pub async fn piece(&mut self) {
        tokio::time::sleep(self.pause).await;
        let there = self.read.len();
        self.read.resize(there + PIECE, 0);
        let read = self.stream.read(&mut self.read[there..]);
        let read = tokio::time::timeout(PATIENCE, read).await;
        let read = read.expect("nothing more comes").unwrap();
        assert!(read > 0, "the connection ended after {there} bytes");
        self.read.truncate(there + read);
    }

    /// As the head promises it.
    pub fn length(&self) -> usize {
        let head = std::str::from_utf8(&self.read[..self.body]).unwrap();
        let lines = head.lines().filter_map(|line| line.split_once(": "));
        let mut lengths = lines.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let (_, length) = lengths.next().unwrap_or_else(|| panic!("{head}"));
        length.parse().unwrap()
    }

    pub fn body(&self) -> &[u8] {
        &self.read[self.body..]
    }
}
