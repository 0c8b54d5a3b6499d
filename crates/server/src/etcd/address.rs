//! From URLs to sockets.

use super::error::StartError;
use etcd::url::{Address, Url};
use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 4096;

/// `host:port`, as an HTTP request names it.
pub(crate) fn authority(url: &Url) -> String {
    match url.address() {
        Address::Tcp { host, port } if host.contains(':') => format!("[{host}]:{port}"),
        Address::Tcp { host, port } => format!("{host}:{port}"),
        Address::Unix(path) => path.clone(),
    }
}

/// All addresses of a URL, without asking anybody if the host is an address already.
pub(crate) async fn resolve(url: &Url) -> Result<Vec<SocketAddr>> {
    let Address::Tcp { host, port } = url.address() else {
        return Err(Error::new(ErrorKind::Unsupported, "unix sockets are not supported yet"));
    };
    if let Ok(ip) = host.parse() {
        return Ok(vec![SocketAddr::new(ip, *port)]);
    }
    Ok(tokio::net::lookup_host((host.as_str(), *port)).await?.collect())
}

/// A connection to a URL's first address that takes one.
pub(crate) async fn connect(url: &Url) -> Result<TcpStream> {
    let mut last = Error::new(ErrorKind::NotFound, format!("{} has no address", authority(url)));
    for address in resolve(url).await? {
        match TcpStream::connect(address).await {
            Ok(socket) => {
                socket.set_nodelay(true)?;
                return Ok(socket);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Listens on a URL's addresses. An error names the URL.
pub(crate) async fn listen(url: &Url) -> std::result::Result<Vec<TcpListener>, StartError> {
    let failed = |source| StartError::Listen { url: url.to_string(), source };
    if url.is_secure() {
        return Err(StartError::Secure { url: url.to_string() });
    }
    let addresses = match url.address() {
        // Every address: of both families at once where there is IPv6, as Go does it.
        Address::Tcp { host, port } if host.is_empty() => match bind(SocketAddr::from(([0_u16; 8], *port))) {
            Ok(listener) => return Ok(vec![listener]),
            Err(error) if error.kind() == ErrorKind::AddrInUse => return Err(failed(error)),
            Err(_) => vec![SocketAddr::from(([0; 4], *port))],
        },
        _ => resolve(url).await.map_err(failed)?,
    };
    // `localhost` may be both 127.0.0.1 and ::1; a machine without IPv6 still names the latter.
    let mut listeners = Vec::new();
    let mut last = None;
    for address in addresses {
        match bind(address) {
            Ok(listener) => listeners.push(listener),
            Err(error) if error.kind() == ErrorKind::AddrNotAvailable => last = Some(error),
            Err(error) => return Err(failed(error)),
        }
    }
    match last {
        Some(error) if listeners.is_empty() => Err(failed(error)),
        _ => Ok(listeners),
    }
}

fn bind(address: SocketAddr) -> Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A restart does not wait for the connections of the process before it to be forgotten.
    socket.set_reuseaddr(true)?;
    // Accepted connections inherit it: a peer that vanished without a word is noticed in the end.
    socket.set_keepalive(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
