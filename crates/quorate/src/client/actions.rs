//! What the client can do.

use super::keys::{range_end, start};
use super::reach::{ANSWER_BYTES_MAX, Kind, Trouble, ask, channel, status_of};
use super::{endpoints, lease, show, txn, watch};
use crate::cli::{self, OutputForm};
use etcd::pb::etcdserverpb::cluster_client::ClusterClient;
use etcd::pb::etcdserverpb::kv_client::KvClient;
use etcd::pb::etcdserverpb::range_request::{SortOrder, SortTarget};
use etcd::pb::etcdserverpb::{
    CompactionRequest, DeleteRangeRequest, MemberListRequest, PutRequest, RangeRequest, StatusResponse,
};
use std::io::Read;
use std::process::ExitCode;
use std::time::Duration;

/// What was asked for.
pub(crate) enum Action {
    Get(cli::Get),
    Put(cli::Put),
    Del(cli::Del),
    Watch(cli::Watch),
    Lease(cli::Lease),
    Compact(cli::Compact),
    Txn(cli::Txn),
    Status(cli::Client),
    Members(cli::Client),
}

/// What there is to print.
pub(super) struct Printed {
    /// For standard output.
    pub(super) text: String,
    /// A sentence for standard error.
    pub(super) note: Option<String>,
    /// How the process ends.
    pub(super) code: ExitCode,
}

impl Printed {
    pub(super) fn new(text: String) -> Printed {
        Printed { text, note: None, code: ExitCode::SUCCESS }
    }
}

pub(super) async fn perform(action: Action) -> Result<Printed, Trouble> {
    match action {
        Action::Get(options) => get(options).await,
        Action::Put(options) => put(options).await,
        Action::Del(options) => del(options).await,
        Action::Watch(options) => watch::watch(&options).await,
        Action::Lease(action) => lease::perform(action).await,
        Action::Compact(options) => compact(&options).await,
        Action::Txn(options) => txn::txn(&options).await,
        Action::Status(options) => status(&options).await,
        Action::Members(options) => members(&options).await,
    }
}

async fn get(options: cli::Get) -> Result<Printed, Trouble> {
    let request = range_request(&options);
    let answer = ask(urls(&options.client)?, Kind::Read, options.client.timeout, async |channel| {
        let mut client = KvClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX);
        client.range(request.clone()).await
    });
    let answer = answer.await?.into_inner();
    let note = (answer.count == 0 && !options.count_only).then(|| match &options.keys {
        keys if keys.prefix => format!("no key begins with {:?}", keys.key),
        keys if keys.range_end.is_some() || keys.from_key => "no key is in that range".to_owned(),
        keys => format!("there is no key {:?}", keys.key),
    });
    let text = match form(&options.client, OutputForm::Simple) {
        OutputForm::Simple => show::range_simple(&answer, &options),
        OutputForm::Table => show::range_table(&answer),
        OutputForm::Json => show::range_json(&answer),
    };
    Ok(Printed { note, ..Printed::new(text) })
}

async fn put(mut options: cli::Put) -> Result<Printed, Trouble> {
    let value = match options.value.take() {
        Some(value) => value.into_bytes(),
        None if options.ignore_value => Vec::new(),
        None => {
            let mut value = Vec::new();
            let read = std::io::stdin().read_to_end(&mut value);
            read.map_err(|error| Trouble::Usage(format!("cannot read the value from standard input: {error}")))?;
            value
        }
    };
    let client = options.client.clone();
    let request = put_request(options, value);
    let answer = ask(urls(&client)?, Kind::Write, client.timeout, async |channel| {
        KvClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX).put(request.clone()).await
    });
    let answer = answer.await?.into_inner();
    Ok(Printed::new(match form(&client, OutputForm::Simple) {
        OutputForm::Simple => show::put_simple(&answer),
        OutputForm::Table => show::put_table(&answer),
        OutputForm::Json => show::put_json(&answer),
    }))
}

async fn del(options: cli::Del) -> Result<Printed, Trouble> {
    let request = delete_request(&options);
    let answer = ask(urls(&options.client)?, Kind::Write, options.client.timeout, async |channel| {
        KvClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX).delete_range(request.clone()).await
    });
    let answer = answer.await?.into_inner();
    Ok(Printed::new(match form(&options.client, OutputForm::Simple) {
        OutputForm::Simple => show::del_simple(&answer),
        OutputForm::Table => show::del_table(&answer),
        OutputForm::Json => show::del_json(&answer),
    }))
}

async fn compact(options: &cli::Compact) -> Result<Printed, Trouble> {
    let request = CompactionRequest { revision: options.revision, physical: options.physical };
    let answer = ask(urls(&options.client)?, Kind::Write, options.client.timeout, async |channel| {
        KvClient::new(channel).compact(request).await
    });
    let answer = answer.await?.into_inner();
    Ok(Printed::new(match form(&options.client, OutputForm::Simple) {
        OutputForm::Simple | OutputForm::Table => format!("compacted revision {}\n", options.revision),
        OutputForm::Json => show::compact_json(&answer),
    }))
}

async fn members(options: &cli::Client) -> Result<Printed, Trouble> {
    let answer = ask(urls(options)?, Kind::Read, options.timeout, async |channel| {
        ClusterClient::new(channel).member_list(MemberListRequest { linearizable: true }).await
    });
    let answer = answer.await?.into_inner();
    Ok(Printed::new(match form(options, OutputForm::Table) {
        OutputForm::Simple => show::members_simple(&answer),
        OutputForm::Table => show::members_table(&answer),
        OutputForm::Json => show::members_json(&answer),
    }))
}

/// Every member is asked, each by itself: one that is down does not hide how the others are.
async fn status(options: &cli::Client) -> Result<Printed, Trouble> {
    let patience = options.timeout.min(Duration::from_secs(2));
    let mut statuses: Vec<(String, Result<StatusResponse, String>)> = Vec::new();
    for url in urls(options)? {
        let asked = async { status_of(&channel(&url, patience).await?, patience).await };
        let answer = asked.await;
        statuses.push((url, answer));
    }
    let down = statuses.iter().filter(|(_, answer)| answer.is_err()).count();
    if down == statuses.len() {
        let reasons = statuses.into_iter().filter_map(|(url, answer)| Some((url, answer.err()?))).collect();
        return Err(Trouble::Nobody(reasons));
    }
    let text = match form(options, OutputForm::Table) {
        OutputForm::Simple => show::status_simple(&statuses),
        OutputForm::Table => show::status_table(&statuses),
        OutputForm::Json => show::status_json(&statuses),
    };
    let note = (down > 0).then(|| {
        let lines = statuses.iter().filter_map(|(url, answer)| Some(format!("\n  {url}: {}", answer.as_ref().err()?)));
        format!("{down} of {} members did not answer{}", statuses.len(), lines.collect::<String>())
    });
    Ok(Printed { text, note, code: if down > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS } })
}

pub(super) fn urls(options: &cli::Client) -> Result<Vec<String>, Trouble> {
    endpoints::choose(&options.endpoints).map_err(Trouble::Usage)
}

pub(super) fn form(options: &cli::Client, default: OutputForm) -> OutputForm {
    options.output.unwrap_or(default)
}

pub(super) fn put_request(options: cli::Put, value: Vec<u8>) -> PutRequest {
    PutRequest {
        key: options.key.into(),
        value: value.into(),
        lease: options.lease,
        prev_kv: options.prev_kv,
        ignore_value: options.ignore_value,
        ignore_lease: options.ignore_lease,
    }
}

pub(super) fn delete_request(options: &cli::Del) -> DeleteRangeRequest {
    let (key, range_end) = (start(&options.keys).into(), range_end(&options.keys).into());
    DeleteRangeRequest { key, range_end, prev_kv: options.prev_kv }
}

pub(super) fn range_request(options: &cli::Get) -> RangeRequest {
    let target = match options.sort_by {
        None | Some(cli::SortBy::Key) => SortTarget::Key,
        Some(cli::SortBy::Version) => SortTarget::Version,
        Some(cli::SortBy::Create) => SortTarget::Create,
        Some(cli::SortBy::Modify) => SortTarget::Mod,
        Some(cli::SortBy::Value) => SortTarget::Value,
    };
    let order = match options.order {
        None => SortOrder::None,
        Some(cli::Order::Ascend) => SortOrder::Ascend,
        Some(cli::Order::Descend) => SortOrder::Descend,
    };
    RangeRequest {
        range_end: range_end(&options.keys).into(),
        key: start(&options.keys).into(),
        limit: options.limit,
        revision: options.rev,
        sort_order: order.into(),
        sort_target: target.into(),
        serializable: options.consistency == "s",
        keys_only: options.keys_only,
        count_only: options.count_only,
        ..Default::default()
    }
}
