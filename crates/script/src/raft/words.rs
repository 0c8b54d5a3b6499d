//! Raft's messages in plain words.

use crate::words::entries;
use bytes::Bytes;
use raft::{Body, Message};

/// The message's name, by which scripts select it.
pub(super) fn name(body: &Body) -> &'static str {
    match body {
        Body::RequestPreVote { .. } => "RequestPreVote",
        Body::PreVote { .. } => "PreVote",
        Body::RequestVote { .. } => "RequestVote",
        Body::Vote { .. } => "Vote",
        Body::Append { .. } => "Append",
        Body::Appended { .. } => "Appended",
        Body::Refused { .. } => "Refused",
        Body::Heartbeat { .. } => "Heartbeat",
        Body::HeartbeatAck { .. } => "HeartbeatAck",
        Body::InstallSnapshot { .. } => "InstallSnapshot",
        Body::Propose { .. } => "Propose",
        Body::ReadIndex { .. } => "ReadIndex",
        Body::ReadIndexReady { .. } => "ReadIndexReady",
        Body::TransferLeadership { .. } => "TransferLeadership",
        Body::TimeoutNow => "TimeoutNow",
    }
}

/// The message in plain words, its name first.
pub(super) fn tell(names: &mut Names, message: &Message) -> String {
    let rest = match &message.body {
        Body::RequestPreVote { last } => format!(", log ends {last}"),
        Body::RequestVote { last, transfer: false } => format!(", log ends {last}"),
        Body::RequestVote { last, transfer: true } => format!(", log ends {last}, told to by the leader"),
        Body::PreVote { granted } | Body::Vote { granted } => if *granted { ": yes" } else { ": no" }.into(),
        Body::Append { previous, entries: sent, commit } if sent.is_empty() => {
            format!(", nothing after {previous}; commit {commit}")
        }
        Body::Append { previous, entries: sent, commit } => format!(", after {previous}: {}; commit {commit}", entries(sent)),
        Body::Appended { upto: 0 } => ", about nothing but the term".into(),
        Body::Appended { upto } => format!(", matches up to {upto}"),
        Body::Refused { previous, hint } => format!(", nothing that matches at {previous}; may match at {hint}"),
        Body::Heartbeat { commit, context } => format!(", commit {commit}{}", names.round(context)),
        Body::HeartbeatAck { context } => names.round(context),
        Body::InstallSnapshot { snapshot } => format!(", snapshot at {}", snapshot.position),
        Body::Propose { proposals } => {
            let proposals: Vec<String> = proposals.iter().map(|(_, data)| crate::words::command(data)).collect();
            format!(", {}", proposals.join(", "))
        }
        Body::ReadIndex { context } => names.round(context),
        Body::ReadIndexReady { context, index } => format!("{}, once {index} is applied", names.round(context)),
        Body::TransferLeadership { to } => format!(", to {to}"),
        Body::TimeoutNow => String::new(),
    };
    let name = name(&message.body);
    // Some messages are spoken beside the terms.
    if message.term == 0 { format!("{name}{rest}") } else { format!("{name} term {}{rest}", message.term) }
}

/// Contexts by the order in which they were first told of: rounds 1, 2, …
#[derive(Default)]
pub struct Names {
    contexts: Vec<Bytes>,
}

impl Names {
    fn round(&mut self, context: &Bytes) -> String {
        if context.is_empty() {
            return String::new();
        }
        let at = self.contexts.iter().position(|known| known == context).unwrap_or_else(|| {
            self.contexts.push(context.clone());
            self.contexts.len() - 1
        });
        format!(", round {}", at + 1)
    }
}
