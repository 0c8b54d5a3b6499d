//! Bytes to a port, without a library that would make them well-formed.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection; what goes wrong on it is the other side's good right.
pub struct Connection(TcpStream);

impl Connection {
    pub fn open(url: &str) -> Connection {
        let address = url.strip_prefix("http://").expect("a plain URL");
        let stream = TcpStream::connect(address).expect("a member that accepts connections");
        stream.set_write_timeout(Some(Duration::from_secs(1))).expect("a timeout");
        Connection(stream)
    }

    pub fn say(mut self, bytes: &[u8]) -> Connection {
        let _ = self.0.write_all(bytes);
        self
    }

    /// What comes back until the other side closes, or is silent for so long.
    pub fn say_and_listen(self, bytes: &[u8], patience: Duration) -> Vec<u8> {
        let mut stream = self.say(bytes).0;
        let _ = stream.set_read_timeout(Some(patience));
        let mut answer = Vec::new();
        let mut space = [0; 4096];
        while let Ok(count @ 1..) = stream.read(&mut space) {
            answer.extend_from_slice(&space[..count]);
            if answer.len() > 1 << 20 {
                break;
            }
        }
        answer
    }
}

/// The status of the answer to a well-formed request; "" if there was none.
pub fn ask(url: &str, method: &str, path: &str, headers: &str, body: &[u8]) -> String {
    let head =
        format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
    let answer = Connection::open(url).say_and_listen(&[head.as_bytes(), body].concat(), Duration::from_secs(10));
    String::from_utf8_lossy(&answer).split(' ').nth(1).unwrap_or("").to_owned()
}
