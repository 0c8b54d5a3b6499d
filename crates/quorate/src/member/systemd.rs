//! Telling systemd that the member serves: units with `Type=notify`, such as Debian's for etcd, wait for it (sd_notify(3)).

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Says "ready" on the socket that systemd named, if it named one.
pub(super) fn notify_ready() {
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET") else { return };
    if let Err(error) = send(&socket.to_string_lossy(), b"READY=1") {
        tracing::warn!("systemd cannot be told that this member is ready: {error}");
    }
}

fn send(socket: &str, message: &[u8]) -> io::Result<()> {
    let address = match socket.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(socket)?,
    };
    UnixDatagram::unbound()?.send_to_addr(message, &address).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_arrives_at_either_kind_of_socket() {
        let folder = tempfile::tempdir().expect("the temporary folder can be written");
        let path = folder.path().join("notify");
        let name = format!("quorate-notify-{}", std::process::id());
        let abstract_name = SocketAddr::from_abstract_name(&name).expect("a short name");
        for (listener, address) in [
            (UnixDatagram::bind(&path).expect("the temporary folder can be written"), path.display().to_string()),
            (UnixDatagram::bind_addr(&abstract_name).expect("the name is free"), format!("@{name}")),
        ] {
            send(&address, b"READY=1").expect("somebody listens");
            let mut message = [0; 16];
            let length = listener.recv(&mut message).expect("it was sent");
            assert_eq!(&message[..length], b"READY=1");
        }
    }
}
