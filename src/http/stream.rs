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

fn body(receiver: mpsc::Receiver<Sent>) -> Body {
    let frames = futures_util::stream::unfold(Some(receiver), |receiver| async {
        let mut receiver = receiver?;
        match receiver.recv().await {
            Some(Sent::Piece(bytes)) => Some((Ok(Frame::data(bytes)), Some(receiver))),
            Some(Sent::End) => None,
            None => Some((Err("the stream broke off".into()), None)),
        }
    });
    StreamBody::new(frames).boxed()
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
