//! Memory that segments use one after another: fresh memory costs the kernel more than what is done in it.

use bytes::Bytes;
use std::sync::{Arc, Mutex, PoisonError};

/// Clones share what is kept.
#[derive(Clone)]
pub struct Buffers {
    kept: Arc<Mutex<Vec<Vec<u8>>>>,
    /// Memory of more bytes than this is given back to the system.
    largest: usize,
}

impl Buffers {
    pub fn up_to(largest: usize) -> Self {
        Self {
            kept: Arc::default(),
            largest,
        }
    }

    /// Empty, with memory where some is kept.
    pub fn take(&self) -> Option<Vec<u8>> {
        self.locked().pop()
    }

    pub fn give_back(&self, mut buffer: Vec<u8>) {
        if buffer.capacity() <= self.largest {
            buffer.clear();
            self.locked().push(buffer);
        }
    }

    /// Bytes whose memory comes back when nobody holds them any more.
    pub fn lend(&self, bytes: Vec<u8>) -> Bytes {
        Bytes::from_owner(Lent {
            bytes,
            to: self.clone(),
        })
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Vec<Vec<u8>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Lent {
    bytes: Vec<u8>,
    to: Buffers,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.to.give_back(std::mem::take(&mut self.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_comes_back_once_nobody_holds_it_and_not_all_of_it() {
        let buffers = Buffers::up_to(1000);
        let mut row = Vec::with_capacity(900);
        row.push(b'x');
        let lent = buffers.lend(row);
        let also = lent.slice(..);
        drop(lent);
        assert_eq!(buffers.take(), None);
        drop(also);
        assert_eq!(buffers.take().map(|b| b.capacity()), Some(900));
        buffers.give_back(Vec::with_capacity(1001));
        assert_eq!(buffers.take(), None);
    }
}
