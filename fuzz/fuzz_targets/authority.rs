//! The filter before HTTP/2: however a client's bytes are cut, as many come out, the same ones, and different ones only in a place
//! where `http` stood.

#![no_main]

#[allow(dead_code, reason = "the filter as it is, without the port around it")]
#[path = "../../crates/server/src/etcd/listen/authority.rs"]
mod authority;

use authority::Mended;
use libfuzzer_sys::fuzz_target;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::Result;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};
use tokio::runtime::{Builder, Runtime};

thread_local! {
    static RUNTIME: RefCell<Runtime> = RefCell::new(Builder::new_current_thread().enable_time().build().expect("a runtime"));
}

/// Bytes that arrive in pieces of one size.
struct Pieces {
    bytes: VecDeque<u8>,
    size: usize,
}

impl AsyncRead for Pieces {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        let count = self.size.min(out.remaining()).min(self.bytes.len());
        let piece: Vec<u8> = self.bytes.drain(..count).collect();
        out.put_slice(&piece);
        Poll::Ready(Ok(()))
    }
}

async fn through(bytes: &[u8], size: usize) -> Vec<u8> {
    let mut mended = Mended::new(Pieces { bytes: bytes.iter().copied().collect(), size }, Duration::from_secs(600));
    let mut out = Vec::new();
    mended.read_to_end(&mut out).await.expect("no error but the end of patience");
    out
}

fuzz_target!(|data: &[u8]| {
    let [size, flags, rest @ ..] = data else { return };
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    // Most inputs begin as they must to get any further.
    let bytes = if flags & 1 == 0 { [preface, rest].concat() } else { rest.to_vec() };
    RUNTIME.with_borrow(|runtime| {
        runtime.block_on(async {
            let whole = through(&bytes, usize::MAX).await;
            assert_eq!(whole.len(), bytes.len());
            assert_eq!(whole, through(&bytes, usize::from(*size) + 1).await);
        });
    });
});
