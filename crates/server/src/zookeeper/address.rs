//! Where other servers are found, and how connections to them begin.

use super::error::StartError;
use consensus::How;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};
use zookeeper::config::HostPort;

/// When no connection can be accepted, for want of files say, there may be one a moment later.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Connects to whichever of these takes it first, each in its turn. Names are looked up anew: where a server runs may have changed.
///
/// Refused means that no process listens at any of them: every address that the names stand for has said so.
pub(crate) async fn connect(places: &[HostPort], patience: Duration) -> Result<TcpStream, How> {
    let mut how = How::Refused;
    for place in places {
        let addresses = match timeout(patience, lookup_host((place.host.as_str(), place.port))).await {
            Ok(Ok(addresses)) => addresses.collect(),
            Ok(Err(error)) => {
                debug!(%place, %error, "cannot be looked up");
                Vec::new()
            }
            Err(_) => Vec::new(),
        };
        if addresses.is_empty() {
            how = How::Lost;
        }
        for address in addresses {
            match timeout(patience, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    // What is written is to leave at once; it was gathered before.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => {}
                Ok(Err(error)) => {
                    debug!(%address, %error, "cannot connect");
                    how = How::Lost;
                }
                Err(_) => how = How::Lost,
            }
        }
    }
    if places.is_empty() { Err(How::Lost) } else { Err(how) }
}

/// Listens at each of these places, or, if `everywhere`, at their ports on all addresses of this machine.
pub(crate) async fn listen(places: &[HostPort], everywhere: bool) -> Result<Vec<TcpListener>, StartError> {
    let mut listeners = Vec::new();
    for place in places {
        let address = if everywhere { SocketAddr::new(wildcard(), place.port) } else { look_up(place).await? };
        let listener = TcpListener::bind(address).await.map_err(|source| StartError::Listen { address, source })?;
        listeners.push(listener);
    }
    Ok(listeners)
}

/// IPv6's takes IPv4's connections, too; a machine without IPv6 has only the other.
fn wildcard() -> IpAddr {
    match std::net::TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)) {
        Ok(_) => Ipv6Addr::UNSPECIFIED.into(),
        Err(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
    }
}

async fn look_up(place: &HostPort) -> Result<SocketAddr, StartError> {
    let unknown = |source: io::Error| StartError::Unknown { name: place.to_string(), source };
    let mut addresses = lookup_host((place.host.as_str(), place.port)).await.map_err(unknown)?;
    addresses.next().ok_or_else(|| unknown(ErrorKind::NotFound.into()))
}

/// The next connection of any of these listeners.
pub(crate) async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                let _ = stream.set_nodelay(true);
                return (stream, address);
            }
            Err(error) => {
                warn!(%error, "cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
