//! Knows when a body has left.

use super::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::sync::oneshot;

struct Watched {
    body: Body,
    flushed: bool,
    /// Dropped with the body.
    _gone: oneshot::Sender<()>,
}

/// The body, and a future that is ready once its last piece was handed to the network or nobody reads any more. The
/// platform may suspend an instance whose invocation is over, so that must not be said before.
pub(super) fn watched(body: Body) -> (Body, impl Future<Output = ()> + Send + 'static) {
    let (sender, gone) = oneshot::channel();
    let watched = Watched {
        body,
        flushed: false,
        _gone: sender,
    };
    (watched.boxed(), async {
        // It is never sent; that its sender went is the news.
        let _ = gone.await;
    })
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = <Body as http_body::Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if frame.is_none() && !self.flushed {
            // A server writes out what it has while a body makes it wait.
            self.flushed = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::answer::full;
    use futures_util::FutureExt;
    use http_body::Body as _;

    #[tokio::test]
    async fn it_has_left_when_all_was_flushed_or_nobody_reads() {
        let (mut body, left) = watched(full("a piece"));
        let left = left.shared();
        assert!(body.frame().await.unwrap().unwrap().is_data());
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let next = Pin::new(&mut body).poll_frame(&mut cx);
        assert!(next.is_pending(), "time to write out what it has");
        assert!(Pin::new(&mut body).poll_frame(&mut cx).is_ready());
        assert!(left.clone().now_or_never().is_none());
        drop(body);
        assert!(left.now_or_never().is_some());
        let (unread, left) = watched(full("nobody wants it"));
        drop(unread);
        assert!(left.now_or_never().is_some());
    }
}
