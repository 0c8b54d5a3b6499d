//! `quorate lease`.

use super::actions::{Printed, form, urls};
use super::reach::{ANSWER_BYTES_MAX, BREATH, Kind, Trouble, ask};
use super::show;
use crate::cli::{self, Lease, LeaseId, OutputForm};
use etcd::pb::etcdserverpb::lease_client::LeaseClient;
use etcd::pb::etcdserverpb::{
    LeaseGrantRequest, LeaseKeepAliveRequest, LeaseKeepAliveResponse, LeaseLeasesRequest, LeaseRevokeRequest,
    LeaseTimeToLiveRequest,
};
use std::time::{Duration, Instant};
use tonic::codegen::tokio_stream;
use tonic::transport::Channel;
use tonic::{Code, Status};

/// etcd's answer to a lease that is not there, where it answers a number and no error.
const NOT_FOUND: &str = "etcdserver: requested lease not found";

pub(super) async fn perform(action: Lease) -> Result<Printed, Trouble> {
    match action {
        Lease::Grant { ttl, client } => grant(ttl, &client).await,
        Lease::Revoke { lease: LeaseId { id }, client } => revoke(id, &client).await,
        Lease::KeepAlive { lease: LeaseId { id }, once: true, client } => {
            let answer = renew(id, &client, client.timeout).await?;
            if answer.ttl <= 0 {
                return Err(Trouble::Refused { status: Status::not_found(NOT_FOUND) });
            }
            Ok(Printed::new(renewed(&answer, &client, true)))
        }
        Lease::KeepAlive { lease: LeaseId { id }, once: false, client } => keep_alive(id, &client).await,
        Lease::Ttl { lease: LeaseId { id }, keys, client } => time_to_live(id, keys, &client).await,
        Lease::List(client) => list(&client).await,
    }
}

async fn grant(ttl: i64, options: &cli::Client) -> Result<Printed, Trouble> {
    let answer = ask(urls(options)?, Kind::Write, options.timeout, async |channel| {
        LeaseClient::new(channel).lease_grant(LeaseGrantRequest { ttl, id: 0 }).await
    });
    let answer = answer.await?.into_inner();
    Ok(Printed::new(match form(options, OutputForm::Simple) {
        OutputForm::Simple => format!("lease {:016x} granted with TTL({}s)\n", answer.id, answer.ttl),
        OutputForm::Table => show::lease_table(&[("lease", format!("{:016x}", answer.id)), ("ttl", answer.ttl.to_string())]),
        OutputForm::Json => show::grant_json(&answer),
    }))
}

async fn revoke(id: i64, options: &cli::Client) -> Result<Printed, Trouble> {
    let answer = ask(urls(options)?, Kind::Write, options.timeout, async |channel| {
        LeaseClient::new(channel).lease_revoke(LeaseRevokeRequest { id }).await
    });
    let answer = answer.await?.into_inner();
    Ok(Printed::new(match form(options, OutputForm::Simple) {
        OutputForm::Simple | OutputForm::Table => format!("lease {id:016x} revoked\n"),
        OutputForm::Json => show::revoke_json(&answer),
    }))
}

async fn time_to_live(id: i64, keys: bool, options: &cli::Client) -> Result<Printed, Trouble> {
    let answer = ask(urls(options)?, Kind::Read, options.timeout, async |channel| {
        let mut client = LeaseClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX);
        client.lease_time_to_live(LeaseTimeToLiveRequest { id, keys }).await
    });
    let answer = answer.await?.into_inner();
    Ok(Printed::new(match form(options, OutputForm::Simple) {
        OutputForm::Simple => show::ttl_simple(&answer, keys),
        OutputForm::Table => show::ttl_table(&answer),
        OutputForm::Json => show::ttl_json(&answer),
    }))
}

async fn list(options: &cli::Client) -> Result<Printed, Trouble> {
    let answer = ask(urls(options)?, Kind::Read, options.timeout, async |channel| {
        let mut client = LeaseClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX);
        client.lease_leases(LeaseLeasesRequest {}).await
    });
    let answer = answer.await?.into_inner();
    Ok(Printed::new(match form(options, OutputForm::Simple) {
        OutputForm::Simple => show::leases_simple(&answer),
        OutputForm::Table => show::leases_table(&answer),
        OutputForm::Json => show::leases_json(&answer),
    }))
}

/// Renews every third of the lease's time, as etcd's own client does, at whichever member answers.
async fn keep_alive(id: i64, options: &cli::Client) -> Result<Printed, Trouble> {
    // The lease is over for certain when it was not renewed for its whole time.
    let mut lives_until = Instant::now() + options.timeout;
    let mut first = true;
    loop {
        let left = lives_until.saturating_duration_since(Instant::now());
        let answer = match renew(id, options, left).await {
            Ok(answer) => answer,
            Err(Trouble::Nobody(_)) if !first && Instant::now() + BREATH < lives_until => {
                tokio::time::sleep(BREATH).await;
                continue;
            }
            Err(trouble) => return Err(trouble),
        };
        let heard = Instant::now();
        let Some(ttl) = u64::try_from(answer.ttl).ok().filter(|ttl| *ttl > 0).map(Duration::from_secs) else {
            let text = match form(options, OutputForm::Simple) {
                OutputForm::Simple | OutputForm::Table => format!("lease {id:016x} expired or revoked.\n"),
                OutputForm::Json => String::new(),
            };
            return Ok(Printed::new(text));
        };
        show::print(&renewed(&answer, options, first))?;
        lives_until = heard + ttl;
        first = false;
        tokio::time::sleep(ttl / 3).await;
    }
}

async fn renew(id: i64, options: &cli::Client, limit: Duration) -> Result<LeaseKeepAliveResponse, Trouble> {
    ask(urls(options)?, Kind::Read, limit, async |channel| renew_at(channel, id).await).await
}

async fn renew_at(channel: Channel, id: i64) -> Result<LeaseKeepAliveResponse, Status> {
    let requests = tokio_stream::once(LeaseKeepAliveRequest { id });
    let mut answers = LeaseClient::new(channel).lease_keep_alive(requests).await?.into_inner();
    answers.message().await?.ok_or_else(|| Status::new(Code::Unavailable, "the member ended the stream without an answer"))
}

fn renewed(answer: &LeaseKeepAliveResponse, options: &cli::Client, first: bool) -> String {
    match form(options, OutputForm::Simple) {
        OutputForm::Simple => format!("lease {:016x} keepalived with TTL({})\n", answer.id, answer.ttl),
        OutputForm::Table => {
            let table = show::lease_table(&[("lease", format!("{:016x}", answer.id)), ("ttl", answer.ttl.to_string())]);
            if first { table } else { table.lines().skip(1).map(|line| format!("{line}\n")).collect() }
        }
        OutputForm::Json => show::keep_alive_json(answer),
    }
}
