//! The text, both ways.

use super::{BadLine, Ensemble, Server};
use consensus::NodeId;
use std::fmt;
use std::str::FromStr;

impl FromStr for Ensemble {
    type Err = BadLine;

    fn from_str(text: &str) -> Result<Ensemble, BadLine> {
        let mut ensemble = Ensemble::default();
        let mut lines = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', '!']) {
                continue;
            }
            let read = match line.split_once('=') {
                Some((key, value)) => ensemble.take(key.trim(), value.trim()).map_err(|why| format!("{}: {why}", key.trim())),
                None => Err(format!("{line}: should be key=value")),
            };
            read.map_err(|why| BadLine { line: index + 1, why })?;
            lines.push(line);
        }
        ensemble.check().map_err(|why| BadLine { line: lines.len(), why })?;
        Ok(ensemble)
    }
}

impl Ensemble {
    /// Takes a line's key and value; an error says what is wrong, behind the key.
    pub fn take(&mut self, key: &str, value: &str) -> Result<(), String> {
        if let Some(id) = key.strip_prefix("server.") {
            let id = number(id)?;
            let server = Server::parse(value)?;
            if self.servers.insert(NodeId(id), server).is_some() {
                return Err("is there twice".to_owned());
            }
        } else if let Some(group) = key.strip_prefix("group.") {
            let members = value.split(':').map(|id| number(id.trim()).map(NodeId)).collect::<Result<_, _>>()?;
            if self.groups.insert(number(group)?, members).is_some() {
                return Err("is there twice".to_owned());
            }
        } else if let Some(id) = key.strip_prefix("weight.") {
            if self.weights.insert(NodeId(number(id)?), number(value)?).is_some() {
                return Err("is there twice".to_owned());
            }
        } else if key == "version" {
            let version = u64::from_str_radix(value, 16).ok().filter(|&version| i64::try_from(version).is_ok());
            self.version = version.ok_or_else(|| format!("{value} should be a hexadecimal number"))?;
        } else {
            return Err("should be server.N, group.N, weight.N or version".to_owned());
        }
        Ok(())
    }

    /// Whether the lines together make sense: with groups, each voter is in exactly one (Java: `QuorumHierarchical.parse`).
    pub fn check(&self) -> Result<(), String> {
        if !self.is_hierarchical() {
            return Ok(());
        }
        for (id, _) in self.servers.iter().filter(|(_, server)| !server.observer) {
            let groups = self.groups.values().flatten().filter(|&member| member == id).count();
            if groups != 1 {
                let found = if groups == 0 { "no group" } else { "several groups" };
                return Err(format!("server.{} is in {found}, and should be in one, since there are groups or weights", id.0));
            }
        }
        Ok(())
    }
}

fn number(text: &str) -> Result<u64, String> {
    let number = text.parse().ok().filter(|&number| i64::try_from(number).is_ok());
    number.ok_or_else(|| format!("{text} should be a number"))
}

/// As Java says it, in the order of the numbers.
impl fmt::Display for Ensemble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (id, server) in &self.servers {
            writeln!(f, "server.{}={server}", id.0)?;
        }
        for (group, members) in &self.groups {
            let members: Vec<String> = members.iter().map(|member| member.0.to_string()).collect();
            writeln!(f, "group.{group}={}", members.join(":"))?;
        }
        for (id, weight) in &self.weights {
            writeln!(f, "weight.{}={weight}", id.0)?;
        }
        write!(f, "version={:x}", self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JAVA: &str = "server.1=127.0.0.1:2888:3888:participant;127.0.0.1:2181\n\
                        server.2=[::1]:2888:3888:participant\n\
                        server.7=10.0.0.1:1:2|10.0.0.2:1:2:observer;0.0.0.0:2181\n\
                        version=100000003";

    #[test]
    fn a_text_says_the_same_after_reading_it() {
        let ensemble: Ensemble = JAVA.parse().unwrap();
        assert_eq!(ensemble.version, 0x1_0000_0003);
        assert_eq!(ensemble.configuration().voters.len(), 2);
        assert_eq!(ensemble.configuration().learners.first(), Some(&NodeId(7)));
        assert_eq!(ensemble.to_string(), JAVA);
    }

    #[test]
    fn groups_and_weights_come_back() {
        let text = "server.1=a:1:2:participant\nserver.2=b:1:2:participant\ngroup.1=1:2\nweight.1=3\nversion=0";
        let ensemble: Ensemble = text.parse().unwrap();
        let hierarchy = ensemble.configuration().hierarchy.unwrap();
        assert_eq!((hierarchy.groups[&NodeId(2)], hierarchy.weights[&NodeId(1)]), (1, 3));
        assert_eq!(ensemble.to_string(), text);
        let wrong = text.replace("group.1=1:2", "group.1=1").parse::<Ensemble>().unwrap_err();
        assert!(wrong.to_string().contains("server.2 is in no group"), "{wrong}");
    }

    #[test]
    fn a_wrong_line_is_named() {
        for (text, why) in [
            ("version=0\nserver.1=a:1", "line 2: server.1: a:1: should be host:port:port"),
            ("server.x=a:1:2", "line 1: server.x: x should be a number"),
            ("server.1=a:1:2\nserver.1=a:1:2", "line 2: server.1: is there twice"),
            ("server.1=a:1:1", "line 1: server.1: a:1:1: the ports"),
            ("server.1=a:1:70000", "line 1: server.1: 70000: should be a port"),
            ("server.1=a:1:2:voter", "line 1: server.1: voter: should be participant or observer"),
            ("tickTime=3", "line 1: tickTime: should be server.N"),
            ("version=zz", "line 1: version: zz"),
        ] {
            let said = text.parse::<Ensemble>().unwrap_err().to_string();
            assert!(said.starts_with(why), "{said}");
        }
    }

    #[test]
    fn the_order_of_lines_means_nothing() {
        let reversed: Vec<&str> = JAVA.lines().rev().collect();
        assert_eq!(reversed.join("\n").parse::<Ensemble>(), JAVA.parse());
    }
}
