//! Raft's messages in plain words.

use raft::{Body, Message};

/// What a message says.
pub(super) fn say(message: &Message) -> String {
    let term = message.term;
    match &message.body {
        Body::RequestPreVote { last } => format!("would you vote for me in term {term}? my log ends at {last}"),
        Body::PreVote { granted } => format!("{}, I would {}vote for you in term {term}", yes(*granted), not(*granted)),
        Body::RequestVote { last, transfer } => {
            format!(
                "vote for me in term {term}; my log ends at {last}{}",
                if *transfer { "; the leader told me to stand" } else { "" }
            )
        }
        Body::Vote { granted } => format!("{}, I do {}vote for you in term {term}", yes(*granted), not(*granted)),
        Body::Append { previous, entries, commit } => match (entries.first(), entries.last()) {
            (Some(first), Some(last)) => {
                format!("after {previous} append {}..{} (term {term}, committed {commit})", first.position, last.position)
            }
            _ => format!("do you hold {previous}? (term {term}, committed {commit})"),
        },
        Body::Appended { upto } => format!("I hold everything up to {upto} (term {term})"),
        Body::Refused { previous, hint } => format!("I do not hold your {previous}; try {hint} (term {term})"),
        Body::Heartbeat { commit, context } => format!("I lead term {term}; committed {commit}{}", with(context)),
        Body::HeartbeatAck { context } => format!("you lead term {term}{}", with(context)),
        Body::InstallSnapshot { snapshot } => format!("here is a snapshot of {} (term {term})", snapshot.position),
        Body::Propose { proposals } => format!("please append {} proposals", proposals.len()),
        Body::ReadIndex { context } => format!("what is committed?{}", with(context)),
        Body::ReadIndexReady { context, index } => format!("read once {index} is applied{}", with(context)),
        Body::TransferLeadership { to } => format!("hand leadership to m{to}"),
        Body::TimeoutNow => format!("stand at once (term {term})"),
    }
}

fn yes(granted: bool) -> &'static str {
    if granted { "yes" } else { "no" }
}

fn not(granted: bool) -> &'static str {
    if granted { "" } else { "not " }
}

fn with(context: &[u8]) -> String {
    if context.is_empty() {
        String::new()
    } else {
        format!(" [{}]", context.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    }
}
