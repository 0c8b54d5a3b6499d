//! `quorate watch`: a watch that outlives the members it runs at.
//!
//! ```text
//!   position: the first revision that has not been printed
//!   ── 7 ── 8 ── 9 ──╳ the member is gone; on to the next one: "from 10 on" ── 10 ── 11 ── …
//! ```
//!
//! A revision's events come in one message (fragments are not asked for), so a position between two revisions is all that has to be
//! remembered: nothing is lost and nothing comes twice.

use super::actions::{Printed, form, urls};
use super::keys::{range_end, start};
use super::reach::{ANSWER_BYTES_MAX, BREATH, PATIENCE, Trouble, final_refusal, lasting_channel, said, status_of};
use super::show;
use crate::cli::{self, OutputForm};
use etcd::pb::etcdserverpb::watch_client::WatchClient;
use etcd::pb::etcdserverpb::watch_create_request::FilterType;
use etcd::pb::etcdserverpb::watch_request::RequestUnion;
use etcd::pb::etcdserverpb::{WatchCreateRequest, WatchRequest, WatchResponse};
use std::time::Instant;
use tokio::sync::mpsc;
use tonic::codegen::tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::MetadataValue;
use tonic::{Request, Status, Streaming};

/// Watches until it is stopped, has printed what was asked for, or is told that it cannot go on.
pub(super) async fn watch(options: &cli::Watch) -> Result<Printed, Trouble> {
    let urls = urls(&options.client)?;
    let deadline = Instant::now() + options.client.timeout;
    let mut watch = Watch { options, next: options.rev, begun: false, printed: 0 };
    let mut turn = 0;
    // A watch that has begun is not given up, as long as it takes until a member is there again.
    let mut attempts: Vec<(String, String)> = Vec::new();
    loop {
        let url = &urls[turn % urls.len()];
        turn += 1;
        let why = match watch.run_at(url).await {
            Ok(Ended::Enough) => return Ok(Printed::new(String::new())),
            Ok(Ended::Interrupted(why)) => {
                eprintln!("quorate: {url}: {why}; going on from revision {}", watch.next);
                attempts.clear();
                continue;
            }
            Ok(Ended::NotBegun(why)) => why,
            Err(trouble) => return Err(trouble),
        };
        attempts.retain(|(tried, _)| tried != url);
        attempts.push((url.clone(), why));
        if turn.is_multiple_of(urls.len()) {
            if !watch.begun && Instant::now() + BREATH >= deadline {
                return Err(Trouble::Nobody(attempts));
            }
            if !watch.begun && attempts.len() == urls.len() && attempts.iter().all(|(_, why)| !why.contains(NO_LEADER)) {
                return Err(Trouble::Nobody(attempts));
            }
            tokio::time::sleep(BREATH).await;
        }
    }
}

/// What a member without a leader is told to be.
const NO_LEADER: &str = "knows of no leader";

/// How a watch at one member ended.
enum Ended {
    /// As many events as were asked for have been printed.
    Enough,
    /// The member did not take it; nothing has changed.
    NotBegun(String),
    /// It had begun: it can go on at any member.
    Interrupted(String),
}

struct Watch<'a> {
    options: &'a cli::Watch,
    /// The first revision that has not been printed; 0: whatever comes next.
    next: i64,
    /// Whether a member has taken it.
    begun: bool,
    printed: u64,
}

impl Watch<'_> {
    async fn run_at(&mut self, url: &str) -> Result<Ended, Trouble> {
        let channel = match lasting_channel(url, PATIENCE).await {
            Ok(channel) => channel,
            Err(why) => return Ok(Ended::NotBegun(why)),
        };
        match status_of(&channel, PATIENCE).await {
            Ok(status) if status.leader != 0 => {}
            Ok(_) => return Ok(Ended::NotBegun(format!("it {NO_LEADER}"))),
            Err(why) => return Ok(Ended::NotBegun(why)),
        }
        // The stream of requests has to stay open as long as the watch.
        let (requests, sent) = mpsc::channel(1);
        requests.send(self.request()).await.expect("the other end is here");
        let mut asked = Request::new(ReceiverStream::new(sent));
        // A member that loses its leader shall say so rather than be silent (clientv3's WithRequireLeader).
        asked.metadata_mut().insert("hasleader", MetadataValue::from_static("true"));
        let mut client = WatchClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX);
        let opened = tokio::time::timeout(PATIENCE, client.watch(asked)).await;
        let mut responses = match opened {
            Ok(Ok(answer)) => answer.into_inner(),
            Ok(Err(status)) => return not_begun(status),
            Err(_) => return Ok(Ended::NotBegun("it took no watch in time".to_owned())),
        };
        let created = match tokio::time::timeout(PATIENCE, responses.message()).await {
            Ok(Ok(Some(created))) => created,
            Ok(Ok(None)) => return Ok(Ended::NotBegun("it ended the watch at once".to_owned())),
            Ok(Err(status)) => return not_begun(status),
            Err(_) => return Ok(Ended::NotBegun("it took no watch in time".to_owned())),
        };
        if created.canceled {
            return Err(self.cancelled(&created)?);
        }
        if self.next == 0 {
            // From now on means behind what the member had when it took the watch.
            self.next = revision(&created) + 1;
        }
        self.begun = true;
        self.follow(&mut responses).await
    }

    fn request(&self) -> WatchRequest {
        let filters = [(self.options.deletes_only, FilterType::Noput), (self.options.puts_only, FilterType::Nodelete)];
        let create = WatchCreateRequest {
            key: start(&self.options.keys).into(),
            range_end: range_end(&self.options.keys).into(),
            start_revision: self.next,
            progress_notify: self.options.progress_notify,
            filters: filters.into_iter().filter(|(wanted, _)| *wanted).map(|(_, filter)| filter.into()).collect(),
            prev_kv: self.options.prev_kv,
            ..Default::default()
        };
        WatchRequest { request_union: Some(RequestUnion::CreateRequest(create)) }
    }

    /// Prints what comes.
    async fn follow(&mut self, responses: &mut Streaming<WatchResponse>) -> Result<Ended, Trouble> {
        loop {
            let mut response = match responses.message().await {
                Ok(Some(response)) => response,
                Ok(None) => return Ok(Ended::Interrupted("the member ended the watch".to_owned())),
                Err(status) if final_refusal(&status) => return Err(Trouble::Refused { status }),
                Err(status) => return Ok(Ended::Interrupted(said(&status))),
            };
            if response.canceled {
                if response.compact_revision == 0 && response.cancel_reason.contains("no leader") {
                    return Ok(Ended::Interrupted(response.cancel_reason));
                }
                return Err(self.cancelled(&response)?);
            }
            // A member repeats nothing; if one did, it would not be printed twice.
            response.events.retain(|event| event.kv.as_ref().is_some_and(|kv| kv.mod_revision >= self.next));
            if let Some(limit) = self.options.limit {
                response.events.truncate(usize::try_from(limit - self.printed).unwrap_or(usize::MAX));
            }
            self.print(&response)?;
            self.printed += response.events.len() as u64;
            if self.options.limit.is_some_and(|limit| self.printed >= limit) {
                return Ok(Ended::Enough);
            }
            self.next = match response.events.last().and_then(|event| event.kv.as_ref()) {
                Some(kv) => kv.mod_revision + 1,
                // Progress: all up to here has been told.
                None => self.next.max(revision(&response) + 1),
            };
        }
    }

    fn print(&self, response: &WatchResponse) -> Result<(), Trouble> {
        let form = form(&self.options.client, OutputForm::Simple);
        if response.events.is_empty() && form != OutputForm::Json {
            return show::print(&format!("progress notify: {}\n", revision(response)));
        }
        show::print(&match form {
            OutputForm::Simple => show::watch_simple(response),
            OutputForm::Table => show::watch_lines(response, self.printed == 0),
            OutputForm::Json => show::watch_json(response),
        })
    }

    /// Why the members will not go on.
    fn cancelled(&self, response: &WatchResponse) -> Result<Trouble, Trouble> {
        if form(&self.options.client, OutputForm::Simple) == OutputForm::Json {
            show::print(&show::watch_json(response))?;
        }
        let compacted = response.compact_revision;
        let as_asked = self.next == self.options.rev;
        Ok(Trouble::Ended(match (compacted, as_asked) {
            (0, _) if response.cancel_reason.is_empty() => "the member cancelled the watch and did not say why".to_owned(),
            (0, _) => response.cancel_reason.clone(),
            (_, false) => format!(
                "the watch had come to revision {}, and meanwhile history before {compacted} was compacted: events in between are lost; \
                 read the keys anew, and watch from the revision of that answer + 1",
                self.next - 1
            ),
            (_, true) => format!(
                "history before revision {compacted} has been compacted, so a watch cannot begin at {}; the first possible is --rev {compacted}",
                self.next
            ),
        }))
    }
}

fn not_begun(status: Status) -> Result<Ended, Trouble> {
    if final_refusal(&status) { Err(Trouble::Refused { status }) } else { Ok(Ended::NotBegun(said(&status))) }
}

fn revision(response: &WatchResponse) -> i64 {
    response.header.as_ref().map_or(0, |header| header.revision)
}
