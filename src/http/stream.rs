//! Bodies that are written while they are read.

use super::answer::Body;
use crate::error::Result;
use bytes::Bytes;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::AsyncWrite;
use tokio::sync::mpsc;
use tokio_util::sync::PollSender;

/// Pieces that wait for the reader, and the largest of them: so much memory a slow reader takes.
const WAITING: usize = 4;
const LARGEST_PIECE: usize = 64 << 10;

enum Sent {
    Piece(Bytes),
    End,
}

/// Takes bytes as fast as the reader does.
pub struct Writer {
    sender: PollSender<Sent>,
    written: Arc<AtomicU64>,
}

/// A body that `work` writes, and the work itself, which must run behind the answer. Where the work fails, stops or
/// takes longer than `limit`, the body breaks off: nobody takes a part for the whole.
pub fn streamed<F>(
    limit: Duration,
    work: impl FnOnce(Writer) -> F,
) -> (Body, impl Future<Output = ()> + Send + 'static)
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(WAITING);
    let work = work(Writer {
        sender: PollSender::new(sender.clone()),
        written: Arc::default(),
    });
    let behind = async move {
        let whole = async {
            let done = work.await;
            if done.is_ok() {
                // A reader who left does not need to hear that it ended.
                let _ = sender.send(Sent::End).await;
            }
            done
        };
        match tokio::time::timeout(limit, whole).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) if sender.is_closed() => tracing::info!(%error, "the reader left"),
            Ok(Err(error)) => {
                tracing::error!(code = error.code.as_str(), %error, "a stream broke off");
            }
            Err(_) => tracing::warn!(?limit, "a stream did not end in time and breaks off"),
        }
    };
    (body(receiver), behind)
}

/// A server that holds this many pieces sends them all to the last byte before it asks for another.
const HELD_BY_SERVER: usize = 16;

/// What is still to be handed to the server.
enum Rest {
    /// What may be the last bytes is kept back.
    Open(mpsc::Receiver<Sent>, Bytes),
    Ending(Bytes),
}

fn body(receiver: mpsc::Receiver<Sent>) -> Body {
    let whole = Rest::Open(receiver, Bytes::new());
    let frames = futures_util::stream::unfold(Some(whole), |rest| async {
        match next(rest?).await {
            Some(Ok((piece, rest))) => Some((Ok(Frame::data(piece)), Some(rest))),
            Some(Err(broken)) => Some((Err(broken.into()), None)),
            None => None,
        }
    });
    StreamBody::new(frames).boxed()
}

async fn next(rest: Rest) -> Option<std::result::Result<(Bytes, Rest), &'static str>> {
    let mut last = match rest {
        Rest::Ending(last) => last,
        Rest::Open(mut receiver, mut kept) => loop {
            match receiver.recv().await {
                Some(Sent::Piece(mut piece)) => {
                    if piece.len() < HELD_BY_SERVER {
                        let tail = kept.len().saturating_sub(HELD_BY_SERVER);
                        piece = [kept.split_off(tail), piece].concat().into();
                    }
                    let before = std::mem::replace(&mut kept, piece);
                    if !before.is_empty() {
                        return Some(Ok((before, Rest::Open(receiver, kept))));
                    }
                }
                Some(Sent::End) => break kept,
                None => return Some(Err("the stream broke off")),
            }
        },
    };
    // The last bytes one by one: a slow reader's server is through with all before them when it asks for the end, so
    // that nobody says that the body has left while megabytes wait in this process.
    let piece = match last.len() {
        0 => return None,
        1..=HELD_BY_SERVER => last.split_to(1),
        length => last.split_to(length - HELD_BY_SERVER),
    };
    Some(Ok((piece, Rest::Ending(last))))
}

impl Writer {
    /// Bytes that were taken so far; goes on counting.
    pub fn written(&self) -> Arc<AtomicU64> {
        self.written.clone()
    }
}

impl AsyncWrite for Writer {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let left = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        ready!(self.sender.poll_reserve(cx)).map_err(left)?;
        let piece = &bytes[..bytes.len().min(LARGEST_PIECE)];
        let sent = Sent::Piece(Bytes::copy_from_slice(piece));
        self.sender.send_item(sent).map_err(left)?;
        self.written
            .fetch_add(piece.len() as u64, Ordering::Relaxed);
        Poll::Ready(Ok(piece.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Code, Error};
    use tokio::io::AsyncWriteExt;

    const LIMIT: Duration = Duration::from_secs(10);

    /// How the work ends after it wrote a megabyte.
    #[derive(Clone, Copy, PartialEq)]
    enum End {
        Done,
        Failed,
        Never,
    }

    #[tokio::test]
    async fn what_was_written_is_read_and_a_part_is_never_the_whole() {
        for end in [End::Done, End::Failed, End::Never] {
            let limit = match end {
                End::Never => Duration::from_millis(200),
                _ => LIMIT,
            };
            let (body, behind) = streamed(limit, |mut writer| async move {
                writer.write_all(&vec![7; 1 << 20]).await.unwrap();
                match end {
                    End::Done => Ok(()),
                    End::Failed => Err(Error::new(Code::Internal, "half of it")),
                    End::Never => std::future::pending().await,
                }
            });
            let behind = tokio::spawn(behind);
            let read = body.collect().await;
            behind.await.unwrap();
            match end {
                End::Done => assert_eq!(read.unwrap().to_bytes().len(), 1 << 20),
                End::Failed | End::Never => assert!(read.is_err()),
            }
        }
    }

    #[tokio::test]
    async fn the_last_bytes_come_one_by_one() {
        for length in [0, 3, HELD_BY_SERVER, 100, LARGEST_PIECE + 1] {
            let sent: Vec<u8> = (0..length).map(|n| n as u8).collect();
            let written = sent.clone();
            let (mut body, behind) = streamed(LIMIT, |mut writer| async move {
                writer.write_all(&written).await.unwrap();
                Ok(())
            });
            let behind = tokio::spawn(behind);
            let mut pieces = Vec::new();
            while let Some(frame) = body.frame().await {
                pieces.push(frame.unwrap().into_data().unwrap());
            }
            behind.await.unwrap();
            assert_eq!(pieces.concat(), sent);
            let single = pieces.iter().rev().take_while(|p| p.len() == 1).count();
            assert!(single >= length.min(HELD_BY_SERVER), "{length}: {single}");
        }
    }

    #[tokio::test]
    async fn a_reader_who_left_or_sleeps_ends_the_work() {
        let (body, behind) = streamed(LIMIT, |mut writer| async move {
            let written = writer.written();
            let sent = writer.write_all(&vec![7; 8 << 20]).await;
            assert!(sent.is_err());
            assert!(written.load(Ordering::Relaxed) <= (WAITING * LARGEST_PIECE) as u64);
            Ok(())
        });
        drop(body);
        behind.await;
        let limit = Duration::from_millis(50);
        let (asleep, behind) = streamed(limit, |mut writer| async move {
            writer.write_all(&vec![7; 8 << 20]).await.unwrap();
            Ok(())
        });
        behind.await;
        assert!(asleep.collect().await.is_err());
    }
}
