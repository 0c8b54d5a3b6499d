//! One server: the value of a line `server.N=…` (Java: `QuorumPeer.QuorumServer`).
//!
//! ```text
//! host:quorum port:election port[:participant|observer][|another address…][;[client host:]client port]
//! ```

use super::HostPort;
use super::address::host_and_rest;
use std::fmt;

/// A member, as its line describes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Server {
    /// Where it is reached, in the order of the hosts; more than one with `multiAddress.enabled`.
    pub addresses: Vec<Address>,
    /// It is never counted.
    pub observer: bool,
    /// Where its clients reach it, if the line says so.
    pub client: Option<HostPort>,
}

/// Where a server's peers reach it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Address {
    /// The host; an IPv6 address without its brackets.
    pub host: String,
    /// The port at which it serves learners while it leads.
    pub quorum_port: u16,
    /// The port of the election.
    pub election_port: u16,
}

impl Address {
    /// Where it serves learners while it leads.
    pub fn quorum(&self) -> HostPort {
        HostPort { host: self.host.clone(), port: self.quorum_port }
    }

    /// Where it hears of elections.
    pub fn election(&self) -> HostPort {
        HostPort { host: self.host.clone(), port: self.election_port }
    }
}

impl Server {
    /// What a line's value says, or why it says nothing.
    pub fn parse(text: &str) -> Result<Server, String> {
        let mut parts = text.split(';');
        let (servers, client) = (parts.next().unwrap_or_default(), parts.next());
        if parts.next().is_some() {
            return Err(format!("{text}: at most one ; may stand in it, before the client's address"));
        }
        let mut addresses = Vec::new();
        let mut observer = None;
        for address in servers.split('|') {
            let (address, says_observer) = parse_address(address.trim())?;
            if addresses.contains(&address) {
                return Err(format!("{text}: names the same address twice"));
            }
            addresses.push(address);
            if observer.is_some_and(|observer| says_observer.is_some_and(|says| says != observer)) {
                return Err(format!("{text}: is both participant and observer"));
            }
            observer = observer.or(says_observer);
        }
        // Their order means nothing, so two texts that say the same are the same.
        addresses.sort();
        let client = client.map(|client| parse_client(client.trim())).transpose()?;
        Ok(Server { addresses, observer: observer.unwrap_or(false), client })
    }
}

fn parse_address(text: &str) -> Result<(Address, Option<bool>), String> {
    let wrong = || format!("{text}: should be host:port:port or host:port:port:participant, or …:observer");
    let Some((host, Some(rest))) = host_and_rest(text) else { return Err(wrong()) };
    let mut parts = rest.split(':');
    let (Some(quorum), Some(election), role, None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Err(wrong());
    };
    let (quorum_port, election_port) = (port(quorum)?, port(election)?);
    if quorum_port == election_port {
        return Err(format!("{text}: the ports for the quorum and for the election must differ"));
    }
    let observer = match role.map(|role| role.trim().to_ascii_lowercase()).as_deref() {
        None => None,
        Some("participant") => Some(false),
        Some("observer") => Some(true),
        Some(other) => return Err(format!("{other}: should be participant or observer")),
    };
    Ok((Address { host: host.to_owned(), quorum_port, election_port }, observer))
}

/// `port`, or `host:port`.
fn parse_client(text: &str) -> Result<HostPort, String> {
    match host_and_rest(text) {
        Some((host, Some(port_text))) => Ok(HostPort { host: host.to_owned(), port: port(port_text)? }),
        _ => Ok(HostPort { host: "0.0.0.0".to_owned(), port: port(text)? }),
    }
}

fn port(text: &str) -> Result<u16, String> {
    text.trim().parse().map_err(|_| format!("{text}: should be a port, 0 to 65535"))
}

/// As Java says it: the role always, addresses in the order of their hosts.
impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, address) in self.addresses.iter().enumerate() {
            let separator = if index == 0 { "" } else { "|" };
            write!(f, "{separator}{}:{}", address.quorum(), address.election_port)?;
        }
        f.write_str(if self.observer { ":observer" } else { ":participant" })?;
        match &self.client {
            Some(client) => write!(f, ";{client}"),
            None => Ok(()),
        }
    }
}
