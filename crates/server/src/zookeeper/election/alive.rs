//! Connections that carry nothing between elections, and must be there when one begins.
//!
//! A firewall forgets a connection over which nothing came for a while, and tells neither end: votes would go into it for as long as the
//! kernel repeats them, a quarter of an hour. So the kernel asks now and then whether the other end is still there, which also keeps it
//! in a firewall's mind, and what nobody acknowledges soon ends the connection. A new one is opened then, and says again what was said last.

use rustix::io::Result;
use rustix::net::sockopt::{set_socket_keepalive, set_tcp_keepidle, set_tcp_keepintvl, set_tcp_user_timeout};
use std::time::Duration;
use tokio::net::TcpStream;
use tracing::debug;

/// After so long a silence the other end is asked. Firewalls remember for a minute at least.
const SILENCE: Duration = Duration::from_secs(30);
/// If it has not answered when so much more has passed, it is gone: where there is a time to acknowledge, Linux does not ask again.
const ANSWER: Duration = Duration::from_secs(10);
/// A vote is acknowledged within this. A packet that was lost is sent again four times meanwhile; a follower without a leader waits about
/// as long (`syncLimit`).
const ACKNOWLEDGED_MS: u32 = 5_000;

/// Lets the kernel find out whether the other end is still there.
pub(super) fn watch_over(stream: &TcpStream) {
    if let Err(error) = set(stream) {
        debug!(%error, "the kernel does not watch over a connection for elections");
    }
}

fn set(stream: &TcpStream) -> Result<()> {
    set_tcp_keepidle(stream, SILENCE)?;
    set_tcp_keepintvl(stream, ANSWER)?;
    set_tcp_user_timeout(stream, ACKNOWLEDGED_MS)?;
    set_socket_keepalive(stream, true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::sockopt::{socket_keepalive, tcp_keepidle, tcp_keepintvl, tcp_user_timeout};
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn the_kernel_asks_and_does_not_wait_for_long() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let stream = TcpStream::connect(listener.local_addr().expect("its address")).await.expect("somebody listens");
        watch_over(&stream);
        assert_eq!(socket_keepalive(&stream), Ok(true));
        assert_eq!(tcp_keepidle(&stream), Ok(SILENCE));
        assert_eq!(tcp_keepintvl(&stream), Ok(ANSWER));
        assert_eq!(tcp_user_timeout(&stream), Ok(ACKNOWLEDGED_MS));
    }
}
