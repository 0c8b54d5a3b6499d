//! How servers are, by the four-letter word that every ZooKeeper answers: `srvr`.

use super::options::Reach;
use crate::client::Table;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What `srvr` says.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Srvr {
    /// "leader", "follower", "observer", "standalone".
    pub(crate) mode: String,
    version: String,
    zxid: String,
    connections: String,
    outstanding: String,
    nodes: String,
    /// Least, mean and most, in milliseconds.
    latency: String,
}

/// Asks every server by itself: one that is down does not hide how the others are.
pub(super) async fn status(servers: &[String], reach: &Reach) -> Result<(), String> {
    let patience = reach.timeout.min(Duration::from_secs(2));
    let mut answers = Vec::new();
    for server in servers {
        answers.push((server, srvr(server, patience).await));
    }
    print!("{}", if reach.json { told_json(&answers) } else { told_table(&answers) });
    let silent: Vec<String> =
        answers.iter().filter_map(|(server, answer)| Some(format!("{server}: {}", answer.as_ref().err()?))).collect();
    match silent.len() {
        0 => Ok(()),
        count if count == servers.len() => Err(format!(
            "no server answered\n  {}\nis the ensemble running? `quorate dev --zookeeper` starts one here; --servers names another",
            silent.join("\n  ")
        )),
        count => Err(format!("{count} of {} servers did not answer\n  {}", servers.len(), silent.join("\n  "))),
    }
}

/// Asks one server.
pub(crate) async fn srvr(server: &str, patience: Duration) -> Result<Srvr, String> {
    let asked = async {
        let mut stream = TcpStream::connect(server).await?;
        stream.write_all(b"srvr").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok::<String, std::io::Error>(answer)
    };
    match tokio::time::timeout(patience, asked).await {
        Ok(Ok(answer)) => parse(&answer).ok_or_else(|| answer.lines().next().unwrap_or("it said nothing").to_owned()),
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => Err("nobody listens there".to_owned()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} ms", patience.as_millis())),
    }
}

/// `None` if it is something else, such as that the server serves nobody at present, or does not know the word.
fn parse(answer: &str) -> Option<Srvr> {
    let value = |name: &str| {
        let line = answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap_or_default().trim().to_owned()
    };
    let version = value("Zookeeper version");
    let srvr = Srvr {
        mode: value("Mode"),
        // "3.9.3-c26634f34490bb0ea7a09cc51e05ede3b4e320ee, built on …"
        version: version.split([',', '-']).next().unwrap_or_default().to_owned(),
        zxid: value("Zxid"),
        connections: value("Connections"),
        outstanding: value("Outstanding"),
        nodes: value("Node count"),
        latency: value("Latency min/avg/max"),
    };
    (!srvr.mode.is_empty()).then_some(srvr)
}

type Answers<'a> = [(&'a String, Result<Srvr, String>)];

fn told_table(answers: &Answers<'_>) -> String {
    let mut table =
        Table::new(&["server", "mode", "zxid", "nodes", "connections", "outstanding", "latency min/avg/max ms", "version"]);
    for (server, answer) in answers {
        match answer {
            Ok(srvr) => table.row([
                (*server).clone(),
                srvr.mode.clone(),
                srvr.zxid.clone(),
                srvr.nodes.clone(),
                srvr.connections.clone(),
                srvr.outstanding.clone(),
                srvr.latency.clone(),
                srvr.version.clone(),
            ]),
            Err(_) => table.row([(*server).clone(), "down".to_owned()]),
        }
    }
    table.text()
}

fn told_json(answers: &Answers<'_>) -> String {
    let number = |text: &str| text.parse::<u64>().map_or(Value::Null, Value::from);
    let told = |(server, answer): &(&String, Result<Srvr, String>)| match answer {
        Ok(srvr) => {
            let latency: Vec<Value> =
                srvr.latency.split('/').map(|part| part.parse::<f64>().map_or(Value::Null, Value::from)).collect();
            json!({
                "server": server,
                "mode": srvr.mode,
                "zxid": srvr.zxid,
                "nodes": number(&srvr.nodes),
                "connections": number(&srvr.connections),
                "outstanding": number(&srvr.outstanding),
                "latency_ms": latency,
                "version": srvr.version,
            })
        }
        Err(why) => json!({ "server": server, "error": why }),
    };
    format!("{}\n", Value::from(answers.iter().map(told).collect::<Vec<Value>>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn srvr_is_read_as_java_says_it() {
        let answer = "Zookeeper version: 3.9.3-c26634f34490bb0ea7a09cc51e05ede3b4e320ee, built on 2024-10-17 23:21 UTC\n\
                      Latency min/avg/max: 0/0.5/12\nReceived: 7\nSent: 6\nConnections: 2\nOutstanding: 0\nZxid: 0x100000004\n\
                      Mode: follower\nNode count: 6\n";
        let srvr = parse(answer).expect("it serves");
        assert_eq!((srvr.mode.as_str(), srvr.version.as_str(), srvr.zxid.as_str()), ("follower", "3.9.3", "0x100000004"));
        let (server, down) = ("a:1".to_owned(), "b:1".to_owned());
        let answers = [(&server, Ok(srvr)), (&down, Err("nobody listens there".to_owned()))];
        let table = told_table(&answers);
        assert!(table.contains("a:1     follower  0x100000004  6      2            0            0/0.5/12"), "{table}");
        assert!(table.contains("b:1     down"), "{table}");
        let object: Value = serde_json::from_str(&told_json(&answers)).expect("JSON");
        assert_eq!((&object[0]["latency_ms"][1], &object[1]["error"]), (&json!(0.5), &json!("nobody listens there")));
        assert_eq!(parse("This ZooKeeper instance is not currently serving requests\n"), None);
    }
}
