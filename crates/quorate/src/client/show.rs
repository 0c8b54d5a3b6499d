//! How answers look: bare as etcdctl's, in tables for people, or in etcdctl's JSON for programs.

mod json;
mod lease;
mod table;
mod txn;
mod watch;

pub(super) use json::{
    compact_json, del_json, grant_json, keep_alive_json, leases_json, members_json, put_json, range_json, revoke_json,
    status_json, ttl_json, txn_json, watch_json,
};
pub(super) use lease::{lease_table, leases_simple, leases_table, ttl_simple, ttl_table};
pub(crate) use table::Table;
pub(super) use txn::{txn_simple, txn_table};
pub(super) use watch::{watch_lines, watch_simple};

use super::reach::Trouble;
use crate::cli;
use etcd::pb::etcdserverpb::{DeleteRangeResponse, Member, MemberListResponse, PutResponse, RangeResponse, StatusResponse};
use etcd::pb::mvccpb::KeyValue;
use std::io::{self, Write};

type Statuses = [(String, Result<StatusResponse, String>)];

/// Prints at once.
pub(super) fn print(text: &str) -> Result<(), Trouble> {
    let mut output = io::stdout().lock();
    let printed = output.write_all(text.as_bytes()).and_then(|()| output.flush());
    printed.map_err(|error| Trouble::Ended(format!("cannot print: {error}")))
}

/// Keys and values, a line each.
pub(super) fn range_simple(answer: &RangeResponse, options: &cli::Get) -> String {
    if options.count_only {
        return format!("{}\n", answer.count);
    }
    let mut text = String::new();
    for kv in &answer.kvs {
        if !options.print_value_only {
            text += &format!("{}\n", String::from_utf8_lossy(&kv.key));
        }
        if !options.keys_only {
            text += &format!("{}\n", String::from_utf8_lossy(&kv.value));
        }
    }
    text
}

pub(super) fn range_table(answer: &RangeResponse) -> String {
    let rest = answer.count - answer.kvs.len() as i64;
    let mut text = keys(&answer.kvs);
    if rest > 0 {
        text += &format!("{rest} more\n");
    }
    text
}

pub(super) fn put_simple(answer: &PutResponse) -> String {
    match &answer.prev_kv {
        Some(before) => format!("OK\n{}\n{}\n", String::from_utf8_lossy(&before.key), String::from_utf8_lossy(&before.value)),
        None => "OK\n".to_owned(),
    }
}

pub(super) fn put_table(answer: &PutResponse) -> String {
    let revision = answer.header.as_ref().map_or(0, |header| header.revision);
    let before = answer.prev_kv.as_ref().map_or_else(String::new, |before| keys(std::slice::from_ref(before)));
    format!("written at revision {revision}\n{before}")
}

pub(super) fn del_simple(answer: &DeleteRangeResponse) -> String {
    let mut text = format!("{}\n", answer.deleted);
    for kv in &answer.prev_kvs {
        text += &format!("{}\n{}\n", String::from_utf8_lossy(&kv.key), String::from_utf8_lossy(&kv.value));
    }
    text
}

pub(super) fn del_table(answer: &DeleteRangeResponse) -> String {
    let revision = answer.header.as_ref().map_or(0, |header| header.revision);
    let what = if answer.deleted == 1 { "key" } else { "keys" };
    let before = if answer.prev_kvs.is_empty() { String::new() } else { keys(&answer.prev_kvs) };
    format!("{} {what} deleted at revision {revision}\n{before}", answer.deleted)
}

pub(super) fn members_simple(answer: &MemberListResponse) -> String {
    let line = |member: &Member| {
        let started = if member.name.is_empty() { "unstarted" } else { "started" };
        let (peers, clients) = (member.peer_ur_ls.join(","), member.client_ur_ls.join(","));
        format!("{:x}, {started}, {}, {peers}, {clients}, {}\n", member.id, member.name, member.is_learner)
    };
    answer.members.iter().map(line).collect()
}

pub(super) fn members_table(answer: &MemberListResponse) -> String {
    let mut table = Table::new(&["member", "id", "peers", "clients", "votes"]);
    for member in &answer.members {
        let name = if member.name.is_empty() { "(not started)".to_owned() } else { member.name.clone() };
        let votes = if member.is_learner { "no, it learns" } else { "yes" };
        table.row([
            name,
            format!("{:x}", member.id),
            member.peer_ur_ls.join(" "),
            member.client_ur_ls.join(" "),
            votes.to_owned(),
        ]);
    }
    table.text()
}

pub(super) fn status_simple(statuses: &Statuses) -> String {
    let line = |(endpoint, answer): &(String, Result<StatusResponse, String>)| {
        let status = answer.as_ref().ok()?;
        Some(format!(
            "{endpoint}, {:x}, {}, {}, {}, {}, {}, {}\n",
            member_id(status),
            status.version,
            status.db_size,
            leads(status),
            status.raft_term,
            status.raft_index,
            status.raft_applied_index
        ))
    };
    statuses.iter().filter_map(line).collect()
}

pub(super) fn status_table(statuses: &Statuses) -> String {
    let mut table = Table::new(&["endpoint", "member", "role", "term", "committed", "applied", "version", "trouble"]);
    for (endpoint, answer) in statuses {
        match answer {
            Ok(status) => table.row([
                endpoint.clone(),
                format!("{:x}", member_id(status)),
                role(status).to_owned(),
                status.raft_term.to_string(),
                status.raft_index.to_string(),
                status.raft_applied_index.to_string(),
                status.version.clone(),
                status.errors.join(" "),
            ]),
            Err(_) => table.row([endpoint.clone(), String::new(), "down".to_owned()]),
        }
    }
    table.text()
}

fn keys(kvs: &[KeyValue]) -> String {
    let mut table = Table::new(&["key", "value", "created", "modified", "version", "lease"]);
    for kv in kvs {
        table.row([
            readable(&kv.key),
            readable(&kv.value),
            kv.create_revision.to_string(),
            kv.mod_revision.to_string(),
            kv.version.to_string(),
            if kv.lease == 0 { String::new() } else { format!("{:x}", kv.lease) },
        ]);
    }
    table.text()
}

/// Text as it is; line ends and bytes that are no text escaped.
fn readable(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
        _ => bytes.escape_ascii().to_string(),
    }
}

fn member_id(status: &StatusResponse) -> u64 {
    status.header.as_ref().map_or(0, |header| header.member_id)
}

fn leads(status: &StatusResponse) -> bool {
    status.leader != 0 && status.leader == member_id(status)
}

fn role(status: &StatusResponse) -> &'static str {
    match status {
        status if leads(status) => "leader",
        status if status.is_learner => "learner",
        status if status.leader == 0 => "no leader",
        _ => "follower",
    }
}

#[cfg(test)]
mod tests;
